// weir simulate: what a configuration would have done with a day of changes, its alarms and its cost.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { runCli } from './lib/cli.mjs';

const CONFIG = `tables:
  orders: { key: { id: S }, stream: new_and_old_images, ttl: until }
  copies: { key: { id: S }, indexes: { by_state: { state: S } } }
queues:
  mail: {}
pipelines:
  copy:
    source: { table: orders, window: 5s }
    filter: { eventName: [INSERT, MODIFY] }
    steps:
      - put: { table: copies, item: { id: "\${keys.id}", state: "\${new.state}" } }
      - send: { queue: mail, body: "\${keys.id}" }
alarms:
  errors:
    metric: weir_pipeline_errors_total
    labels: { pipeline: copy }
    statistic: rate
    period: 60s
    above: 0
    missing: not_breaching
    actions: [log]
`;

const DAY_MS = 24 * 3600 * 1000;
const START_MS = Date.parse('2026-01-15T00:00:00Z');
let folder;

// A change every minute of a day; those of one hour lack what the pipeline needs.
const lines = Array.from({ length: 24 * 60 }, (_, i) => {
  const wrong = i >= 600 && i < 660;
  return JSON.stringify({
    new: { id: `o-${i}`, ...(wrong ? {} : { state: 'paid' }), until: (START_MS + (i + 60) * 60000) / 1000 },
    at: new Date(START_MS + i * 60000).toISOString(),
  });
});

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'weir-simulate-'));
  await writeFile(path.join(folder, 'weir.yaml'), CONFIG);
  await writeFile(path.join(folder, 'day.jsonl'), lines.join('\n'));
});
after(() => rm(folder, { recursive: true }));

const simulate = (...args) => runCli(undefined, ['simulate', ...args], { cwd: folder });

test('a day: runs, writes, sends, expiry, alarms and cost', async () => {
  const { code, out, err } = await simulate('day.jsonl', '--json', '--speed', 'max');
  assert.deepEqual([code, err], [0, '']);
  const said = JSON.parse(out);
  assert.equal(said.start, '2026-01-15T00:00:00.000Z');
  assert.equal(Date.parse(said.end), START_MS + DAY_MS - 60000 + 10 * 60000);
  assert.deepEqual([said.lines, said.changes, said.failed, said.out_of_order], [1440, 1440, 0, 0]);
  const [copy] = said.pipelines;
  // An item expires an hour after it was written: the REMOVE of each is filtered.
  const expired = 1440 - 60 + 9 + 1;
  assert.deepEqual([copy.records, copy.errors, copy.batches, copy.at_end], [1440, 60, 1440, true]);
  assert.equal(copy.filtered, expired);
  assert.deepEqual(said.tables.map(({ name, fed, written, expired: gone }) => [name, fed, written, gone]), [
    ['copies', 0, 1380, 0], ['orders', 1440, 0, expired],
  ]);
  assert.deepEqual(said.queues, [{ name: 'mail', sent: 1380 }]);
  assert.deepEqual(said.alarms.map(({ name, times, first }) => [name, times, first]),
    [['errors', 1, '2026-01-15T10:01:00.000Z']]);
  assert.ok(Math.abs(said.alarms[0].in_alarm_ms - 3600000) <= 120000);
  const cost = Object.fromEntries(said.cost.items.map((one) => [one.what, one]));
  // One unit a write of an order; two a copy, which has an index.
  assert.equal(cost['writes to tables'].count, 1440 + 2 * 1380);
  assert.ok(Math.abs(cost['writes to tables'].cost - (1440 + 2 * 1380) * 0.625e-6) < 1e-9);
  assert.ok(Math.abs(cost['requests to queues'].cost - 1380 * 0.4e-6) < 1e-9);
  assert.equal(cost['batches as function runs'].count, 1440);
});

test('the same for people, the same every time', async () => {
  const outcomes = new Set();
  for (let i = 0; i < 3; i++) {
    const { out } = await simulate('day.jsonl');
    outcomes.add(out.replace(/simulated in [\d.]+ s/, ''));
  }
  assert.equal(outcomes.size, 1);
  const [text] = outcomes;
  assert.match(text, /\(24 h 9 min\), : 1440 changes from 1440 lines\n/);
  assert.match(text, /^copy +1440 +1440 +\d+ +60 +0 +0 +running$/m);
  assert.match(text, /^mail +1380$/m);
  assert.match(text, /^errors +1 +2026-01-15T10:01:00\.000Z +/m);
  assert.match(text, /^together +0\.00\d+ USD$/m);
});

test('prices of one\'s own, and how long it goes on', async () => {
  await writeFile(path.join(folder, 'prices.yaml'), 'currency: EUR\ntable_write: 1000000\nrun_duration: 1s\nrun_memory: 1GiB\n');
  const said = JSON.parse((await simulate('day.jsonl', '--json', '--prices', 'prices.yaml', '--after', '2h')).out);
  assert.equal(said.cost.currency, 'EUR');
  assert.equal(said.cost.items[0].cost, 1440 + 2 * 1380);
  assert.equal(said.cost.items.find(({ unit }) => unit === 'GB-s').count, 1440);
  assert.equal(Date.parse(said.end), START_MS + DAY_MS - 60000 + 2 * 3600000);
  assert.equal(said.tables[1].expired, 1440);
});

