// Writes readings with the AWS SDK, or into files for `weir test` and `weir simulate`.
//
//   node generate.mjs                    two weeks of history, then live readings
//     --live 8 --every 2500              how many live ones, and how many milliseconds apart
//     --user ada --seed 1
//   node generate.mjs --records FOLDER   day.jsonl, backfill.jsonl and treatments.jsonl
//
// Live readings have the shape of five minutes each, from noon on, and the time at which they are
// written.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { BatchWriteCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { connect, ENDPOINT } from './clients.mjs';
import { DAY_MS, glucose, item, readings, SENSOR_MS, treatments } from './glucose.mjs';

const BATCH = 25;
const HISTORY_MS = 14 * DAY_MS;
const RECORDED_DAY = Date.UTC(2026, 0, 15);
const TABLE = 'SignageTable';

const { values: options } = parseArgs({ options: {
  user: { type: 'string', default: 'ada' }, seed: { type: 'string', default: '1' },
  live: { type: 'string', default: '8' }, every: { type: 'string', default: '2500' }, records: { type: 'string' },
} });
const who = { user: options.user, seed: Number(options.seed) };

// Lines that come at their own time, or (without one) at once.
function write(name, items, timed) {
  const lines = [...items].map((one) => JSON.stringify({
    new: one, ...(timed && { at: new Date(one.timestamp).toISOString() }) }));
  writeFileSync(path.join(options.records, name), `${lines.join('\n')}\n`);
  console.log(`${name}: ${lines.length} lines`);
}

function writeRecords() {
  const day = { ...who, from: RECORDED_DAY, to: RECORDED_DAY + DAY_MS };
  write('day.jsonl', readings(day), true);
  write('backfill.jsonl', readings({ ...who, from: RECORDED_DAY - HISTORY_MS, to: RECORDED_DAY }), false);
  const all = [...readings(day), ...treatments(day)].sort((a, b) => a.timestamp - b.timestamp);
  write('treatments.jsonl', all, true);
}

async function backfill(docs) {
  const to = Math.floor(Date.now() / SENSOR_MS) * SENSOR_MS - 3 * SENSOR_MS;
  const history = [...readings({ ...who, from: to - HISTORY_MS, to })];
  for (let at = 0; at < history.length; at += BATCH) {
    let requests = { [TABLE]: history.slice(at, at + BATCH).map((Item) => ({ PutRequest: { Item } })) };
    while (Object.keys(requests).length) {
      requests = (await docs.send(new BatchWriteCommand({ RequestItems: requests }))).UnprocessedItems ?? {};
    }
  }
  return history.length;
}

async function analyses(docs) {
  const { Items } = await docs.send(new QueryCommand({
    TableName: 'analyses', KeyConditionExpression: '#user = :user', ConsistentRead: true,
    ExpressionAttributeNames: { '#user': 'user' }, ExpressionAttributeValues: { ':user': who.user } }));
  return Items;
}

// Ask until the analyses stand for so many readings.
async function analysed(docs, count, limitMs = 30_000) {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await analyses(docs);
    if (found.reduce((sum, one) => sum + one.readings, 0) >= count) {
      return found;
    }
    if (performance.now() > end) {
      throw new Error(`${count} readings were not analysed within ${limitMs / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function main() {
  const docs = connect();
  const known = (await analyses(docs)).length;
  console.log(`${await backfill(docs)} readings of the two weeks past, to ${ENDPOINT}`);
  const live = Number(options.live);
  const noon = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2;
  for (let n = 0; n < live; n++) {
    const began = performance.now();
    const value = glucose(who.seed, noon + n * SENSOR_MS);
    await docs.send(new PutCommand({ TableName: TABLE, Item: item(who.user, 'CGM', Date.now(), { value }) }));
    const found = await analysed(docs, known + n + 1);
    console.log(`reading ${String(n + 1).padStart(2)}: ${String(value).padStart(3)} mg/dL, `
      + `analysed ${Math.round(performance.now() - began)} ms later, ${found.length - known} analyses`);
    if (n + 1 < live) {
      await new Promise((resolve) => setTimeout(resolve, Number(options.every)));
    }
  }
  const runs = (await analyses(docs)).length - known;
  console.log(`${runs} analyses: one for each of the ${live} live readings, none for the two weeks`);
  process.exitCode = runs === live ? 0 : 1;
}

if (options.records) {
  writeRecords();
} else {
  await main();
}
