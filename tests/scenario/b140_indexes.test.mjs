// Secondary indexes, global and local: what is in them, their order and pages, and how they follow
// the table.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import {
  DeleteCommand, PutCommand, QueryCommand, ScanCommand, UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { startWeir } from './lib/weir.mjs';
import { allItems, createTable, fails, parallel, seeded } from './lib/tables.mjs';

const TableName = 'b140-items';
let weir;

before(async () => {
  weir = await startWeir();
  await createTable(weir.db, {
    name: TableName,
    key: { pk: 'S', sk: 'S' },
    global: {
      by_color: { key: { color: 'S', weight: 'N' } },
      keys_only: { key: { color: 'S' }, project: 'KEYS_ONLY' },
      some: { key: { color: 'S', sk: 'S' }, project: ['label'] },
    },
    local: { by_weight: { key: { pk: 'S', weight: 'N' } } },
  });
});
after(() => weir.close());

const put = (Item) => weir.docs.send(new PutCommand({ TableName, Item }));
const byColor = (IndexName, color, more = {}) => allItems(weir.docs, QueryCommand, {
  TableName, IndexName, KeyConditionExpression: 'color = :c', ExpressionAttributeValues: { ':c': color }, ...more });

test('an index holds exactly the items that have its key', async () => {
  await put({ pk: 'a', sk: '1', color: 'red', weight: 5, label: 'first' });
  await put({ pk: 'b', sk: '1', color: 'red', weight: -2, label: 'second' });
  await put({ pk: 'c', sk: '1', color: 'red', label: 'no weight' });
  await put({ pk: 'd', sk: '1', color: 'blue', weight: 1 });
  await put({ pk: 'e', sk: '1', weight: 1 });
  assert.deepEqual((await byColor('by_color', 'red')).map(({ pk }) => pk), ['b', 'a']);
  assert.deepEqual((await byColor('keys_only', 'red')).map(({ pk }) => pk).sort(), ['a', 'b', 'c']);
});

test('a projection holds what it says', async () => {
  assert.deepEqual((await byColor('by_color', 'blue')), [{ pk: 'd', sk: '1', color: 'blue', weight: 1 }]);
  assert.deepEqual(await byColor('keys_only', 'blue'), [{ pk: 'd', sk: '1', color: 'blue' }]);
  const some = await byColor('some', 'red');
  assert.deepEqual(some.find(({ pk }) => pk === 'a'), { pk: 'a', sk: '1', color: 'red', label: 'first' });
});

test('an index follows updates and deletes', async () => {
  await put({ pk: 'move', sk: '1', color: 'green', weight: 1, label: 'x' });
  assert.equal((await byColor('by_color', 'green')).length, 1);
  const update = (UpdateExpression, values) => weir.docs.send(new UpdateCommand({
    TableName, Key: { pk: 'move', sk: '1' }, UpdateExpression, ExpressionAttributeValues: values }));
  await update('SET color = :c', { ':c': 'gold' });
  assert.equal((await byColor('by_color', 'green')).length, 0);
  assert.equal((await byColor('by_color', 'gold')).length, 1);
  await update('SET label = :l', { ':l': 'y' });
  assert.equal((await byColor('by_color', 'gold'))[0].label, 'y');
  await update('REMOVE weight');
  assert.equal((await byColor('by_color', 'gold')).length, 0);
  assert.equal((await byColor('keys_only', 'gold')).length, 1);
  await weir.docs.send(new DeleteCommand({ TableName, Key: { pk: 'move', sk: '1' } }));
  assert.equal((await byColor('keys_only', 'gold')).length, 0);
});

test('items with equal index keys all stand in the index, and pages lose none', async () => {
  await parallel(Array.from({ length: 53 }, (_, i) => i), 8, (i) => put(
    { pk: `same${i % 7}`, sk: String(i), color: 'same', weight: 1 }));
  for (const Limit of [1, 10, 53]) {
    const items = await byColor('by_color', 'same', { Limit });
    assert.equal(items.length, 53);
    assert.equal(new Set(items.map(({ pk, sk }) => `${pk} ${sk}`)).size, 53);
  }
  const page = await weir.docs.send(new QueryCommand({
    TableName, IndexName: 'by_color', Limit: 5, KeyConditionExpression: 'color = :c',
    ExpressionAttributeValues: { ':c': 'same' } }));
  assert.deepEqual(Object.keys(page.LastEvaluatedKey).sort(), ['color', 'pk', 'sk', 'weight']);
});

test('a sort key condition on an index, backwards', async () => {
  await parallel([3, 1, 2, -1, 10], 2, (weight) => put({ pk: 'w', sk: String(weight), color: 'range', weight }));
  const { Items } = await weir.docs.send(new QueryCommand({
    TableName, IndexName: 'by_color', KeyConditionExpression: 'color = :c AND weight BETWEEN :a AND :b',
    ExpressionAttributeValues: { ':c': 'range', ':a': 0, ':b': 5 }, ScanIndexForward: false }));
  assert.deepEqual(Items.map(({ weight }) => weight), [3, 2, 1]);
});

test('a local index, with consistent reads', async () => {
  const { Items } = await weir.docs.send(new QueryCommand({
    TableName, IndexName: 'by_weight', KeyConditionExpression: 'pk = :p AND weight > :w', ConsistentRead: true,
    ExpressionAttributeValues: { ':p': 'w', ':w': 1 } }));
  assert.deepEqual(Items.map(({ weight }) => weight), [2, 3, 10]);
});

test('a scan of an index', async () => {
  const items = await allItems(weir.docs, ScanCommand, { TableName, IndexName: 'by_color', Limit: 9 });
  assert.ok(items.length >= 60);
  assert.ok(items.every((item) => 'color' in item && 'weight' in item));
});

test('consistent reads of a global index are refused', async () => {
  await fails(byColor('by_color', 'red', { ConsistentRead: true }), 'ValidationException',
    'Consistent reads are not supported on global secondary indexes');
});

test('an index key of the wrong type is refused', async () => {
  await fails(put({ pk: 'x', sk: '1', color: 7 }), 'ValidationException',
    /^One or more parameter values were invalid: Type mismatch for Index Key color Expected: S Actual: N IndexName: \w+$/);
});

test('an index is the same as a filter over the table, after random writes', async () => {
  const random = seeded(140);
  const colors = ['r1', 'r2', 'r3', undefined];
  await parallel(Array.from({ length: 300 }), 8, async () => {
    const Key = { pk: `random${Math.floor(random() * 10)}`, sk: String(Math.floor(random() * 5)) };
    if (random() < 0.25) {
      await weir.docs.send(new DeleteCommand({ TableName, Key }));
    } else {
      await put({ ...Key, color: colors[Math.floor(random() * 4)], weight: Math.floor(random() * 5) });
    }
  });
  const table = await allItems(weir.docs, ScanCommand, { TableName });
  for (const color of colors.slice(0, 3)) {
    const found = await byColor('by_color', color);
    const key = ({ pk, sk }) => `${pk} ${sk}`;
    assert.deepEqual(found.map(key).sort(), table.filter((item) => item.color === color).map(key).sort());
    assert.deepEqual(found.map(({ weight }) => weight), found.map(({ weight }) => weight).sort((a, b) => a - b));
  }
});
