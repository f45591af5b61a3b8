// A record that cannot be processed is kept, whole, and everything else goes on.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { PutCommand, QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { Weir, eventually, program } from './lib/weir.mjs';

const tables = `
tables:
  source: { key: { id: S }, stream: new_and_old_images }
  target: { key: { id: S } }
`;
const pipelines = `
pipelines:
  copy:
    source: { table: source }
    steps:
      - put: { table: target, item: { id: "\${new.id}", twice: "\${new.value * 2}" } }
    on_failure: { table: letters }
`;
const letters = '  letters: { key: { pipeline: S, sequence: S } }\n';

const put = (weir, Item) => weir.docs.send(new PutCommand({ TableName: 'source', Item }));
const metric = async (weir, name) => Number(new RegExp(`^weir_pipeline_${name}\\{pipeline="copy"\\} (\\d+)$`, 'm').exec(
  (await weir.request({ method: 'GET', path: '/metrics' })).text)?.[1]);
const all = async (weir, TableName) => (await weir.docs.send(new ScanCommand({ TableName }))).Items;

test('a poison record among many ends in the dead letters with its content, and it alone', async () => {
  const weir = await new Weir({ config: tables + letters + pipelines }).start();
  try {
    await Promise.all(Array.from({ length: 100 }, (_, i) => put(weir, { id: `i${i}`, value: i === 42 ? 'poison' : i })));
    await eventually(async () => (await all(weir, 'target')).length === 99 && (await all(weir, 'letters')).length === 1);
    const { Items: [letter] } = await weir.docs.send(new QueryCommand({
      TableName: 'letters', KeyConditionExpression: 'pipeline = :p', ExpressionAttributeValues: { ':p': 'copy' } }));
    assert.match(letter.error, /^put to target: twice: /);
    assert.match(letter.fingerprint, /^[0-9a-f]{16}$/);
    assert.equal(letter.table, 'source');
    assert.equal(letter.event_name, 'INSERT');
    assert.deepEqual(letter.keys, { id: 'i42' });
    const { Records: [record, ...none] } = JSON.parse(letter.payload);
    assert.deepEqual(none, []);
    assert.equal(record.eventID, letter.event_id);
    assert.equal(record.dynamodb.SequenceNumber, letter.sequence);
    assert.equal(letter.step, 'put');
    assert.equal(letter.requestContext.condition, 'RecordRejected');
    assert.equal(letter.DDBStreamBatchInfo.startSequenceNumber, letter.sequence);
    assert.deepEqual(record.dynamodb.NewImage, { id: { S: 'i42' }, value: { S: 'poison' } });
    assert.deepEqual((await all(weir, 'target')).find(({ id }) => id === 'i42'), undefined);
    assert.equal(await metric(weir, 'dead_letters'), 1);
    assert.equal(await metric(weir, 'dead_letters_total'), 1);
    await weir.kill();
    await weir.start();
    await put(weir, { id: 'later', value: 1 });
    await eventually(async () => (await all(weir, 'target')).length === 100);
    assert.equal((await all(weir, 'letters')).length, 1);
    assert.equal(await metric(weir, 'dead_letters'), 1, 'counted again after a restart');
    assert.ok((await metric(weir, 'oldest_dead_letter_seconds')) < 600);
  } finally {
    await weir.close();
  }
});

