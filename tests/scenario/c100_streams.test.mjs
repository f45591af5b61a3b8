// The DynamoDB Streams API: views, iterators of every kind, shards, order, sequence numbers.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { DescribeTableCommand, UpdateTableCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand, GetRecordsCommand, GetShardIteratorCommand, ListStreamsCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { BatchWriteCommand, DeleteCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { eventually, startWeir } from './lib/weir.mjs';
import {
  createTable, fails, iteratorOf, parallel, recordsFrom, seeded, shardsOf, streamRecords,
} from './lib/tables.mjs';

let weir;

before(async () => {
  weir = await startWeir();
});
after(() => weir.close());

const put = (TableName, Item) => weir.docs.send(new PutCommand({ TableName, Item }));
const remove = (TableName, Key) => weir.docs.send(new DeleteCommand({ TableName, Key }));
const one = (lists) => lists.flat();

async function streamTable(name, stream = 'NEW_AND_OLD_IMAGES', key = { pk: 'S' }) {
  const table = await createTable(weir.db, { name, key, stream });
  return table.LatestStreamArn;
}

test('a table says which stream it has', async () => {
  const arn = await streamTable('c100-arn');
  const { Table } = await weir.db.send(new DescribeTableCommand({ TableName: 'c100-arn' }));
  assert.deepEqual(Table.StreamSpecification, { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' });
  assert.match(Table.LatestStreamLabel, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/);
  assert.equal(arn, `${Table.TableArn}/stream/${Table.LatestStreamLabel}`);
  const { StreamDescription } = await weir.streams.send(new DescribeStreamCommand({ StreamArn: arn }));
  assert.equal(StreamDescription.StreamStatus, 'ENABLED');
  assert.equal(StreamDescription.TableName, 'c100-arn');
  assert.equal(StreamDescription.StreamViewType, 'NEW_AND_OLD_IMAGES');
  assert.equal(StreamDescription.StreamLabel, Table.LatestStreamLabel);
  assert.deepEqual(StreamDescription.KeySchema, Table.KeySchema);
  assert.ok(StreamDescription.Shards.length > 1, 'several shards');
  for (const shard of StreamDescription.Shards) {
    assert.match(shard.ShardId, /^shardId-[\w-]{20,57}$/);
    assert.match(shard.SequenceNumberRange.StartingSequenceNumber, /^\d{21,40}$/);
    assert.equal(shard.SequenceNumberRange.EndingSequenceNumber, undefined);
  }
});

test('streams are listed, all or of one table, in pages', async () => {
  const arns = [await streamTable('c100-list-a'), await streamTable('c100-list-b')];
  const { Streams } = await weir.streams.send(new ListStreamsCommand({ TableName: 'c100-list-b' }));
  assert.deepEqual(Streams.map(({ StreamArn }) => StreamArn), [arns[1]]);
  const seen = [];
  let ExclusiveStartStreamArn;
  do {
    const page = await weir.streams.send(new ListStreamsCommand({ Limit: 1, ExclusiveStartStreamArn }));
    assert.ok(page.Streams.length <= 1);
    seen.push(...page.Streams.map(({ StreamArn }) => StreamArn));
    ExclusiveStartStreamArn = page.LastEvaluatedStreamArn;
  } while (ExclusiveStartStreamArn);
  assert.ok(arns.every((arn) => seen.includes(arn)));
  assert.equal(new Set(seen).size, seen.length);
});

test('shards come in pages', async () => {
  const arn = await streamTable('c100-pages');
  const all = await shardsOf(weir.streams, arn);
  const { StreamDescription } = await weir.streams.send(new DescribeStreamCommand({ StreamArn: arn, Limit: 1 }));
  assert.equal(StreamDescription.Shards.length, 1);
  assert.equal(StreamDescription.LastEvaluatedShardId, StreamDescription.Shards[0].ShardId);
  const rest = await weir.streams.send(new DescribeStreamCommand(
    { StreamArn: arn, ExclusiveStartShardId: StreamDescription.LastEvaluatedShardId }));
  assert.equal(rest.StreamDescription.Shards.length, all.length - 1);
});

test('a record says all about a change', async () => {
  const arn = await streamTable('c100-record', 'NEW_AND_OLD_IMAGES', { pk: 'S', sk: 'N' });
  const start = Date.now();
  await put('c100-record', { pk: 'a', sk: 1, v: 'old', b: new Uint8Array([1, 2]) });
  await weir.docs.send(new UpdateCommand({ TableName: 'c100-record', Key: { pk: 'a', sk: 1 },
    UpdateExpression: 'SET v = :v', ExpressionAttributeValues: { ':v': 'new' } }));
  await remove('c100-record', { pk: 'a', sk: 1 });
  const records = one(await streamRecords(weir.streams, arn));
  assert.deepEqual(records.map(({ eventName }) => eventName), ['INSERT', 'MODIFY', 'REMOVE']);
  const [insert, modify, gone] = records.map(({ dynamodb }) => dynamodb);
  const Keys = { pk: { S: 'a' }, sk: { N: '1' } };
  for (const record of records) {
    assert.match(record.eventID, /^[0-9a-f]{32}$/);
    assert.equal(record.eventVersion, '1.1');
    assert.equal(record.eventSource, 'aws:dynamodb');
    assert.ok(record.awsRegion);
    assert.equal(record.userIdentity, undefined);
    assert.deepEqual(record.dynamodb.Keys, Keys);
    assert.equal(record.dynamodb.StreamViewType, 'NEW_AND_OLD_IMAGES');
    assert.ok(record.dynamodb.SizeBytes > 0);
    assert.match(record.dynamodb.SequenceNumber, /^\d{21,40}$/);
    const created = record.dynamodb.ApproximateCreationDateTime.getTime();
    assert.equal(created % 1000, 0, 'whole seconds, as AWS');
    assert.ok(created >= start - 2000 && created <= Date.now() + 1000);
  }
  assert.equal(new Set(records.map(({ eventID }) => eventID)).size, 3);
  assert.deepEqual(insert.NewImage.v, { S: 'old' });
  assert.deepEqual([...insert.NewImage.b.B], [1, 2]);
  assert.equal(insert.OldImage, undefined);
  assert.deepEqual([modify.OldImage.v, modify.NewImage.v], [{ S: 'old' }, { S: 'new' }]);
  assert.deepEqual(gone.OldImage.v, { S: 'new' });
  assert.equal(gone.NewImage, undefined);
});

const views = [['KEYS_ONLY', false, false], ['NEW_IMAGE', true, false], ['OLD_IMAGE', false, true],
  ['NEW_AND_OLD_IMAGES', true, true]];
for (const [view, withNew, withOld] of views) {
  test(`the view ${view}`, async () => {
    const name = `c100-view-${view}`;
    const arn = await streamTable(name, view);
    await put(name, { pk: 'a', v: 1 });
    await put(name, { pk: 'a', v: 2 });
    await remove(name, { pk: 'a' });
    const records = one(await streamRecords(weir.streams, arn)).map(({ dynamodb }) => dynamodb);
    assert.deepEqual(records.map(({ NewImage }) => NewImage?.v?.N), withNew ? ['1', '2', undefined] : Array(3).fill(undefined));
    assert.deepEqual(records.map(({ OldImage }) => OldImage?.v?.N), withOld ? [undefined, '1', '2'] : Array(3).fill(undefined));
    assert.ok(records.every(({ Keys, StreamViewType }) => Keys.pk.S === 'a' && StreamViewType === view));
  });
}

test('a write that changes nothing makes no record', async () => {
  const arn = await streamTable('c100-same');
  await put('c100-same', { pk: 'a', v: 1, s: new Set(['x', 'y']) });
  await put('c100-same', { pk: 'a', v: 1, s: new Set(['y', 'x']) });
  await weir.docs.send(new UpdateCommand({ TableName: 'c100-same', Key: { pk: 'a' }, UpdateExpression: 'SET v = :v',
    ExpressionAttributeValues: { ':v': 1 } }));
  await remove('c100-same', { pk: 'never' });
  await put('c100-same', { pk: 'a', v: 2 }).then(() => {});
  assert.deepEqual(one(await streamRecords(weir.streams, arn)).map(({ eventName }) => eventName), ['INSERT', 'MODIFY']);
});

test('a table that gets its stream late has no records of before', async () => {
  await createTable(weir.db, { name: 'c100-late', key: { pk: 'S' } });
  await put('c100-late', { pk: 'before' });
  await weir.db.send(new UpdateTableCommand({
    TableName: 'c100-late', StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' } }));
  const { Table: { LatestStreamArn } } = await weir.db.send(new DescribeTableCommand({ TableName: 'c100-late' }));
  await put('c100-late', { pk: 'during' });
  const records = one(await streamRecords(weir.streams, LatestStreamArn));
  assert.deepEqual(records.map(({ dynamodb }) => dynamodb.Keys.pk.S), ['during']);
});

test('iterators of every kind stand where they should', async () => {
  const name = 'c100-iterators';
  const arn = await streamTable(name);
  for (let v = 0; v < 5; v++) {
    await put(name, { pk: 'a', v });
  }
  const values = (records) => records.map(({ dynamodb }) => Number(dynamodb.NewImage.v.N));
  let shard;
  let records;
  for (const { ShardId } of await shardsOf(weir.streams, arn)) {
    const found = await recordsFrom(weir.streams, await iteratorOf(weir.streams, arn, ShardId, 'TRIM_HORIZON'));
    if (found.length) {
      shard = ShardId;
      records = found;
    }
  }
  assert.deepEqual(values(records), [0, 1, 2, 3, 4], 'all changes of a key are in one shard');
  const numbers = records.map(({ dynamodb }) => dynamodb.SequenceNumber);
  const from = async (...which) => values(await recordsFrom(weir.streams, await iteratorOf(weir.streams, arn, shard, ...which)));
  assert.deepEqual(await from('AT_SEQUENCE_NUMBER', numbers[2]), [2, 3, 4]);
  assert.deepEqual(await from('AFTER_SEQUENCE_NUMBER', numbers[2]), [3, 4]);
  assert.deepEqual(await from('AFTER_SEQUENCE_NUMBER', numbers[4]), []);
  const latest = await iteratorOf(weir.streams, arn, shard, 'LATEST');
  await put(name, { pk: 'a', v: 5 });
  assert.deepEqual(values(await recordsFrom(weir.streams, latest)), [5]);
  assert.deepEqual(values(await recordsFrom(weir.streams, latest)), [5], 'an iterator may be used again');
  const again = await recordsFrom(weir.streams, await iteratorOf(weir.streams, arn, shard, 'TRIM_HORIZON'), { Limit: 2 });
  assert.deepEqual(values(again), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(again.slice(0, 5).map(({ eventID }) => eventID), records.map(({ eventID }) => eventID));
});

test('records of a key keep their order, and every change is there once', async () => {
  const name = 'c100-order';
  const arn = await streamTable(name);
  const random = seeded(100);
  const keys = Array.from({ length: 40 }, (_, i) => `key${i}`);
  const last = new Map();
  // One writer a key, 40 at a time; the versions of a key are its order.
  await parallel(keys, keys.length, async (pk) => {
    const writes = 10 + Math.floor(random() * 20);
    for (let v = 1; v <= writes; v++) {
      await put(name, { pk, v });
    }
    last.set(pk, writes);
  });
  const shards = await streamRecords(weir.streams, arn);
  const places = new Map();
  shards.forEach((records, shard) => {
    let before = '';
    for (const { dynamodb } of records) {
      const number = dynamodb.SequenceNumber.padStart(40, '0');
      assert.ok(number > before, 'sequence numbers grow within a shard');
      before = number;
      const pk = dynamodb.Keys.pk.S;
      const place = places.get(pk) ?? { shard, v: 0 };
      assert.equal(place.shard, shard, 'one shard a key');
      assert.equal(Number(dynamodb.NewImage.v.N), place.v + 1, `${pk} in order, none lost, none twice`);
      places.set(pk, { shard, v: place.v + 1 });
    }
  });
  assert.deepEqual(new Map([...places].map(([pk, { v }]) => [pk, v]).sort()), new Map([...last].sort()));
  assert.ok(shards.filter((records) => records.length).length > 1, 'keys spread over shards');
});

test('a batch makes a record for each of its items', async () => {
  const arn = await streamTable('c100-batch');
  await weir.docs.send(new BatchWriteCommand({ RequestItems: { 'c100-batch': Array.from({ length: 25 },
    (_, i) => ({ PutRequest: { Item: { pk: `k${i}` } } })) } }));
  const records = one(await streamRecords(weir.streams, arn));
  assert.deepEqual(records.map(({ dynamodb }) => dynamodb.Keys.pk.S).sort(), Array.from({ length: 25 }, (_, i) => `k${i}`).sort());
});

test('an answer holds at most 1,000 records and at most about 1 MB', async () => {
  const arn = await streamTable('c100-large', 'NEW_IMAGE', { pk: 'S', sk: 'N' });
  await parallel(Array.from({ length: 12 }, (_, i) => i), 4, (sk) => put('c100-large', { pk: 'a', sk, body: 'x'.repeat(200_000) }));
  let seen = 0;
  for (const { ShardId } of await shardsOf(weir.streams, arn)) {
    let ShardIterator = await iteratorOf(weir.streams, arn, ShardId, 'TRIM_HORIZON');
    for (let answer; ShardIterator; ShardIterator = answer.Records.length ? answer.NextShardIterator : undefined) {
      answer = await weir.streams.send(new GetRecordsCommand({ ShardIterator }));
      assert.ok(answer.Records.length <= 6, `${answer.Records.length} records of 200 KB in one answer`);
      seen += answer.Records.length;
    }
  }
  assert.equal(seen, 12);
});

test('the stream outlives a restart, iterators too, and sequence numbers go on', async () => {
  const name = 'c100-restart';
  const arn = await streamTable(name);
  await put(name, { pk: 'a', v: 1 });
  const before = one(await streamRecords(weir.streams, arn));
  if (weir.child) {
    await weir.restart();
  }
  await put(name, { pk: 'a', v: 2 });
  const records = one(await streamRecords(weir.streams, arn));
  assert.deepEqual(records.map(({ dynamodb }) => dynamodb.NewImage.v.N), ['1', '2']);
  assert.deepEqual(records[0], before[0]);
});

test('what is wrong is refused', async () => {
  const arn = await streamTable('c100-wrong');
  const [{ ShardId }] = await shardsOf(weir.streams, arn);
  const send = (Command, input) => weir.streams.send(new Command(input));
  const absent = arn.replace('c100-wrong', 'c100-absent');
  await fails(send(DescribeStreamCommand, { StreamArn: absent }), 'ResourceNotFoundException',
    `Requested resource not found: Stream: ${absent} not found`);
  await fails(send(GetShardIteratorCommand, { StreamArn: arn, ShardId: 'shardId-00000000000000000000-00000000',
    ShardIteratorType: 'LATEST' }), 'ResourceNotFoundException', /not found/);
  await fails(send(GetShardIteratorCommand, { StreamArn: arn, ShardId, ShardIteratorType: 'AT_SEQUENCE_NUMBER' }),
    'ValidationException');
  await fails(send(GetShardIteratorCommand, { StreamArn: arn, ShardId, ShardIteratorType: 'SIDEWAYS' }), 'ValidationException');
  await fails(send(GetShardIteratorCommand, { StreamArn: arn, ShardId, ShardIteratorType: 'AT_SEQUENCE_NUMBER',
    SequenceNumber: 'x'.repeat(25) }), 'ValidationException');
  await fails(send(GetRecordsCommand, { ShardIterator: 'nonsense' }), 'ValidationException', /iterator/i);
  await fails(send(GetRecordsCommand, { ShardIterator: `${arn}|1|${'A'.repeat(100)}` }), 'ValidationException', /iterator/i);
  await fails(send(GetRecordsCommand, { ShardIterator: await iteratorOf(weir.streams, arn, ShardId, 'LATEST'), Limit: 1001 }),
    'ValidationException', /less than or equal to 1000/);
});
