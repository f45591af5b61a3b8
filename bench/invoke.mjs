// Invoke over HTTP of a Node handler that does nothing, with concurrency 1 and 8. The load comes from
// wrk, one thread, as many connections as instances. It is weighed against
//
//   the limit   as many instances, which a loop in C hands events to, and nobody invokes: what the
//               same processes can do at best on this machine, with weir and wrk for nothing
//   Node HTTP   one Node HTTP server that reads the event and answers it as JSON

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  ROOT, Server, folder, middle, program, ratio, remove, result, startWeir, table, wrk,
} from './lib.mjs';

const ROUNDS = Number(process.env.WEIR_BENCH_ROUNDS ?? 3);
const SECONDS = Number(process.env.WEIR_BENCH_SECONDS ?? 3);
const WIDTHS = [1, 8];
const PATH = '/2015-03-31/functions/nothing-';

const HANDLER = 'export const handler = async (event) => ({ n: event.n });\n';
const BARE = `const http = require('http');
http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const body = JSON.stringify({ n: JSON.parse(Buffer.concat(parts)).n });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
  });
}).listen(0, '127.0.0.1', function () { console.log(this.address().port); });
`;

async function start(dir) {
  mkdirSync(path.join(dir, 'fn'));
  writeFileSync(path.join(dir, 'fn', 'index.mjs'), HANDLER);
  writeFileSync(path.join(dir, 'bare.cjs'), BARE);
  const functions = WIDTHS.map((width) => `  nothing-${width}: { runtime: node, handler: index.handler, dir: fn, `
    + `concurrency: ${width}, keep_warm: ${width}, timeout: 10s }\n`);
  const weir = await startWeir(dir, `functions:\n${functions.join('')}`);
  const bare = await new Server('node', [path.join(dir, 'bare.cjs')], /^(\d+)\n/).ready;
  for (let warm = false; !warm;) {
    const { functions: states } = await weir.status();
    warm = states.every(({ idle, concurrency }) => idle === concurrency);
  }
  return { weir, bare };
}

// Events a second of instances that have nothing to wait for.
async function limit(dir, width) {
  const loop = spawn(program('bench_instances'), [width, SECONDS].map(String),
    { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(loop, 'close');
  let text = '';
  loop.stdout.on('data', (bytes) => {
    text += bytes;
  });
  await once(loop.stdout, 'data');
  const env = {
    ...process.env,
    AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${/listening on (\d+)/.exec(text)[1]}`,
    LAMBDA_TASK_ROOT: path.join(dir, 'fn'),
    _HANDLER: 'index.handler',
  };
  const script = path.join(ROOT, 'src/function/shim/node.js');
  const instances = Array.from({ length: width }, () => {
    const input = openSync(script, 'r');
    const instance = spawn('node', ['-'], { env, stdio: [input, 'ignore', 'ignore'] });
    closeSync(input);
    return instance;
  });
  const [code] = await ended;
  instances.forEach((instance) => instance.kill('SIGKILL'));
  if (code !== 0) {
    throw new Error(`bench_instances ended with ${code}`);
  }
  return JSON.parse(text.split('\n').find((line) => line.startsWith('{')));
}

export async function run() {
  const dir = folder();
  const { weir, bare } = await start(dir);
  const measures = WIDTHS.map((width) => ({ width, weir: [], bare: [], limit: [] }));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const measure of measures) {
      const load = { script: 'invoke.lua', connections: measure.width, seconds: SECONDS };
      const mine = await wrk(weir, { ...load, args: [`${PATH}${measure.width}/invocations`] });
      const other = await wrk(bare, { ...load, args: ['/'] });
      if (round > 0) { // the first one warms up
        measure.limit.push(await limit(dir, measure.width));
        measure.weir.push(mine);
        measure.bare.push(other);
      }
    }
  }
  const rows = measures.map(({ width, weir: mine, bare: other, limit: most }) => [String(width),
    middle(mine, 'rate'), middle(mine, 'p50_us'), middle(mine, 'p99_us'), middle(mine, 'cpu_us'),
    middle(most, 'rate'), ratio(mine, most, 'rate'), middle(other, 'rate'), ratio(mine, other, 'rate')]);
  table('Invoke of a Node handler that does nothing', ['concurrency', 'invocations/s', 'median us', '99th us',
    'weir cpu us', 'limit/s', 'to limit', 'Node HTTP/s', 'to it'], rows);
  for (const { width, weir: mine, bare: other, limit: most } of measures) {
    result('invoke', {
      concurrency: width, rate: middle(mine, 'rate'), p50_us: middle(mine, 'p50_us'), p99_us: middle(mine, 'p99_us'),
      cpu_us: middle(mine, 'cpu_us'), limit_rate: middle(most, 'rate'), to_limit: ratio(mine, most, 'rate'),
      node_rate: middle(other, 'rate'), ratio: ratio(mine, other, 'rate'),
    });
  }
  await weir.stop();
  await bare.stop().catch(() => {});
  remove(dir);
}
