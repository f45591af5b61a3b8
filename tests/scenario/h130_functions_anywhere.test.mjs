// Functions in any language and in any place: the shell loop of the documentation, URLs, Lambdas
// (which is another weir here), and the command line.

import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { runCli } from './lib/cli.mjs';
import { HANDLERS, lambdaOf, resultOf } from './lib/functions.mjs';
import { fails } from './lib/tables.mjs';
import { ROOT, elsewhere, eventually, startWeir } from './lib/weir.mjs';

const skip = elsewhere;

// A server that answers as it is told: /status/CODE, /slow, and all else with what it got.
function startEndpoint() {
  const seen = { now: 0, most: 0 };
  const server = http.createServer((request, response) => {
    const chunks = [];
    seen.now += 1;
    seen.most = Math.max(seen.most, seen.now);
    response.on('close', () => { seen.now -= 1; });
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const [, what, code] = request.url.split('/');
      if (what === 'status') {
        response.writeHead(Number(code)).end('as you like it');
      } else if (what === 'pause') {
        setTimeout(() => response.end('"late"'), Number(code));
      } else {
        response.end(JSON.stringify({ event: JSON.parse(Buffer.concat(chunks)), headers: request.headers }));
      }
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ server, seen, url: `http://127.0.0.1:${server.address().port}` }));
  });
}

const shout = (await readFile(path.join(ROOT, 'docs', 'functions.md'), 'utf8')).match(/```sh\n(#![\s\S]*?)```/)[1];
let endpoint;
let folder;
let cloud;
let weir;
let invoke;
let result;

before(async () => {
  if (elsewhere) {
    return;
  }
  folder = await mkdtemp(path.join(tmpdir(), 'weir-functions-'));
  await mkdir(path.join(folder, 'functions', 'shout'), { recursive: true });
  await writeFile(path.join(folder, 'functions', 'shout', 'bootstrap'), shout);
  await chmod(path.join(folder, 'functions', 'shout', 'bootstrap'), 0o755);
  endpoint = await startEndpoint();
  cloud = await startWeir({
    config: `functions:
  echo: { runtime: node, handler: index.echo, dir: "${HANDLERS}" }
  fails: { runtime: node, handler: index.fails, dir: "${HANDLERS}" }
  exits: { runtime: node, handler: index.exits, dir: "${HANDLERS}" }
credentials: [{ access_key_id: cloud, secret_access_key: !env "WEIR_TEST_SECRET, heaven" }]
`,
  });
  const lambda = (name, rest = '') => `{ lambda: ${name}, endpoint: "${cloud.endpoint}", region: us-east-1, access_key_id: cloud, secret_access_key: heaven${rest} }`;
  const configFile = path.join(folder, 'weir.yaml');
  await writeFile(configFile, `functions:
  shout: { command: [./bootstrap], dir: ./functions/shout, timeout: 10s, concurrency: 1 }
  url: { url: "${endpoint.url}/path?a=b", headers: { Authorization: Bearer xyz } }
  wrong: { url: "${endpoint.url}/status/400" }
  busy: { url: "${endpoint.url}/status/429" }
  broken: { url: "${endpoint.url}/status/500" }
  late: { url: "${endpoint.url}/pause/5000", timeout: 200ms }
  two: { url: "${endpoint.url}/pause/50", concurrency: 2 }
  nobody: { url: "http://127.0.0.1:9/" }
  cloud-echo: ${lambda('arn:aws:lambda:us-east-1:000000000000:function:echo')}
  cloud-fails: ${lambda('fails')}
  cloud-exits: ${lambda('exits')}
  cloud-nobody: ${lambda('nobody')}
  cloud-stranger: ${lambda('echo').replace('heaven', 'hell')}
`);
  weir = await startWeir({ configFile });
  ({ invoke } = lambdaOf(weir));
  result = resultOf(invoke);
});
after(async () => {
  await weir?.close();
  await cloud?.close();
  endpoint?.server.close();
  if (folder) {
    await rm(folder, { recursive: true });
  }
});

test('the shell loop of the documentation is a function', { skip }, async () => {
  assert.ok(shout.trim().split('\n').length <= 22);
  assert.deepEqual(await result('shout', { say: 'hello' }), { SAY: 'HELLO' });
  assert.deepEqual(await result('shout', ['again']), ['AGAIN']);
});

