// From nothing to the first answer on an empty folder; anonymous memory and processor time at rest.

import { readFileSync } from 'node:fs';
import { folder, median, remove, result, sleep, startWeir, table } from './lib.mjs';

const STARTS = 11;
const IDLE_SECONDS = 5;

async function startOnce() {
  const dir = folder();
  const server = await startWeir(dir);
  await server.fetch('GET', '/healthz');
  const ms = performance.now() - server.began;
  await server.stop();
  remove(dir);
  return ms;
}

// User and system time in clock ticks.
function ticks(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function anonymousMiB(pid) {
  return Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

async function idle() {
  const dir = folder();
  const server = await startWeir(dir);
  await server.fetch('GET', '/healthz');
  await sleep(1000);
  const before = ticks(server.child.pid);
  await sleep(IDLE_SECONDS * 1000);
  const measured = { ticks: ticks(server.child.pid) - before, mib: anonymousMiB(server.child.pid) };
  await server.stop();
  remove(dir);
  return measured;
}

export async function run() {
  const starts = [];
  for (let i = 0; i < STARTS; i++) {
    starts.push(await startOnce());
  }
  const rest = await idle();
  table('weir serve on an empty folder', ['', 'measured'], [
    [`start to first answer, median of ${STARTS}, ms`, median(starts)],
    ['fastest, ms', Math.min(...starts)],
    ['anonymous memory at rest, MiB', rest.mib],
    [`processor time in ${IDLE_SECONDS} s at rest, ticks of 10 ms`, rest.ticks],
  ]);
  result('start', { start_ms: median(starts), fastest_ms: Math.min(...starts), idle_mib: rest.mib,
    idle_ticks: rest.ticks, idle_seconds: IDLE_SECONDS });
}