test('functions: what stands in for them, how long they take, and what they and reads cost', async () => {
  await writeFile(path.join(folder, 'functions.weir.yaml'), `tables:
  orders: { key: { id: S }, stream: new_and_old_images }
  scores: { key: { id: S } }
  states: { key: { state: S, id: S } }
queues:
  mail: {}
functions:
  score: { runtime: node, handler: score.handler, timeout: 3s, memory: 1GiB }
  other: { url: "https://scores.example.com/" }
pipelines:
  score:
    source: { table: orders, batch: 1 }
    retry: { retries: 5, backoff: [1s] }
    steps:
      - invoke: { function: score, payload: { id: "\${keys.id}" }, result: answer }
      - invoke: { function: other, payload: { id: "\${keys.id}" } }
      - put: { table: scores, item: { id: "\${keys.id}", score: "\${answer.score}" } }
      - send: { queue: mail, body: "\${keys.id}" }
  by_state:
    source: { table: orders, start: oldest }
    steps:
      - project: { table: states, items: [{ state: "\${new.state}", id: "\${keys.id}" }] }
  post:
    source: { queue: mail, batch: 10 }
    steps: [{ invoke: { function: other } }]
`);
  await writeFile(path.join(folder, 'score.mjs'), 'export const handler = () => { throw new Error("not here"); };\n');
  await writeFile(path.join(folder, 'functions.yaml'), 'score: { returns: { score: 7 }, takes: 2s, fails: 2 }\n');
  await writeFile(path.join(folder, 'ten.jsonl'), lines.slice(0, 10).join('\n'));
  const args = ['ten.jsonl', '-c', 'functions.weir.yaml', '--functions', 'functions.yaml'];
  const { out, err } = await simulate(...args, '--json');
  assert.equal(err, '');
  const said = JSON.parse(out);
  assert.deepEqual(said.functions, [
    { name: 'score', runs: 12, failed: 2, duration_ms: 24_000 },
    { name: 'other', runs: 20, failed: 0, duration_ms: 2000 },
  ]);
  assert.equal(said.tables.find(({ name }) => name === 'scores').written, 10);
  const counts = Object.fromEntries(said.cost.items.map(({ what, count }) => [what, count]));
  assert.equal(counts['runs of functions'], 32);
  assert.equal(counts['batches as function runs'], 10); // of the view
  assert.equal(counts['their memory and time'], 24 + 2 * 0.5 + 10 * 0.1 / 8);
  assert.equal(counts['reads of tables'], 10);
  assert.equal(counts['requests to queues'], 10 + 20);
  const cost = Object.fromEntries(said.cost.items.map((one) => [one.what, one.cost]));
  assert.ok(Math.abs(cost['reads of tables'] - 10 * 0.125e-6) < 1e-9);
  const people = await simulate(...args);
  assert.match(people.out, /^score +12 +2 +24\.000 s$/m);
  await writeFile(path.join(folder, 'wrong.yaml'), 'score: { answers: 1 }\n');
  const wrong = await simulate(...args.slice(0, -1), 'wrong.yaml');
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /wrong\.yaml:1:10: error: unknown option 'answers'/);
  await writeFile(path.join(folder, 'wrong.yaml'), 'scroe: {}\n');
  assert.match((await simulate(...args.slice(0, -1), 'wrong.yaml')).err, /wrong\.yaml: weir\.yaml has no function 'scroe'/);
});

test('records of a stream that has expired items itself', async () => {
  const removed = (ttl) => JSON.stringify({
    eventName: 'REMOVE',
    ...(ttl && { userIdentity: { type: 'Service', principalId: 'dynamodb.amazonaws.com' } }),
    dynamodb: { ApproximateCreationDateTime: (START_MS + DAY_MS) / 1000, Keys: { id: { S: 'o-1' } } },
  });
  await writeFile(path.join(folder, 'expired.jsonl'), `${lines[1]}\n${removed(true)}\n`);
  const [, orders] = JSON.parse((await simulate('expired.jsonl', '--json')).out).tables;
  assert.deepEqual([orders.fed, orders.expired], [1, 1]);
  await writeFile(path.join(folder, 'removed.jsonl'), `${lines[1]}\n${removed(false)}\n`);
  const { tables } = JSON.parse((await simulate('removed.jsonl', '--json')).out);
  assert.deepEqual([tables[1].fed, tables[1].expired], [2, 1]);
});

test('what is wrong is told', async () => {
  await writeFile(path.join(folder, 'wrong.jsonl'), `${lines[0]}\nnot json\n{"new": {"id": 5}}\n`);
  const wrong = await simulate('wrong.jsonl');
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /weir: line 2: .*\nweir: line 3: .*Type mismatch/);
  assert.match(wrong.out, /1 changes from 3 lines, 2 lines with errors/);
  await writeFile(path.join(folder, 'prices.yaml'), 'table_write: much\n');
  assert.match((await simulate('day.jsonl', '--prices', 'prices.yaml')).err, /prices\.yaml:1:14: error: 'table_write' must be a price/);
  assert.equal((await simulate('day.jsonl', '--speed', '10')).code, 2);
  assert.equal((await simulate('day.jsonl', '--after', 'soon')).code, 2);
  assert.equal((await simulate('nowhere.jsonl')).code, 1);
  await writeFile(path.join(folder, 'empty.jsonl'), '');
  assert.match((await simulate('empty.jsonl')).err, /nothing to simulate/);
});
