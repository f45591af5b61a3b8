// Messages through a durable queue: sent, received and deleted over and over, by the same client
// on weir's SQS API and on Redis lists, both made durable before they answer, in turns in one run.
//
// Redis runs with `appendfsync always`, without snapshots and without rewriting its file. Its lists
// are less than a queue: nothing comes back by itself, and what is deleted is found by its text.

import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  Server, folder, freePort, median, middle, processorMicroseconds, program, ratio, remove, result, startWeir,
  syncMicroseconds, table,
} from './lib.mjs';

const ROUNDS = Number(process.env.WEIR_BENCH_ROUNDS ?? 3);
const SECONDS = Number(process.env.WEIR_BENCH_SECONDS ?? 3);
const MEASURES = [[1, 1], [8, 1], [64, 1], [1, 10], [8, 10]]; // connections, batch
const KINDS = [['weir', 'sqs'], ['redis', 'redis']];
const BYTES = 210;
const ATTEMPTS = 3;
const PACE = 2; // how much the disk may change during a pair
const STAGES = ['send', 'receive', 'delete'];

async function startRedis(dir) {
  mkdirSync(dir);
  return new Server('redis-server', ['--port', String(await freePort()), '--bind', '127.0.0.1', '--dir', dir,
    '--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--auto-aof-rewrite-percentage', '0'],
  /port=(\d+)[^]*Ready to accept connections/).ready;
}

async function createQueue(server, name) {
  const { status, text } = await server.fetch('POST', '/', {
    'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.CreateQueue',
  }, JSON.stringify({ QueueName: name }));
  if (status !== 200) {
    throw new Error(`CreateQueue: ${status} ${text}`);
  }
}

// One run of the client: messages a second, latencies, the server's processor time for a message.
async function drive(server, kind, name, connections, batch) {
  if (kind === 'sqs') {
    await createQueue(server, name);
  }
  const before = processorMicroseconds(server.child.pid);
  const { stdout } = await promisify(execFile)(program('bench_queue'),
    [kind, server.port, name, connections, batch, SECONDS].map(String));
  const used = processorMicroseconds(server.child.pid) - before;
  const measured = JSON.parse(stdout);
  return { ...measured, cpu_us: used / measured.total };
}

// Both servers, one after the other, while the disk keeps its pace: some disks change theirs from
// one moment to the next, and then the pair says nothing. `steady` is whether one was found.
async function pair(servers, name, connections, batch, dir) {
  let measured;
  for (let attempt = 0; attempt < ATTEMPTS && !measured?.steady; attempt++) {
    const disk = [syncMicroseconds(dir)];
    measured = {};
    for (const [server, kind] of attempt % 2 ? [...KINDS].reverse() : KINDS) {
      measured[server] = await drive(servers[server], kind, `${name}-${attempt}`, connections, batch);
      disk.push(syncMicroseconds(dir));
    }
    measured.disk_us = median(disk);
    measured.steady = Math.max(...disk) < PACE * Math.min(...disk);
  }
  return measured;
}

// measured['8 1'] = one pair a round
async function measure(servers, dir) {
  const measured = {};
  for (let n = 0; n < ROUNDS; n++) {
    for (const [connections, batch] of MEASURES) {
      (measured[`${connections} ${batch}`] ??= []).push(
        await pair(servers, `bench-${n}-${connections}-${batch}`, connections, batch, dir));
    }
  }
  return measured;
}

function report(connections, batch, pairs) {
  const of = (server) => pairs.map((each) => each[server]);
  const disk = middle(pairs, 'disk_us');
  const unsteady = pairs.filter((each) => !each.steady).length;
  const fields = ['rate', ...STAGES.flatMap((stage) => [`${stage}_us`, `${stage}_p99_us`]), 'cpu_us'];
  table(`send, receive, delete, durable; ${BYTES}-byte messages, ${batch > 1 ? `batches of ${batch}, ` : ''}`
    + `${connections} connection${connections > 1 ? 's' : ''}; a durable write of the disk: ${disk.toFixed(0)} us`
    + (unsteady ? `; THE DISK CHANGED ITS PACE in ${unsteady} of ${pairs.length} rounds` : ''),
  ['server', 'messages/s', 'send us', 'p99', 'receive us', 'p99', 'delete us', 'p99', 'cpu us/message',
    "weir's rate to it"],
  KINDS.map(([server]) => [server, ...fields.map((field) => middle(of(server), field)),
    ratio(of('weir'), of(server), 'rate')]));
  result('queue', {
    connections, batch, message_bytes: BYTES, rounds: ROUNDS, unsteady, disk_us: disk,
    ...Object.fromEntries(fields.map((field) => [field, middle(of('weir'), field)])),
    redis_rate: middle(of('redis'), 'rate'), redis_cpu_us: middle(of('redis'), 'cpu_us'),
    to_redis: ratio(of('weir'), of('redis'), 'rate'), cpu_to_redis: ratio(of('weir'), of('redis'), 'cpu_us'),
  });
}

export async function run() {
  const dir = folder();
  const servers = { weir: await startWeir(dir), redis: await startRedis(path.join(dir, 'redis')) };
  const measured = await measure(servers, dir);
  await Promise.all(Object.values(servers).map((server) => server.stop()));
  remove(dir);
  for (const [connections, batch] of MEASURES) {
    report(connections, batch, measured[`${connections} ${batch}`]);
  }
}