test('a letter is processed again, unless its item has moved on', async () => {
  // The pipeline multiplies with what `factors` says; a restart with a mended file is the fix.
  const config = (twice) => tables + letters + pipelines.replace('${new.value * 2}', twice);
  const weir = await new Weir({ config: config('${new.value * 2}') }).start();
  const redrive = (query) => weir.request({ method: 'POST', path: `/v1/redrive?pipeline=copy${query}` });
  const redriven = async (query) => {
    const { time, ...counts } = (await redrive(query)).json;
    assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    return counts;
  };
  try {
    await put(weir, { id: 'a', value: 'one' });
    await put(weir, { id: 'b', value: 'two' });
    await eventually(async () => (await all(weir, 'letters')).length === 2);
    const before = (await all(weir, 'letters')).map(({ timestamp: at }) => at);
    assert.deepEqual(await redriven(''), { given: 2, stale: 0 });
    await eventually(async () => (await all(weir, 'letters')).every(({ timestamp: at }) => !before.includes(at)));
    assert.equal((await all(weir, 'letters')).length, 2, 'what fails again stays');

    await weir.stop();
    await writeFile(weir.configFile, config('${new.value}${new.value}'));
    await weir.start();
    await put(weir, { id: 'b', value: 'three' });
    await eventually(async () => (await all(weir, 'target')).length === 1);
    const [{ sequence }] = (await all(weir, 'letters')).filter(({ keys }) => keys.id === 'a');
    assert.deepEqual(await redriven(`&sequence=${sequence}`), { given: 1, stale: 0 });
    await eventually(async () => (await all(weir, 'letters')).length === 1);
    assert.deepEqual(await redriven(''), { given: 0, stale: 1 });
    const items = await all(weir, 'target');
    assert.deepEqual(items.sort((x, y) => x.id.localeCompare(y.id)), [
      { id: 'a', twice: 'oneone' }, { id: 'b', twice: 'threethree' }]);
    assert.deepEqual(await redriven('&stale=true'), { given: 1, stale: 0 });
    await eventually(async () => (await all(weir, 'letters')).length === 0);
    assert.equal(await metric(weir, 'dead_letters'), 0);
    assert.equal(await metric(weir, 'oldest_dead_letter_seconds'), 0);
    assert.equal((await redrive(`&sequence=${sequence}`)).status, 404);
    assert.equal((await weir.request({ method: 'POST', path: '/v1/redrive?pipeline=none' })).status, 404);
  } finally {
    await weir.close();
  }
});

test('a record that is larger than an item loses images, says so, and is not redriven', async () => {
  const weir = await new Weir({ config: tables + letters + pipelines }).start();
  try {
    const long = 'x'.repeat(250_000);
    await put(weir, { id: 'a', value: 1, long: `${long}1` });
    await put(weir, { id: 'a', value: 'poison', long });
    await eventually(async () => (await all(weir, 'letters')).length === 1);
    const [letter] = await all(weir, 'letters');
    assert.equal(letter.incomplete, true);
    const { Records: [{ dynamodb }] } = JSON.parse(letter.payload);
    assert.equal(dynamodb.OldImage, undefined);
    assert.equal(dynamodb.NewImage.long.S, long);
    const answer = await weir.request({ method: 'POST', path: `/v1/redrive?pipeline=copy&sequence=${letter.sequence}` });
    assert.equal(answer.status, 400);
    assert.match(answer.json.message, /cannot be processed: it does not hold the whole record/);
    assert.equal((await all(weir, 'letters')).length, 1);
  } finally {
    await weir.close();
  }
});

test('without its table a dead letter waits rather than being lost', async () => {
  const weir = await new Weir({ config: tables + pipelines }).start();
  try {
    await put(weir, { id: 'bad', value: 'poison' });
    const status = async () => (await weir.request({ method: 'GET', path: '/v1/status' })).json.pipelines[0];
    await eventually(async () => /dead letter: .*letters not found/.test((await status()).reason));
    assert.equal((await status()).state, 'blocked');
    await weir.stop();
    await writeFile(weir.configFile, tables + letters + pipelines);
    await weir.start();
    await eventually(async () => (await all(weir, 'letters')).length === 1);
  } finally {
    await weir.close();
  }
});

test('a table that cannot hold them is refused by check', async () => {
  const weir = new Weir({ config: `${tables}  letters: { key: { id: S } }\n${pipelines}` });
  await weir.start().catch(() => {});
  const { status, stdout, stderr } = spawnSync(program(), ['check', '-c', path.join(weir.folder, 'weir.yaml')], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stdout + stderr, /weir\.yaml:\d+:\d+: error: table 'letters' cannot hold dead letters: its key must be \{ pipeline: S, sequence: S \}/);
});
