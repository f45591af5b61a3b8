// A backlog worked off by a pipeline with a debounce, and by the same pipeline without one: one key
// for everything, and a key for each of 100,000 items, which then all go on at once. The source
// table is filled while there is no pipeline; the clock runs from "listening". The two records of an
// item are written right after one another, so that they make one burst.

import { cpSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import {
  folder, median, processorMicroseconds, remove, result, sleep, startWeir, table,
} from './lib.mjs';

const RECORDS = Number(process.env.WEIR_BENCH_RECORDS ?? 200_000);
const KEYS = RECORDS / 2;
const BATCH = 25; // of BatchWriteItem, which wants each item once
const ROUNDS = Number(process.env.WEIR_BENCH_ROUNDS ?? 3);
const POLL_MS = 20;
const TABLES = `tables:
  edits: { key: { id: S }, stream: new_and_old_images }
  runs: { key: { id: S } }
`;
const pipeline = (steps) => `${TABLES}pipelines:
  bench:
    source: { table: edits, batch: 1000, concurrency: 4 }
    steps: [${steps.map((step) => `{ ${step} }`).join(', ')}]
`;
const COUNT = 'put: { table: runs, item: { id: "${burst.key}", count: "${burst.count}" } }';
const VARIANTS = [
  { name: 'require only', config: pipeline(['require: [keys.id]']) },
  { name: 'one put a record', config: pipeline(['put: { table: runs, item: { id: "${keys.id}" } }']) },
  { name: 'debounce, one key', config: pipeline(['debounce: { period: 1s, max_wait: 1h }', COUNT]), runs: 1 },
  { name: `debounce, ${KEYS} keys`, config: pipeline(['debounce: { period: 1s, max_wait: 1h, key: keys.id }', COUNT]), runs: KEYS },
];

async function fill(dir) {
  const server = await startWeir(dir, TABLES);
  const text = 'x'.repeat(250);
  await server.load('edits', Array.from({ length: RECORDS },
    (_, i) => ({ id: { S: `item-${Math.floor(i / BATCH / 2) * BATCH + (i % BATCH)}` }, n: { N: `${i}` }, text: { S: text } })));
  await server.stop();
}

const counter = async (server, name) => Number(new RegExp(`^weir_pipeline_${name}\\{[^}]*\\} (\\d+)$`, 'm')
  .exec((await server.fetch('GET', '/metrics')).text)?.[1] ?? 0);

async function workOff(from, variant) {
  const dir = folder();
  cpSync(path.join(from, 'data'), path.join(dir, 'data'), { recursive: true });
  const server = await startWeir(dir, variant.config);
  const began = performance.now();
  const since = () => (performance.now() - began) / 1000;
  let gathered = 0;
  for (;; await sleep(POLL_MS)) {
    const [now] = (await server.status()).pipelines;
    const stream = variant.runs ? await counter(server, 'deferred_total') : now.records;
    gathered = gathered || (stream >= RECORDS ? since() : 0);
    if (gathered && now.at_end && (!variant.runs || now.records >= RECORDS + variant.runs)) {
      break;
    }
  }
  const time = since();
  const cpu = processorMicroseconds(server.child.pid) / RECORDS;
  await server.stop();
  remove(dir);
  return { gathered, rest: time - gathered, cpu };
}

export async function run() {
  const dir = folder();
  mkdirSync(dir, { recursive: true });
  await fill(dir);
  const runs = new Map(VARIANTS.map((variant) => [variant, []]));
  for (let n = 0; n < ROUNDS; n++) {
    for (const variant of VARIANTS) {
      runs.get(variant).push(await workOff(dir, variant));
    }
  }
  rmSync(dir, { recursive: true });
  const rows = VARIANTS.map((variant) => {
    const of = (field) => median(runs.get(variant).map((one) => one[field]));
    const values = { records_rate: RECORDS / of('gathered'), seconds: of('gathered'), cpu_us: of('cpu'),
      runs: variant.runs ?? 0, runs_seconds: variant.runs ? of('rest') : 0 };
    result('debounce', { variant: variant.name, records: RECORDS, rounds: ROUNDS, ...values });
    return [variant.name, values.seconds, values.records_rate, values.cpu_us, values.runs, values.runs_seconds];
  });
  table(`backlog of ${RECORDS} records of ${KEYS} items; median of ${ROUNDS}`,
    ['variant', 'seconds', 'records/s', 'cpu us/record', 'runs then', 'seconds for them'], rows);
}
