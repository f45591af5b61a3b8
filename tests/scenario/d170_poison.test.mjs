// One poison record among many: it alone fails, with its content; everything else is projected once and in order, and does
// not wait for it; after a fix the projection is as if nothing had happened. WEIR_POISON_RECORDS=100000 makes it the long run.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import test from 'node:test';
import { BatchWriteCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { elsewhere, Weir, eventually, program } from './lib/weir.mjs';

const RECORDS = Number(process.env.WEIR_POISON_RECORDS ?? 4000);
const KEYS = RECORDS / 20;

const file = (price) => `
tables:
  source: { key: { id: S }, stream: new_and_old_images }
  view: { key: { id: S } }
queues:
  letters: {}
pipelines:
  view:
    source: { table: source, batch: 100, concurrency: 10 }
    steps:
      - require: [new.version]
      - project:
          table: view
          items:
            - { id: "\${new.id}", version: "\${new.version}", price: "\${${price}}" }
            - { each: new.tags, as: tag, id: "\${new.id}#\${tag}", version: "\${new.version}" }
    on_failure: { queue: letters }
    quarantine: key
`;

const item = (i) => {
  const version = Math.floor(i / KEYS);
  return { id: `k${i % KEYS}`, version, price: i === Math.floor(RECORDS / 2) + 7 ? 'poison' : i % 100,
    tags: [`t${i % 3}`, `u${version % 2}`] };
};

async function scan(weir, TableName) {
  const all = new Map();
  for (let ExclusiveStartKey; ;) {
    const page = await weir.docs.send(new ScanCommand({ TableName, ExclusiveStartKey }));
    page.Items.forEach((found) => all.set(found.id, found));
    ExclusiveStartKey = page.LastEvaluatedKey;
    if (!ExclusiveStartKey) {
      return all;
    }
  }
}

const status = async (weir) => (await weir.request({ method: 'GET', path: '/v1/status' })).json.pipelines[0];
const dlq = (weir, ...args) => {
  const { status: code, stdout, stderr } = spawnSync(program(), ['dlq', ...args, '--endpoint', weir.endpoint],
    { encoding: 'utf8' });
  assert.equal(code, 0, stderr);
  return stdout;
};

// What the view must be when of each item the newest version counts, but for those that wait.
function wanted(last) {
  const view = new Map();
  for (let k = 0; k < KEYS; k++) {
    const { id, version, price, tags } = item(last(k));
    view.set(id, { id, version, price: price === 'poison' ? 12 : price * 2 });
    tags.forEach((tag) => view.set(`${id}#${tag}`, { id: `${id}#${tag}`, version }));
  }
  return view;
}

test(`one poison record in ${RECORDS}`, { skip: elsewhere, timeout: 1_800_000 }, async (t) => {
  const weir = await new Weir({ config: file('new.price * 2') }).start();
  try {
    let worst = 0;
    for (let i = 0; i < RECORDS; i += 100) { // rounds of 100 items, no item twice in one
      await Promise.all([0, 25, 50, 75].map((from) => weir.docs.send(new BatchWriteCommand({ RequestItems: {
        source: [...Array(25)].map((_, n) => ({ PutRequest: { Item: item(i + from + n) } })) } }))));
      worst = Math.max(worst, (await status(weir)).oldest_unprocessed_ms);
    }
    await eventually(async () => (await status(weir)).at_end, { timeout: 600_000 });
    t.diagnostic(`the oldest unprocessed record was at most ${worst} ms old`);
    const poison = Math.floor(RECORDS / 2) + 7;
    const letters = dlq(weir, 'list', 'view', '--json').trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(letters.length, 1);
    const shown = JSON.parse(dlq(weir, 'show', 'view', letters[0].sequence, '--json'));
    assert.match(JSON.stringify(shown), /poison/);
    const last = RECORDS - KEYS;
    assert.deepEqual(await scan(weir, 'view'),
      wanted((k) => (k === poison % KEYS ? poison - KEYS : last + k)));
    await weir.kill();
    await writeFile(weir.configFile, file("type(new.price) == string ? decimal('12') : new.price * 2"));
    await weir.start();
    dlq(weir, 'redrive', 'view');
    await eventually(async () => (await status(weir)).quarantine === undefined && (await status(weir)).at_end,
      { timeout: 60_000 });
    assert.deepEqual(await scan(weir, 'view'), wanted((k) => last + k));
    assert.equal(dlq(weir, 'list', 'view', '--json'), '');
  } finally {
    await weir.close();
  }
});
