// Steps that put events off: one run for a burst, nothing lost by kill -9, and weir timers.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import test from 'node:test';
import { DeleteCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { Weir, eventually, eventuallyIs, program } from './lib/weir.mjs';
import { seeded } from './lib/tables.mjs';

const tables = `
tables:
  recipes: { key: { id: S }, stream: new_and_old_images }
  ingredients: { key: { id: S }, stream: new_and_old_images }
  runs: { key: { id: S } }
`;
const debounce = (period, rest = '') => `${tables}
pipelines:
  analytics:
    source: { tables: [recipes, ingredients], concurrency: 8 }
    steps:
      - debounce: { period: ${period}${rest} }
      - put:
          table: runs
          item:
            id: "\${burst.key}@\${string(burst.due)}"
            count: "\${burst.count}"
            first: "\${burst.first.keys.id}"
            last: "\${burst.last.keys.id}"
            event: "\${burst.last.event}"
`;

const put = (weir, TableName, id, n = 0) => weir.docs.send(new PutCommand({ TableName, Item: { id, n } }));
const runs = async (weir) => (await weir.docs.send(new ScanCommand({ TableName: 'runs' }))).Items;
const cli = (weir, ...args) => {
  const result = spawnSync(program(), ['timers', '-e', weir.endpoint, ...args], { encoding: 'utf8' });
  assert.equal(result.error, undefined);
  return result;
};
const listed = (weir, ...args) => JSON.parse(cli(weir, ...args, '--json').stdout).timers;

test('a burst of a thousand changes of two tables is one run', async () => {
  const weir = await new Weir({ config: debounce('1h') }).start();
  try {
    await put(weir, 'recipes', 'first');
    await Promise.all(Array.from({ length: 998 }, (_, i) => put(weir, i % 2 ? 'recipes' : 'ingredients', `i${i % 50}`, i)));
    await weir.docs.send(new DeleteCommand({ TableName: 'recipes', Key: { id: 'first' } }));
    await eventually(() => listed(weir)[0]?.count === 1000);
    assert.equal((await runs(weir)).length, 0);
    const [pending] = listed(weir);
    assert.deepEqual([pending.pipeline, pending.step, pending.key, pending.count, pending.state],
      ['analytics', 'debounce', '', 1000, 'pending']);
    assert.ok(Date.parse(pending.due) - Date.parse(pending.since) >= 3600_000);
    cli(weir, 'fire', 'analytics', 'debounce');
    const [run] = await eventually(async () => { const all = await runs(weir); return all.length && all; });
    assert.deepEqual([run.count, run.first, run.last, run.event], [1000, 'first', 'first', 'REMOVE']);
    assert.deepEqual(listed(weir), []);
    assert.equal((await runs(weir)).length, 1);
  } finally {
    await weir.close();
  }
});

test('kill -9 loses no change and repeats no run', async () => {
  const weir = await new Weir({ config: debounce('300ms', ', max_wait: 1s, key: "keys.id.substring(0, 1)"') }).start();
  const random = seeded(7);
  let acknowledged = 0;
  let attempted = 0;
  try {
    for (let life = 0; life < 6; life++) {
      const wanted = acknowledged + 20;
      const killed = new Promise((resolve) => setTimeout(resolve, 300 + random() * 500))
        .then(() => eventually(() => acknowledged >= wanted)).then(() => weir.kill());
      const write = async () => {
        for (;;) {
          attempted++;
          try {
            await put(weir, random() < 0.5 ? 'recipes' : 'ingredients', `${'abc'[Math.floor(random() * 3)]}${attempted % 20}`, attempted);
          } catch {
            return;
          }
          acknowledged++;
        }
      };
      await Promise.all([killed, ...Array.from({ length: 4 }, write)]);
      await weir.start();
    }
    await eventually(() => listed(weir).length === 0, { what: 'the last run' });
    const counted = (await runs(weir)).reduce((sum, { count }) => sum + count, 0);
    assert.ok(counted >= acknowledged && counted <= attempted, `${counted} of ${acknowledged} acknowledged, ${attempted} attempted`);
    assert.ok(acknowledged > 100);
  } finally {
    await weir.close();
  }
});

test('what came due while weir was down runs once, after its start', async () => {
  const weir = await new Weir({ config: debounce('1s') }).start();
  try {
    await put(weir, 'recipes', 'a');
    await put(weir, 'ingredients', 'b');
    const [{ due }] = await eventually(() => { const all = listed(weir); return all[0]?.count === 2 && all; });
    await weir.kill();
    await new Promise((resolve) => setTimeout(resolve, Date.parse(due) - Date.now() + 50));
    await weir.start();
    const all = await eventually(async () => { const found = await runs(weir); return found.length && found; });
    assert.deepEqual(all.map(({ count }) => count), [2]);
    await weir.kill();
    await weir.start();
    await put(weir, 'recipes', 'c');
    const both = await eventually(async () => { const found = await runs(weir); return found.length === 2 && found; });
    assert.deepEqual(both.map(({ count }) => count).sort(), [1, 2]);
  } finally {
    await weir.close();
  }
});

test('weir timers lists, fires and cancels', async () => {
  const weir = await new Weir({ config: debounce('1h', ', key: keys.id') }).start();
  try {
    assert.equal(cli(weir).stdout, 'nothing is put off\n');
    await put(weir, 'recipes', 'soup & bread');
    await put(weir, 'recipes', 'cake');
    await eventually(() => listed(weir).length === 2);
    assert.match(cli(weir, 'analytics').stdout,
      /^PIPELINE +STEP +KEY +COUNT +SINCE +DUE +STATE\nanalytics +debounce +cake +1 +\S+Z +\S+Z +pending\nanalytics +debounce +soup & bread +1 /);
    assert.match(cli(weir, '--limit', '1').stdout, /and more: /);
    assert.equal(cli(weir, 'fire', 'analytics', 'debounce', 'soup & bread').stdout, '1 fired\n');
    await eventually(async () => (await runs(weir)).length === 1);
    assert.equal(cli(weir, 'cancel', 'analytics', 'debounce').stdout, '1 cancelled\n');
    assert.deepEqual(listed(weir), []);
    const none = cli(weir, 'cancel', 'analytics', 'debounce');
    assert.equal(none.status, 1);
    assert.match(none.stderr, /step 'debounce' of pipeline 'analytics' has put nothing off/);
    assert.match(cli(weir, 'fire', 'analytics').stderr, /the step is missing/);
    assert.match(cli(weir, 'fire', 'other', 'debounce').stderr, /no pipeline 'other' runs/);
    assert.match((await runs(weir))[0].id, /^soup & bread@/);
  } finally {
    await weir.close();
  }
});

test('a pipeline that has gone from weir.yaml leaves its timers to be seen', async () => {
  const weir = await new Weir({ config: debounce('1h') }).start();
  try {
    await put(weir, 'recipes', 'a');
    await eventually(() => listed(weir).length === 1);
    await weir.stop();
    await writeFile(weir.configFile, tables);
    await weir.start();
    assert.equal(listed(weir)[0].state, 'detached');
    assert.match(cli(weir, 'fire', 'analytics', 'debounce').stderr, /can only be cancelled/);
    assert.equal(cli(weir, 'cancel', 'analytics', 'debounce').stdout, '1 cancelled\n');
  } finally {
    await weir.close();
  }
});

test('a cooldown drops or holds back, and outlives kill -9', async () => {
  const weir = await new Weir({ config: `${tables}
pipelines:
  analysis:
    source: { table: recipes, concurrency: 1 }
    steps:
      - cooldown: { period: 2s, trailing: true }
      - put: { table: runs, item: { id: "\${keys.id}", held: "\${held.count}" } }
` }).start();
  try {
    await put(weir, 'recipes', 'a');
    await eventually(async () => (await runs(weir)).length === 1);
    await put(weir, 'recipes', 'b');
    await put(weir, 'recipes', 'c');
    const [{ due }] = await eventuallyIs(() => listed(weir), ([first]) => first?.count === 2);
    await weir.kill();
    await weir.start();
    const early = await runs(weir);
    assert.ok(early.length === 1 || Date.now() >= Date.parse(due), 'what is held back came too early');
    await eventually(async () => (await runs(weir)).length === 2);
    assert.deepEqual((await runs(weir)).sort((x, y) => x.held - y.held), [{ id: 'a', held: 0 }, { id: 'c', held: 2 }]);
  } finally {
    await weir.close();
  }
});

test('weir check says what is wrong with periods and keys', async () => {
  const weir = await new Weir({ config: tables }).start();
  await writeFile(weir.configFile, `${tables}
pipelines:
  wrong:
    source: { table: recipes }
    steps:
      - let: { user: "\${new.user}" }
      - debounce: { period: 0s }
      - id: other
        debounce: { period: 5m, max_wait: 1m, key: "1 + 1", as: twice }
      - cooldown: { period: 1m, leading: false }
      - log: "\${user}"
`);
  const { stderr, stdout } = spawnSync(program(), ['check', '-c', weir.configFile], { encoding: 'utf8' });
  const text = stderr + stdout;
  assert.match(text, /error: .*period/);
  assert.match(text, /error: max_wait is shorter than the period/);
  assert.match(text, /warning: this key is the same for every record/);
  assert.match(text, /error: with neither `leading` nor `trailing` no event would ever go on/);
  assert.match(text, /error: 'user' is not known here: behind a debounce/);
  await weir.close();
});
