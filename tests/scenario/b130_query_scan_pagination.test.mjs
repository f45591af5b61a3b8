// Query and Scan: key conditions, order, filters, counts, and pages that lose and double nothing.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { BatchWriteCommand, PutCommand, QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { startWeir } from './lib/weir.mjs';
import { allItems, createTable, fails } from './lib/tables.mjs';

const TableName = 'b130-items';
const BIG = 'b130-big';
const PARTITIONS = 5;
const PER_PARTITION = 60;
let weir;

before(async () => {
  weir = await startWeir();
  await createTable(weir.db, { name: TableName, key: { pk: 'S', sk: 'N' } });
  await createTable(weir.db, { name: BIG, key: { pk: 'S', sk: 'S' } });
  const requests = [];
  for (let p = 0; p < PARTITIONS; p++) {
    for (let i = 0; i < PER_PARTITION; i++) {
      // Negative and fractional sort keys, written in no order.
      const sk = ((i * 37) % PER_PARTITION) / 2 - 10;
      requests.push({ PutRequest: { Item: { pk: `p${p}`, sk, even: sk % 2 === 0, name: `n${i}` } } });
    }
  }
  for (let at = 0; at < requests.length; at += 25) {
    await weir.docs.send(new BatchWriteCommand({ RequestItems: { [TableName]: requests.slice(at, at + 25) } }));
  }
  for (let i = 0; i < 30; i++) {
    await weir.docs.send(new PutCommand({
      TableName: BIG, Item: { pk: 'big', sk: String(i).padStart(3, '0'), body: 'x'.repeat(100_000) } }));
  }
});
after(() => weir.close());

const query = (condition, values, more = {}) => ({
  TableName, KeyConditionExpression: condition, ExpressionAttributeValues: values, ...more });
const sortKeys = Array.from({ length: PER_PARTITION }, (_, i) => i / 2 - 10);

const conditions = [
  ['pk = :p', {}, () => true],
  ['pk = :p AND sk = :a', { ':a': 0 }, (sk) => sk === 0],
  ['pk = :p AND sk < :a', { ':a': 0 }, (sk) => sk < 0],
  ['pk = :p AND sk <= :a', { ':a': 0 }, (sk) => sk <= 0],
  ['pk = :p AND sk > :a', { ':a': -0.5 }, (sk) => sk > -0.5],
  ['pk = :p AND sk >= :a', { ':a': 19.5 }, (sk) => sk >= 19.5],
  ['pk = :p AND sk BETWEEN :a AND :b', { ':a': -3, ':b': 3 }, (sk) => sk >= -3 && sk <= 3],
  ['sk > :a AND pk = :p', { ':a': 5 }, (sk) => sk > 5],
  ['(pk = :p) AND (sk > :a)', { ':a': 5 }, (sk) => sk > 5],
];
for (const [condition, values, expected] of conditions) {
  test(`${condition}, forwards and backwards`, async () => {
    const input = query(condition, { ':p': 'p1', ...values });
    const wanted = sortKeys.filter(expected);
    const forwards = await allItems(weir.docs, QueryCommand, input);
    assert.deepEqual(forwards.map(({ sk }) => sk), wanted);
    assert.ok(forwards.every(({ pk }) => pk === 'p1'));
    const backwards = await allItems(weir.docs, QueryCommand, { ...input, ScanIndexForward: false });
    assert.deepEqual(backwards.map(({ sk }) => sk), [...wanted].reverse());
  });
}

test('begins_with on a text sort key', async () => {
  const items = await allItems(weir.docs, QueryCommand, {
    TableName: BIG, KeyConditionExpression: 'pk = :p AND begins_with(sk, :s)', ProjectionExpression: 'sk',
    ExpressionAttributeValues: { ':p': 'big', ':s': '01' } });
  assert.deepEqual(items.map(({ sk }) => sk), Array.from({ length: 10 }, (_, i) => `01${i}`));
});

for (const Limit of [1, 7, 60, 1000]) {
  test(`pages of ${Limit} give every item once`, async () => {
    let pages = 0;
    const items = await allItems(weir.docs, QueryCommand, query('pk = :p', { ':p': 'p2' }, { Limit }), (page) => {
      pages++;
      assert.ok(page.Items.length <= Limit);
      assert.equal(page.Count, page.Items.length);
      if (page.LastEvaluatedKey) {
        assert.deepEqual(page.LastEvaluatedKey, { pk: 'p2', sk: page.Items.at(-1).sk });
      }
    });
    assert.deepEqual(items.map(({ sk }) => sk), sortKeys);
    assert.ok(pages >= Math.ceil(PER_PARTITION / Limit));
  });
}