test('a url gets the event by POST', { skip }, async () => {
  const { result: got, requestId } = await invoke('url', { n: 1 });
  assert.deepEqual(got.event, { n: 1 });
  assert.equal(got.headers['content-type'], 'application/json');
  assert.equal(got.headers.authorization, 'Bearer xyz');
  assert.equal(got.headers['x-request-id'], requestId);
});

test('what a url answers, or not, is told apart', { skip }, async () => {
  await fails(invoke('busy', {}), 'TooManyRequestsException', /answered with status 429/, 429);
  assert.deepEqual((await invoke('wrong', {})).result, {
    errorType: 'Endpoint.Error', errorMessage: 'function wrong was answered with status 400: as you like it',
  });
  await fails(invoke('nobody', {}), 'ServiceException', /127\.0\.0\.1:9/, 503);
  const { error, result: broken } = await invoke('broken', {});
  assert.equal(error, 'Unhandled');
  assert.deepEqual(broken, {
    errorType: 'Endpoint.Error', errorMessage: 'function broken was answered with status 500: as you like it',
  });
  assert.deepEqual((await invoke('late', {})).result, {
    errorType: 'Sandbox.Timedout', errorMessage: 'Task timed out after 0.20 seconds',
  });
});

test('a url has no more requests at once than its concurrency', { skip }, async () => {
  await eventually(() => endpoint.seen.now === 0);
  endpoint.seen.most = 0;
  const all = await Promise.all(Array.from({ length: 10 }, () => result('two', {})));
  assert.deepEqual(all, Array(10).fill('late'));
  assert.equal(endpoint.seen.most, 2);
});

test('a lambda is invoked with a signed request', { skip }, async () => {
  const ClientContext = Buffer.from('{"custom":{"a":1}}').toString('base64');
  const { result: got, log } = await invoke('cloud-echo', { n: 3 }, { ClientContext });
  assert.deepEqual(got.event, { n: 3 });
  assert.equal(got.context.functionName, 'echo');
  assert.deepEqual(got.context.clientContext, { custom: { a: 1 } });
  assert.match(log, /^START RequestId: .*\nevent \{"n":3\}\nEND/);
  const { error, result: failed } = await invoke('cloud-fails', {});
  assert.deepEqual([error, failed.errorType], ['Unhandled', 'TypeError']);
  await invoke('cloud-exits', { code: 1 });
  await fails(invoke('cloud-exits', {}), 'TooManyRequestsException', /status 429: .*is started again/, 429);
  await fails(invoke('cloud-nobody', {}), 'TooManyRequestsException', /status 404: .*Function not found/, 429);
  const { result: refused } = await invoke('cloud-stranger', {});
  assert.equal(refused.errorType, 'Endpoint.Error');
  assert.match(refused.errorMessage, /status 40[03]: .*signature/i);
});

const run = (args, { endpoint = weir.endpoint, input } = {}) => runCli(endpoint, args, { input });

test('weir invoke prints what a function answers', { skip }, async () => {
  assert.deepEqual(await run(['invoke', 'shout', '{"a":"b"}']), { code: 0, out: '{"A":"B"}\n', err: '' });
  assert.deepEqual(await run(['invoke', 'shout', '-'], { input: '["c"]' }), { code: 0, out: '["C"]\n', err: '' });
  assert.deepEqual(await run(['invoke', 'shout']), { code: 0, out: '{}\n', err: '' });
  const logged = await run(['invoke', 'cloud-echo', '{"n":9}', '--log']);
  assert.equal(JSON.parse(logged.out).event.n, 9);
  assert.match(logged.err, /^START RequestId: .*\nevent \{"n":9\}\nEND/);
  const failed = await run(['invoke', 'cloud-fails', '{}']);
  assert.deepEqual([failed.code, JSON.parse(failed.out).errorType, failed.err],
    [1, 'TypeError', 'weir: function cloud-fails failed\n']);
  assert.deepEqual(await run(['invoke', 'nosuch']), {
    code: 1, out: '', err: 'weir: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nosuch\n',
  });
  assert.equal((await run(['invoke', 'shout', '{']).catch(String)).code, 1);
  assert.equal((await run(['invoke', 'shout'], { endpoint: 'http://127.0.0.1:9' })).code, 3);
});

test('weir status shows functions', { skip }, async () => {
  const { out } = await run(['status']);
  assert.match(out, /FUNCTION +RUNTIME +INSTANCES +RUNNING +WAITING +INVOCATIONS +ERRORS +STATE/);
  assert.match(out, /^shout +command +1 +0 +0 +5 +0 +ready$/m);
  assert.match(out, /^url +http +0 +0 +0 +1 +0 +ready$/m);
});
