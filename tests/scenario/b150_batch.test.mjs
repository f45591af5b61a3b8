// BatchGetItem and BatchWriteItem.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { BatchGetCommand, BatchWriteCommand, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { startWeir } from './lib/weir.mjs';
import { createTable, fails } from './lib/tables.mjs';

const A = 'b150-a';
const B = 'b150-b';
let weir;

before(async () => {
  weir = await startWeir();
  await createTable(weir.db, { name: A, key: { pk: 'S' } });
  await createTable(weir.db, { name: B, key: { pk: 'S', sk: 'N' } });
});
after(() => weir.close());

const write = (RequestItems) => weir.docs.send(new BatchWriteCommand({ RequestItems }));
const get = (RequestItems) => weir.docs.send(new BatchGetCommand({ RequestItems }));
const puts = (count, from = 0) => Array.from({ length: count },
  (_, i) => ({ PutRequest: { Item: { pk: `k${from + i}`, n: from + i } } }));

test('25 writes over two tables', async () => {
  const answer = await write({ [A]: puts(20), [B]: Array.from({ length: 5 },
    (_, i) => ({ PutRequest: { Item: { pk: 'b', sk: i } } })) });
  assert.deepEqual(answer.UnprocessedItems, {});
  const { Responses, UnprocessedKeys } = await get({
    [A]: { Keys: Array.from({ length: 20 }, (_, i) => ({ pk: `k${i}` })) },
    [B]: { Keys: [{ pk: 'b', sk: 3 }, { pk: 'b', sk: 99 }] },
  });
  assert.deepEqual(UnprocessedKeys, {});
  assert.deepEqual(Responses[A].sort((x, y) => x.n - y.n), puts(20).map(({ PutRequest }) => PutRequest.Item));
  assert.deepEqual(Responses[B], [{ pk: 'b', sk: 3 }]);
});

test('puts and deletes in one batch', async () => {
  await write({ [A]: [{ DeleteRequest: { Key: { pk: 'k0' } } }, ...puts(1, 100)] });
  const { Responses } = await get({ [A]: { Keys: [{ pk: 'k0' }, { pk: 'k100' }] } });
  assert.deepEqual(Responses[A], [{ pk: 'k100', n: 100 }]);
});

test('a projection', async () => {
  const { Responses } = await get({ [A]: {
    Keys: [{ pk: 'k1' }], ProjectionExpression: '#n', ExpressionAttributeNames: { '#n': 'n' }, ConsistentRead: true } });
  assert.deepEqual(Responses[A], [{ n: 1 }]);
});

test('100 keys are read, 101 are refused', async () => {
  const keys = (count) => Array.from({ length: count }, (_, i) => ({ pk: `many${i}` }));
  await get({ [A]: { Keys: keys(100) } });
  await fails(get({ [A]: { Keys: keys(101) } }), 'ValidationException', /Too many items requested|less than or equal to 100/);
});

test('26 writes are refused and none is done', async () => {
  await fails(write({ [A]: puts(26, 1000) }), 'ValidationException', /Too many items requested|less than or equal to 25/);
  assert.equal((await weir.docs.send(new GetCommand({ TableName: A, Key: { pk: 'k1000' } }))).Item, undefined);
});

test('one key twice is refused', async () => {
  const message = 'Provided list of item keys contains duplicates';
  await fails(write({ [A]: [...puts(1, 2000), { DeleteRequest: { Key: { pk: 'k2000' } } }] }), 'ValidationException', message);
  await fails(get({ [A]: { Keys: [{ pk: 'k1' }, { pk: 'k1' }] } }), 'ValidationException', message);
});

test('one wrong write of a batch writes nothing', async () => {
  await fails(write({ [A]: [...puts(3, 3000), { PutRequest: { Item: { wrong: 1 } } }] }), 'ValidationException');
  assert.equal((await weir.docs.send(new GetCommand({ TableName: A, Key: { pk: 'k3000' } }))).Item, undefined);
});

test('an unknown table is reported', async () => {
  await fails(write({ 'b150-none': puts(1) }), 'ResourceNotFoundException', 'Requested resource not found');
  await fails(get({ 'b150-none': { Keys: [{ pk: 'x' }] } }), 'ResourceNotFoundException', 'Requested resource not found');
});

test('an empty batch is refused', async () => {
  await fails(write({}), 'ValidationException');
  await fails(get({}), 'ValidationException');
});

test('a read past 16 MB comes in parts', async () => {
  const count = 60;
  for (let i = 0; i < count; i++) {
    await weir.docs.send(new PutCommand({ TableName: A, Item: { pk: `large${i}`, body: 'x'.repeat(390_000) } }));
  }
  const seen = [];
  let keys = Array.from({ length: count }, (_, i) => ({ pk: `large${i}` }));
  let rounds = 0;
  while (keys.length) {
    const { Responses, UnprocessedKeys } = await get({ [A]: { Keys: keys } });
    seen.push(...Responses[A].map(({ pk }) => pk));
    keys = UnprocessedKeys?.[A]?.Keys ?? [];
    rounds++;
    assert.ok(rounds < count);
  }
  assert.ok(rounds > 1);
  assert.equal(new Set(seen).size, count);
});
