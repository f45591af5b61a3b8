// A backlog of 200,000 records worked off by the dashboard example's pipeline, its window set to 0.
// The source table is filled while there is no pipeline; then weir starts with it, and the clock
// runs from "listening" until the pipeline is at the end of the stream.

import { cpSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { marshall } from '@aws-sdk/util-dynamodb';
import { news } from '../examples/dashboard-projection/news.mjs';
import { DASHBOARD, SOURCE, derive } from '../examples/dashboard-projection/rules.mjs';
import {
  folder, median, processorMicroseconds, read, remove, result, sleep, startWeir, table,
} from './lib.mjs';

const RECORDS = Number(process.env.WEIR_BENCH_RECORDS ?? 200_000);
const ROUNDS = Number(process.env.WEIR_BENCH_ROUNDS ?? 3);
const POLL_MS = 20;
const CONFIG = read('examples/dashboard-projection/weir.yaml').replace('window: 5s', 'window: 0s');

// Replace a part of the configuration that must be there.
function replace(text, part, by) {
  if (!text.includes(part)) {
    throw new Error(`the example's weir.yaml has no ${part}`);
  }
  return text.replace(part, by);
}

const TARGET_INDEXES = `    indexes:
      by_tag: { tag: S, ingested_at: S }
      by_sentiment: { sentiment: S, ingested_at: S }
`;

// A new projection begins with a scan of its table; here it is to read the stream.
const BACKLOG = replace(CONFIG, 'concurrency: 10 }', 'concurrency: 10, start: oldest }');

const VARIANTS = [
  { name: 'filter drops all', config: replace(BACKLOG, '[analyzed]', '[never]'), derives: false },
  { name: 'no indexes', config: replace(BACKLOG, TARGET_INDEXES, ''), derives: true },
  { name: 'two indexes', config: BACKLOG, derives: true },
];

// Each news item once, in its analyzed version.
function versions() {
  const lives = news({ count: RECORDS, until: Date.UTC(2026, 0, 15), seed: 1 });
  const last = lives.map((life) => life.findLast((item) => item.status === 'analyzed' && item.score !== undefined)
    ?? { ...life[0], status: 'analyzed', sentiment: 'neutral', score: 0.5, text_snippet: '' });
  return last;
}

async function fill(dir) {
  const items = versions();
  const derived = items.reduce((sum, item) => sum + derive(item, 0).length, 0);
  const bytes = JSON.stringify(marshall(items[0], { removeUndefinedValues: true })).length;
  const server = await startWeir(dir, CONFIG.slice(0, CONFIG.indexOf(`  ${DASHBOARD}:`)));
  await server.load(SOURCE, items.map((item) => marshall(item, { removeUndefinedValues: true })));
  await server.stop();
  return { derived, bytes };
}

async function workOff(from, variant) {
  const dir = folder();
  cpSync(path.join(from, 'data'), path.join(dir, 'data'), { recursive: true });
  const server = await startWeir(dir, variant.config);
  const began = performance.now();
  let pipeline;
  for (;;) {
    [pipeline] = (await server.status()).pipelines;
    if (pipeline.at_end) {
      break;
    }
    await sleep(POLL_MS);
  }
  const time = (performance.now() - began) / 1000;
  const cpu = processorMicroseconds(server.child.pid) / RECORDS;
  await server.stop();
  remove(dir);
  const seen = pipeline.records + pipeline.filtered;
  if (seen !== RECORDS || pipeline.errors !== 0) {
    throw new Error(`${variant.name}: ${JSON.stringify(pipeline)}`);
  }
  return { time, cpu };
}

export async function run() {
  const dir = folder();
  mkdirSync(dir, { recursive: true });
  const { derived, bytes } = await fill(dir);
  const runs = new Map(VARIANTS.map((variant) => [variant, []]));
  for (let n = 0; n < ROUNDS; n++) {
    for (const variant of VARIANTS) {
      runs.get(variant).push(await workOff(dir, variant));
    }
  }
  rmSync(dir, { recursive: true });

  const rows = [];
  for (const variant of VARIANTS) {
    const time = median(runs.get(variant).map((one) => one.time));
    const cpu = median(runs.get(variant).map((one) => one.cpu));
    const puts = variant.derives ? derived : 0;
    rows.push([variant.name, time, RECORDS / time, puts / time, cpu]);
    result('backlog', { variant: variant.name, records: RECORDS, derived: puts, item_json_bytes: bytes,
      stream: 'new_and_old_images', rounds: ROUNDS, seconds: time, records_rate: RECORDS / time,
      puts_rate: puts / time, cpu_us: cpu });
  }
  table(`backlog of ${RECORDS} records of about ${bytes} bytes of JSON, stream of new and old images; projection to `
    + `${(derived / RECORDS).toFixed(2)} items a record; median of ${ROUNDS}`,
  ['variant', 'seconds', 'records/s', 'derived puts/s', 'cpu us/record'], rows);
}
