// Handlers of the scenario tests, as an ES module.

import { spawn } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

let count = 0;

export async function echo(event, context) {
  console.log(`event ${JSON.stringify(event)}`);
  count += 1;
  return {
    event,
    count,
    pid: process.pid,
    context: { ...context, left: context.getRemainingTimeInMillis() },
  };
}

export async function fails(event) {
  if (event?.how === 'text') {
    throw 'just a text'; // eslint-disable-line no-throw-literal
  }
  throw new TypeError('it cannot be');
}

// Never answers, and says who it is.
export function hangs(event) {
  console.log('before the end');
  if (event.file) {
    writeFileSync(event.file, `${process.pid}`);
  }
  return new Promise(() => { setInterval(() => {}, 1000); });
}

export function exits(event) {
  if (event.code !== undefined) {
    process.exit(event.code);
  }
  return Promise.resolve(process.pid);
}

export async function sleeps({ ms = 0, file } = {}) {
  if (file) {
    appendFileSync(file, `+${process.pid}\n`);
  }
  await pause(ms);
  if (file) {
    appendFileSync(file, `-${process.pid}\n`);
  }
  return process.pid;
}

export async function large({ bytes }) {
  return 'x'.repeat(bytes);
}

let held;

export async function hoards({ mib }) {
  held = Array.from({ length: mib }, () => Buffer.alloc(1 << 20, 1));
  await pause(60_000);
  return held.length;
}

export async function environment() {
  return process.env;
}

// Starts processes that would like to live on: one in its group, one in a session of its own.
export async function spawns() {
  const inside = spawn('sleep', ['1000'], { stdio: 'ignore' });
  const outside = spawn('sleep', ['1000'], { stdio: 'ignore', detached: true });
  outside.unref();
  return [process.pid, inside.pid, outside.pid];
}

export const notAFunction = 1;
