// A record that failed holds back its item, in order, and nothing else.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import test from 'node:test';
import { BatchWriteCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { Weir, eventually, program } from './lib/weir.mjs';

const file = (place, { condition = 'new.?bad.orValue(false) != true', quarantine = 'quarantine: key' } = {}) => `
tables:
  source: { key: { id: S }, stream: new_and_old_images }
  target: { key: { id: S } }
  history: { key: { id: S, n: N } }
  letters: { key: { pipeline: S, sequence: S } }
queues:
  letters: {}
pipelines:
  copy:
    source: { table: source, batch: 10 }
    steps:
      - require: ["${condition}"]
      - { id: target, put: { table: target, item: { id: "\${new.id}", n: "\${new.n}", was: "\${old.?n}" } } }
      - { id: history, put: { table: history, item: { id: "\${new.id}", n: "\${new.n}" } } }
    on_failure: { ${place}: letters }
    ${quarantine}
`;

const all = async (weir, TableName) => (await weir.docs.send(new ScanCommand({ TableName, ConsistentRead: true }))).Items;
const put = (weir, id, n, rest = {}) => weir.docs.send(new PutCommand({ TableName: 'source', Item: { id, n, ...rest } }));
const status = async (weir) => (await weir.request({ method: 'GET', path: '/v1/status' })).json.pipelines[0];
const idle = (weir) => eventually(async () => (await status(weir)).at_end, { timeout: 60_000 });
const held = async (weir) => (await status(weir)).quarantine ?? { keys: 0, records: 0 };
const heldIs = (weir, wanted) => eventually(async () =>
  JSON.stringify(await held(weir)) === JSON.stringify(wanted));
const seen = async (weir, id) => (await all(weir, 'history')).filter((item) => item.id === id).map(({ n }) => n);

function dlq(weir, ...args) {
  const { status: code, stdout, stderr } = spawnSync(program(), ['dlq', ...args, '--endpoint', weir.endpoint],
    { encoding: 'utf8' });
  assert.equal(code, 0, stderr);
  return stdout;
}

const page = (weir) => spawnSync(program(), ['status', '--endpoint', weir.endpoint], { encoding: 'utf8' }).stdout;

async function reconfigure(weir, text) {
  await weir.kill();
  await writeFile(weir.configFile, text);
  await weir.start();
}

for (const place of ['table', 'queue']) {
  test(`later records of the item wait, others go on, and a redrive heals it in order (${place})`, async () => {
    const weir = await new Weir({ config: file(place) }).start();
    try {
      await put(weir, 'a', 1);
      await put(weir, 'a', 2, { bad: true });
      for (let n = 3; n <= 30; n++) {
        await put(weir, 'a', n);
        await put(weir, 'b', n);
      }
      await idle(weir);
      assert.deepEqual(await seen(weir, 'a'), [1]);
      assert.equal((await seen(weir, 'b')).length, 28);
      assert.deepEqual(await held(weir), { keys: 1, records: 29 });
      assert.match(page(weir), /^copy: QUARANTINE: 29 records of 1 item held back, .*: weir dlq list copy$/m);
      await reconfigure(weir, file(place)); // nothing of it is only in memory
      await put(weir, 'a', 31);
      await idle(weir);
      assert.deepEqual(await held(weir), { keys: 1, records: 30 });
      dlq(weir, 'redrive', 'copy');
      await idle(weir);
      assert.deepEqual(await held(weir), { keys: 1, records: 30 }, 'it fails again, and holds them');
      assert.deepEqual(await seen(weir, 'a'), [1]);
      await reconfigure(weir, file(place, { condition: 'true' }));
      dlq(weir, 'redrive', 'copy');
      await heldIs(weir, { keys: 0, records: 0 });
      await idle(weir);
      assert.deepEqual(await seen(weir, 'a'), Array.from({ length: 31 }, (_, i) => i + 1));
      assert.deepEqual((await all(weir, 'target')).find(({ id }) => id === 'a'), { id: 'a', n: 31, was: 30 });
    } finally {
      await weir.close();
    }
  });

  test(`skipping a letter lets the rest go on; one that fails again holds what is behind it (${place})`, async () => {
    const weir = await new Weir({ config: file(place) }).start();
    try {
      for (let n = 1; n <= 9; n++) {
        await put(weir, 'a', n, n % 3 === 0 ? { bad: true } : {});
      }
      await idle(weir);
      assert.deepEqual(await seen(weir, 'a'), [1, 2]);
      for (const [wanted, left] of [[[1, 2, 4, 5], 4], [[1, 2, 4, 5, 7, 8], 1]]) {
        const letter = JSON.parse(dlq(weir, 'list', 'copy', '--json').split('\n')[0]);
        dlq(weir, 'skip', 'copy', letter.sequence);
        await heldIs(weir, { keys: 1, records: left });
        assert.deepEqual(await seen(weir, 'a'), wanted);
      }
      dlq(weir, 'purge', 'copy', '--yes');
      await heldIs(weir, { keys: 0, records: 0 });
      await put(weir, 'a', 10);
      await idle(weir);
      assert.deepEqual((await seen(weir, 'a')).at(-1), 10);
    } finally {
      await weir.close();
    }
  });
}

test('a failed record and later ones of its item may be in one batch', async () => {
  const weir = await new Weir({ config: file('table').replace('batch: 10', 'batch: 100, window: 300ms') }).start();
  try {
    for (let n = 1; n <= 10; n++) {
      await weir.docs.send(new BatchWriteCommand({ RequestItems: { source: ['a', 'b', 'c'].map((id) => (
        { PutRequest: { Item: { id, n, bad: id === 'b' && n === 4 } } })) } }));
    }
    await idle(weir);
    assert.deepEqual(await seen(weir, 'b'), [1, 2, 3]);
    assert.equal((await seen(weir, 'a')).length, 10);
    assert.deepEqual(await held(weir), { keys: 1, records: 7 });
    await reconfigure(weir, file('table', { quarantine: '' }));
    await heldIs(weir, { keys: 0, records: 0 });
    assert.deepEqual(await seen(weir, 'b'), [1, 2, 3, 5, 6, 7, 8, 9, 10]);
  } finally {
    await weir.close();
  }
});
