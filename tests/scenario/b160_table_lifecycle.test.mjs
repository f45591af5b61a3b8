// Tables are created, described, listed, updated and deleted; and what is refused on the way.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import {
  CreateTableCommand, DeleteTableCommand, DescribeTableCommand, DescribeTimeToLiveCommand,
  GetItemCommand, ListTablesCommand, PutItemCommand, UpdateTableCommand, UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { PutCommand, QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { eventually, startWeir } from './lib/weir.mjs';
import { allItems, createTable, deleteTable, fails, tableRequest } from './lib/tables.mjs';

let weir;

before(async () => {
  weir = await startWeir();
});
after(() => weir.close());

const send = (Command, input) => weir.db.send(new Command(input));
const describe = async (TableName) => (await send(DescribeTableCommand, { TableName })).Table;

test('a description says what was asked for', async () => {
  const table = await createTable(weir.db, {
    name: 'b160-described', key: { pk: 'S', sk: 'B' },
    global: { glob: { key: { sk: 'B', n: 'N' }, project: ['extra'] } },
    local: { loc: { key: { pk: 'S', n: 'N' }, project: 'KEYS_ONLY' } },
  });
  assert.equal(table.TableName, 'b160-described');
  assert.match(table.TableArn, /^arn:aws:dynamodb:[\w-]+:\d{12}:table\/b160-described$/);
  assert.ok(table.CreationDateTime instanceof Date);
  assert.deepEqual(table.KeySchema, [
    { AttributeName: 'pk', KeyType: 'HASH' }, { AttributeName: 'sk', KeyType: 'RANGE' }]);
  assert.deepEqual([...table.AttributeDefinitions].sort((a, b) => (a.AttributeName < b.AttributeName ? -1 : 1)), [
    { AttributeName: 'n', AttributeType: 'N' }, { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'B' }]);
  assert.equal(table.BillingModeSummary.BillingMode, 'PAY_PER_REQUEST');
  const [global] = table.GlobalSecondaryIndexes;
  assert.equal(global.IndexStatus, 'ACTIVE');
  assert.deepEqual(global.Projection, { ProjectionType: 'INCLUDE', NonKeyAttributes: ['extra'] });
  assert.equal(global.IndexArn, `${table.TableArn}/index/glob`);
  assert.deepEqual(table.LocalSecondaryIndexes[0].Projection, { ProjectionType: 'KEYS_ONLY' });
});

test('provisioned tables keep their figures', async () => {
  const { BillingMode, ...request } = tableRequest({ name: 'b160-provisioned', key: { pk: 'S' } });
  await send(CreateTableCommand, { ...request, ProvisionedThroughput: { ReadCapacityUnits: 3, WriteCapacityUnits: 4 } });
  const table = await eventually(async () => {
    const found = await describe('b160-provisioned');
    return found.TableStatus === 'ACTIVE' && found;
  });
  assert.equal(table.ProvisionedThroughput.ReadCapacityUnits, 3);
  assert.equal(table.ProvisionedThroughput.WriteCapacityUnits, 4);
});

test('an existing name is refused', async () => {
  await createTable(weir.db, { name: 'b160-twice', key: { pk: 'S' } });
  await fails(send(CreateTableCommand, tableRequest({ name: 'b160-twice', key: { pk: 'S' } })),
    'ResourceInUseException', 'Table already exists: b160-twice');
});

test('a deleted table is gone with its items, and its name is free', async () => {
  const name = 'b160-again';
  await createTable(weir.db, { name, key: { pk: 'S' }, global: { by_x: { key: { x: 'S' } } } });
  await weir.docs.send(new PutCommand({ TableName: name, Item: { pk: 'a', x: 'y' } }));
  await deleteTable(weir.db, name);
  await fails(send(GetItemCommand, { TableName: name, Key: { pk: { S: 'a' } } }), 'ResourceNotFoundException');
  await createTable(weir.db, { name, key: { pk: 'S' }, global: { by_x: { key: { x: 'S' } } } });
  assert.deepEqual(await allItems(weir.docs, ScanCommand, { TableName: name }), []);
  assert.deepEqual(await allItems(weir.docs, ScanCommand, { TableName: name, IndexName: 'by_x' }), []);
});

test('an absent table', async () => {
  const TableName = 'b160-absent';
  const named = `Requested resource not found: Table: ${TableName} not found`;
  await fails(describe(TableName), 'ResourceNotFoundException', named);
  await fails(send(DeleteTableCommand, { TableName }), 'ResourceNotFoundException', named);
  await fails(send(UpdateTableCommand, { TableName, BillingMode: 'PAY_PER_REQUEST' }), 'ResourceNotFoundException', named);
  const plain = 'Requested resource not found';
  await fails(send(GetItemCommand, { TableName, Key: { pk: { S: 'a' } } }), 'ResourceNotFoundException', plain);
  await fails(send(PutItemCommand, { TableName, Item: { pk: { S: 'a' } } }), 'ResourceNotFoundException', plain);
  await fails(weir.docs.send(new ScanCommand({ TableName })), 'ResourceNotFoundException', plain);
  await fails(weir.docs.send(new QueryCommand({
    TableName, KeyConditionExpression: 'pk = :p', ExpressionAttributeValues: { ':p': 'a' } })),
  'ResourceNotFoundException', plain);
});

test('tables are listed in order and in pages', async () => {
  const names = Array.from({ length: 7 }, (_, i) => `b160-list-${i}`);
  await Promise.all([...names].reverse().map((name) => createTable(weir.db, { name, key: { pk: 'S' } })));
  const seen = [];
  let ExclusiveStartTableName = 'b160-list-';
  do {
    const page = await send(ListTablesCommand, { Limit: 2, ExclusiveStartTableName });
    assert.ok(page.TableNames.length <= 2);
    seen.push(...page.TableNames);
    ExclusiveStartTableName = page.LastEvaluatedTableName;
  } while (ExclusiveStartTableName);
  assert.deepEqual(seen.filter((name) => name.startsWith('b160-list-')), names);
});

const base = () => tableRequest({ name: 'b160-invalid', key: { pk: 'S', sk: 'S' } });
const invalid = [
  ['a short name', { TableName: 'a!' }, /TableName must be at least 3 characters long|'a!' at 'tableName' failed to satisfy constraint|Invalid table\/index name/],
  ['a key attribute without a type', { AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }] },
    /Some index key attributes? (are not defined in AttributeDefinitions|have no definition)/],
  ['a type for no key', { AttributeDefinitions: [...base().AttributeDefinitions, { AttributeName: 'x', AttributeType: 'S' }] },
    /Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions|Some AttributeDefinitions are not used/],
  ['a key of a type that keys cannot have', { AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'M' }, base().AttributeDefinitions[1]] },
    /failed to satisfy constraint: Member must satisfy enum value set/],
  ['two partition keys', { KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }, { AttributeName: 'sk', KeyType: 'HASH' }] },
    /Invalid KeySchema: The second KeySchemaElement is not a RANGE key type|Too many hash keys specified/],
  ['an empty list of indexes', { GlobalSecondaryIndexes: [] }, /List of GlobalSecondaryIndexes is empty/],
];
for (const [what, change, message] of invalid) {
  test(`${what} is refused`, async () => {
    await fails(send(CreateTableCommand, { ...base(), ...change }), 'ValidationException', message);
    await fails(describe('b160-invalid'), 'ResourceNotFoundException');
  });
}

