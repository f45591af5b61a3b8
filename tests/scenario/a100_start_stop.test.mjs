// The program starts, answers, stops in order, and keeps what it was given.

import assert from 'node:assert/strict';
import test from 'node:test';
import { DescribeTableCommand, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { elsewhere, startWeir } from './lib/weir.mjs';
import { createTable } from './lib/tables.mjs';

test('an empty folder answers and stops', { skip: elsewhere }, async () => {
  const weir = await startWeir();
  assert.deepEqual((await weir.db.send(new ListTablesCommand({}))).TableNames, []);
  await weir.close();
});

test('tables of weir.yaml are there', { skip: elsewhere }, async () => {
  const weir = await startWeir({
    config: 'tables:\n  orders:\n    key: { customer: S, placed: N }\n    stream: new_image\n',
  });
  const { Table } = await weir.db.send(new DescribeTableCommand({ TableName: 'orders' }));
  assert.equal(Table.TableStatus, 'ACTIVE');
  assert.deepEqual(Table.KeySchema, [
    { AttributeName: 'customer', KeyType: 'HASH' }, { AttributeName: 'placed', KeyType: 'RANGE' }]);
  assert.equal(Table.StreamSpecification.StreamViewType, 'NEW_IMAGE');
  await weir.close();
});

test('items outlive a stop and a kill', { skip: elsewhere }, async () => {
  const weir = await startWeir();
  await createTable(weir.db, { name: 'kept', key: { pk: 'S' } });
  await weir.docs.send(new PutCommand({ TableName: 'kept', Item: { pk: 'a', n: 1 } }));
  await weir.restart();
  await weir.docs.send(new PutCommand({ TableName: 'kept', Item: { pk: 'b', n: 2 } }));
  await weir.kill();
  await weir.start();
  for (const [pk, n] of [['a', 1], ['b', 2]]) {
    const { Item } = await weir.docs.send(new GetCommand({ TableName: 'kept', Key: { pk } }));
    assert.deepEqual(Item, { pk, n });
  }
  await weir.close();
});

test('a folder in use is refused', { skip: elsewhere }, async () => {
  const weir = await startWeir();
  const second = startWeir({ args: ['--data', weir.data] });
  await assert.rejects(second, /ended \(\d+\) before it listened/);
  await weir.close();
});

test('a wrong configuration is refused with file, line and column', { skip: elsewhere }, async () => {
  await assert.rejects(startWeir({ config: 'tables:\n  t:\n    kye: { pk: S }\n' }),
    /weir\.yaml:3:5: .*kye.*key/s);
});
