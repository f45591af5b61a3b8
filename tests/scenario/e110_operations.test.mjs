// What an operator sees and relies on: metrics, status, a pipeline that waits for its target, a stop.

import assert from 'node:assert/strict';
import test from 'node:test';
import { CreateTableCommand, DeleteTableCommand } from '@aws-sdk/client-dynamodb';
import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { Weir, eventually } from './lib/weir.mjs';

const config = `
tables:
  source:
    key: { id: S }
    stream: new_and_old_images
pipelines:
  copy:
    source: { table: source }
    steps:
      - require: [new.value]
      - put: { table: target, item: { id: "\${new.id}", value: "\${new.value}" } }
`;

const createTarget = (weir) => weir.db.send(new CreateTableCommand({
  TableName: 'target', BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }] }));
const put = (weir, id, value) => weir.docs.send(new PutCommand({ TableName: 'source', Item: { id, value } }));
const copied = async (weir) => (await weir.docs.send(new ScanCommand({ TableName: 'target' }))).Items
  .map(({ id }) => id).sort();
const status = async (weir) => (await weir.request({ method: 'GET', path: '/v1/status' })).json.pipelines[0];

test('a pipeline whose target is missing waits, says so, and goes on when it appears', async () => {
  const weir = await new Weir({ config }).start();
  try {
    await Promise.all(['a', 'b', 'c'].map((id) => put(weir, id, 1)));
    const blocked = await eventually(async () => {
      const now = await status(weir);
      return now.state === 'blocked' && now;
    });
    assert.match(blocked.reason, /Table: target not found/);
    await createTarget(weir);
    await eventually(async () => (await copied(weir)).length === 3);
    assert.deepEqual(await copied(weir), ['a', 'b', 'c']);
    await weir.db.send(new DeleteTableCommand({ TableName: 'target' }));
    await put(weir, 'd', 1);
    await eventually(async () => (await status(weir)).state === 'blocked');
    await createTarget(weir);
    await eventually(async () => (await copied(weir)).length === 1);
    assert.equal((await status(weir)).records, 4);
  } finally {
    await weir.close();
  }
});

test('metrics count what happened, and a failed record is logged and passed over', async () => {
  const weir = await new Weir({ config }).start();
  try {
    await createTarget(weir);
    await put(weir, 'good', 1);
    await weir.docs.send(new PutCommand({ TableName: 'source', Item: { id: 'bad' } }));
    await put(weir, 'fine', 2);
    await eventually(async () => (await status(weir)).records === 3);
    const { text } = await weir.request({ method: 'GET', path: '/metrics' });
    const value = (name) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
    assert.equal(value('weir_pipeline_records_total'), 3);
    assert.equal(value('weir_pipeline_errors_total'), 1);
    assert.equal(value('weir_pipeline_oldest_unprocessed_milliseconds'), 0);
    assert.ok(value('weir_commits_total') > 0);
    assert.match(text, /^weir_commit_group_size_bucket\{le="1"\} \d+$/m);
    assert.match(text, /^weir_log_sync_seconds_count\{\} [1-9]/m);
    assert.match(text, /^weir_requests_total\{op="PutItem"\} 3$/m);
    assert.match(weir.output, /pipeline\.record_failed .*event_id=[0-9a-f]{32}.*"bad/);
    assert.deepEqual(await copied(weir), ['fine', 'good']);
  } finally {
    await weir.close();
  }
});

test('a stop in the middle of work loses nothing and repeats nothing', async () => {
  const weir = await new Weir({ config }).start();
  try {
    await createTarget(weir);
    const written = [];
    for (let round = 0; round < 4; round++) {
      const ids = Array.from({ length: 50 }, (_, i) => `r${round}-${i}`);
      const results = await Promise.allSettled([
        ...ids.map((id) => put(weir, id, round).then(() => written.push(id))),
        new Promise((resolve) => setImmediate(resolve)).then(() => round < 3 && weir.restart()),
      ]);
      assert.equal(results.at(-1).status, 'fulfilled');
    }
    await eventually(async () => (await copied(weir)).length >= written.length);
    assert.deepEqual((await copied(weir)).filter((id) => written.includes(id)), written.sort());
  } finally {
    await weir.close();
  }
});