test('a filter is applied after the limit', async () => {
  const page = await weir.docs.send(new QueryCommand(query('pk = :p', { ':p': 'p3', ':e': true },
    { FilterExpression: 'even = :e', Limit: 10 })));
  assert.equal(page.ScannedCount, 10);
  assert.equal(page.Count, page.Items.length);
  assert.ok(page.Count < 10 && page.LastEvaluatedKey);
  const items = await allItems(weir.docs, QueryCommand, query('pk = :p', { ':p': 'p3', ':e': true },
    { FilterExpression: 'even = :e', Limit: 10 }));
  assert.deepEqual(items.map(({ sk }) => sk), sortKeys.filter((sk) => sk % 2 === 0));
});

test('a count has no items', async () => {
  const page = await weir.docs.send(new QueryCommand(query('pk = :p', { ':p': 'p0' }, { Select: 'COUNT' })));
  assert.equal(page.Count, PER_PARTITION);
  assert.equal(page.Items, undefined);
});

test('a projection', async () => {
  const page = await weir.docs.send(new QueryCommand(query('pk = :p', { ':p': 'p0' }, {
    ProjectionExpression: '#n', ExpressionAttributeNames: { '#n': 'name' }, Limit: 2 })));
  assert.deepEqual(page.Items.map((item) => Object.keys(item)), [['name'], ['name']]);
});

test('a page ends at 1 MB', async () => {
  const sizes = [];
  const items = await allItems(weir.docs, QueryCommand, {
    TableName: BIG, KeyConditionExpression: 'pk = :p', ExpressionAttributeValues: { ':p': 'big' },
  }, (page) => sizes.push(page.Items.length));
  assert.equal(items.length, 30);
  assert.ok(sizes.length >= 3, `pages of ${sizes}`);
  assert.ok(Math.max(...sizes) <= 11, `pages of ${sizes}`);
});

test('a scan gives every item once, in any page size', async () => {
  for (const Limit of [undefined, 13]) {
    const items = await allItems(weir.docs, ScanCommand, { TableName, Limit });
    assert.equal(items.length, PARTITIONS * PER_PARTITION);
    assert.equal(new Set(items.map(({ pk, sk }) => `${pk} ${sk}`)).size, items.length);
  }
});

test('the segments of a parallel scan part the table', async () => {
  const TotalSegments = 4;
  const segments = await Promise.all(Array.from({ length: TotalSegments },
    (_, Segment) => allItems(weir.docs, ScanCommand, { TableName, Segment, TotalSegments, Limit: 20 })));
  const keys = segments.flat().map(({ pk, sk }) => `${pk} ${sk}`);
  assert.equal(keys.length, PARTITIONS * PER_PARTITION);
  assert.equal(new Set(keys).size, keys.length);
});

test('a scan with a filter counts what it read', async () => {
  const page = await weir.docs.send(new ScanCommand({
    TableName, FilterExpression: 'pk = :p', ExpressionAttributeValues: { ':p': 'p4' } }));
  assert.equal(page.Count, PER_PARTITION);
  assert.equal(page.ScannedCount, PARTITIONS * PER_PARTITION);
});

const invalid = [
  [query('sk = :a', { ':a': 1 }), 'Query condition missed key schema element: pk'],
  [query('pk > :p', { ':p': 'p0' }), 'Query key condition not supported'],
  [query('pk = :p AND extra = :a', { ':p': 'p0', ':a': 1 }), 'Query condition missed key schema element: sk'],
  [query('pk = :p AND sk <> :a', { ':p': 'p0', ':a': 1 }), 'Invalid operator used in KeyConditionExpression: <>'],
  [query('pk = :p OR sk = :a', { ':p': 'p0', ':a': 1 }), 'Invalid operator used in KeyConditionExpression: OR'],
  [query('pk = :p', { ':p': 1 }), 'One or more parameter values were invalid: Condition parameter type does not match schema type'],
  [query('pk = :p', { ':p': 'p0', ':e': 1 }, { FilterExpression: 'sk = :e' }), 'Filter Expression can only contain non-primary key attributes: Primary key attribute: sk'],
  [query('pk = :p', { ':p': 'p0' }, { Limit: 0 }), /Member must have value greater than or equal to 1/],
  [query('pk = :p', { ':p': 'p0' }, { IndexName: 'absent' }), 'The table does not have the specified index: absent'],
  [query('pk = :p', { ':p': 'p0' }, { ExclusiveStartKey: { pk: 'p0' } }), /^The provided starting key is/],
  [{ TableName }, /^Either the KeyConditions or KeyConditionExpression parameter must be specified/],
];
for (const [input, message] of invalid) {
  const { TableName: _, ...shown } = input;
  test(`a query with ${JSON.stringify(shown)} is refused`, async () => {
    await fails(weir.docs.send(new QueryCommand(input)), 'ValidationException', message);
  });
}
