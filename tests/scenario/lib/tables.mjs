// Short forms for tables, errors, streams and paging, for the scenario tests.

import assert from 'node:assert/strict';
import { CreateTableCommand, DeleteTableCommand, DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand, GetRecordsCommand, GetShardIteratorCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { eventually } from './weir.mjs';

function schema(key) {
  return Object.keys(key).map((name, at) => ({ AttributeName: name, KeyType: at ? 'RANGE' : 'HASH' }));
}

function indexes(list) {
  return Object.entries(list).map(([name, { key, project = 'ALL' }]) => ({
    IndexName: name,
    KeySchema: schema(key),
    Projection: Array.isArray(project)
      ? { ProjectionType: 'INCLUDE', NonKeyAttributes: project } : { ProjectionType: project },
  }));
}

// The request of CreateTable for {name, key: {pk: 'S', sk: 'N'}, global, local, stream}, where
// global and local are {index name: {key, project}} and stream is a view type.
export function tableRequest({ name, key, global, local, stream }) {
  const attributes = Object.assign({}, key,
    ...[...Object.values(global ?? {}), ...Object.values(local ?? {})].map((index) => index.key));
  return {
    TableName: name,
    KeySchema: schema(key),
    AttributeDefinitions: Object.entries(attributes)
      .map(([attribute, type]) => ({ AttributeName: attribute, AttributeType: type })),
    BillingMode: 'PAY_PER_REQUEST',
    ...(global ? { GlobalSecondaryIndexes: indexes(global) } : {}),
    ...(local ? { LocalSecondaryIndexes: indexes(local) } : {}),
    ...(stream ? { StreamSpecification: { StreamEnabled: true, StreamViewType: stream } } : {}),
  };
}

// Create a table and give its description once it is active.
export async function createTable(db, definition) {
  await db.send(new CreateTableCommand(tableRequest(definition)));
  return eventually(async () => {
    const { Table } = await db.send(new DescribeTableCommand({ TableName: definition.name }));
    return Table.TableStatus === 'ACTIVE' && Table;
  }, { what: `table ${definition.name} being active` });
}

// Delete a table and wait until it is gone.
export async function deleteTable(db, name) {
  await db.send(new DeleteTableCommand({ TableName: name }));
  await eventually(() => db.send(new DescribeTableCommand({ TableName: name }))
    .then(() => false, (error) => error.name === 'ResourceNotFoundException'),
  { what: `table ${name} being gone` });
}

// The error of a call that must fail with this name, this message (text or pattern) and status.
export async function fails(promise, name, message, status = 400) {
  const error = await promise.then((result) => {
    throw new assert.AssertionError({ message: `${name} expected, but got ${JSON.stringify(result)}` });
  }, (thrown) => thrown);
  if (error instanceof assert.AssertionError) {
    throw error;
  }
  assert.equal(error.name, name, `${error.name}: ${error.message}`);
  if (message instanceof RegExp) {
    assert.match(error.message, message);
  } else if (message !== undefined) {
    assert.equal(error.message, message);
  }
  assert.equal(error.$metadata?.httpStatusCode, status);
  return error;
}

// All items of a Query or Scan, page by page; `pages` is called with every page's answer.
export async function allItems(docs, Command, input, pages = () => {}) {
  const items = [];
  let ExclusiveStartKey;
  do {
    const page = await docs.send(new Command({ ...input, ExclusiveStartKey }));
    pages(page);
    items.push(...page.Items);
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
  return items;
}

// All shards of a stream.
export async function shardsOf(streams, StreamArn) {
  const shards = [];
  let ExclusiveStartShardId;
  do {
    const { StreamDescription } = await streams.send(
      new DescribeStreamCommand({ StreamArn, ExclusiveStartShardId }));
    shards.push(...StreamDescription.Shards);
    ExclusiveStartShardId = StreamDescription.LastEvaluatedShardId;
  } while (ExclusiveStartShardId);
  return shards;
}

// The records of one shard from an iterator on, until it has none now. A reader at the end of an
// open shard gets empty answers for ever, so two in a row end it.
export async function recordsFrom(streams, iterator, options = {}) {
  const records = [];
  let empty = 0;
  let ShardIterator = iterator;
  while (ShardIterator && empty < 2) {
    const answer = await streams.send(new GetRecordsCommand({ ShardIterator, ...options }));
    empty = answer.Records.length ? 0 : empty + 1;
    records.push(...answer.Records);
    ShardIterator = answer.NextShardIterator;
  }
  return records;
}

export async function iteratorOf(streams, StreamArn, ShardId, ShardIteratorType, SequenceNumber) {
  const { ShardIterator } = await streams.send(new GetShardIteratorCommand(
    { StreamArn, ShardId, ShardIteratorType, SequenceNumber }));
  return ShardIterator;
}

// All records of a stream, one list a shard.
export async function streamRecords(streams, StreamArn) {
  const shards = await shardsOf(streams, StreamArn);
  return Promise.all(shards.map(async ({ ShardId }) => recordsFrom(streams,
    await iteratorOf(streams, StreamArn, ShardId, 'TRIM_HORIZON'))));
}

// Do work(item) for all items, at most `width` at once.
export async function parallel(items, width, work) {
  const queue = items[Symbol.iterator]();
  await Promise.all(Array.from({ length: width }, async () => {
    for (const item of queue) {
      await work(item);
    }
  }));
}

// A small seeded generator of numbers in [0, 1), so that every run can be repeated (mulberry32).
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
