// The benchmarks that are programs of their own: their tables as they are, their lines of JSON kept.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  folder, freePort, program, remove, result, startWeir, syncMicroseconds,
} from './lib.mjs';

async function pass(name, args = [], more = {}) {
  console.log(`\n${name}`);
  const child = spawn(program(name), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (bytes) => {
    text += bytes;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) {
    throw new Error(`${name} ended with ${code}`);
  }
  for (const line of text.split('\n')) {
    if (line.startsWith('{')) {
      const { bench, ...values } = JSON.parse(line);
      result(bench ?? name.replace('bench_', ''), { ...values, ...more });
    } else {
      console.log(line);
    }
  }
}

export async function log() {
  const dir = folder();
  await pass('bench_log', [dir]);
  remove(dir);
}

export async function timers() {
  const dir = folder();
  await pass('bench_timers', [dir]);
  remove(dir);
}

export const pattern = () => pass('bench_pattern');
export const expr = () => pass('bench_expr');

const REACTION = `
tables:
  bench-events:
    key: { id: S }
    stream: new_and_old_images
  bench-derived:
    key: { id: S }

pipelines:
  react:
    source: { table: bench-events, window: 0s, concurrency: 4 }
    steps:
      - put:
          table: bench-derived
          item: { id: "\${new.id}", status: "\${new.status}", score: "\${new.score}" }
`;

const handler = (port) => `import { createSocket } from 'node:dgram';
const socket = createSocket('udp4');
export const handler = async () => {
  const entered = process.hrtime.bigint();
  await new Promise((resolve) => socket.send(String(entered), ${port}, '127.0.0.1', resolve));
};
`;

const TRIGGER = `
tables:
  bench-events:
    key: { id: S }
    stream: new_and_old_images

functions:
  tell: { runtime: node, handler: index.handler, dir: ., concurrency: 1, keep_warm: 1 }

pipelines:
  trigger:
    source: { table: bench-events, window: 0s, concurrency: 1 }
    steps:
      - invoke: { function: tell }
`;

export async function trigger() {
  const dir = folder();
  const port = await freePort();
  writeFileSync(path.join(dir, 'index.mjs'), handler(port));
  const server = await startWeir(dir, TRIGGER);
  const disk = syncMicroseconds(dir);
  await pass('bench_reaction', [server.port, 2000, port].map(String), { disk_us: disk });
  await server.stop();
  remove(dir);
}

export async function reaction() {
  const dir = folder();
  const server = await startWeir(dir, REACTION);
  const disk = syncMicroseconds(dir);
  console.log(`\na durable write of the disk: ${disk.toFixed(0)} us; a reaction waits for one of its own`);
  await pass('bench_reaction', [String(server.port)], { disk_us: disk });
  await server.stop();
  remove(dir);
}