test('time to live is set, described and taken away', async () => {
  const TableName = 'b160-ttl';
  await createTable(weir.db, { name: TableName, key: { pk: 'S' } });
  const status = async () => (await send(DescribeTimeToLiveCommand, { TableName })).TimeToLiveDescription;
  assert.deepEqual(await status(), { TimeToLiveStatus: 'DISABLED' });
  const set = (Enabled, AttributeName = 'expires') => send(UpdateTimeToLiveCommand,
    { TableName, TimeToLiveSpecification: { Enabled, AttributeName } });
  assert.deepEqual((await set(true)).TimeToLiveSpecification, { Enabled: true, AttributeName: 'expires' });
  await eventually(async () => (await status()).TimeToLiveStatus === 'ENABLED');
  assert.equal((await status()).AttributeName, 'expires');
  await fails(set(true), 'ValidationException', 'TimeToLive is already enabled');
  await fails(set(true, 'other'), 'ValidationException', /TimeToLive is active on a different AttributeName/);
  await set(false);
  await eventually(async () => (await status()).TimeToLiveStatus === 'DISABLED');
  await fails(set(false), 'ValidationException', 'TimeToLive is already disabled');
});

test('a protected table is not deleted', async () => {
  const TableName = 'b160-protected';
  await send(CreateTableCommand, { ...tableRequest({ name: TableName, key: { pk: 'S' } }), DeletionProtectionEnabled: true });
  await eventually(async () => (await describe(TableName)).TableStatus === 'ACTIVE');
  await fails(send(DeleteTableCommand, { TableName }), 'ValidationException', /deletion protection/i);
  await send(UpdateTableCommand, { TableName, DeletionProtectionEnabled: false });
  await deleteTable(weir.db, TableName);
});
