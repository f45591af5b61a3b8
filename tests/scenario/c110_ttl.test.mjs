// Items past their time to live go, and the stream says that it was the time, not a user.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { GetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { eventually, startWeir } from './lib/weir.mjs';
import { allItems, createTable, streamRecords } from './lib/tables.mjs';

const TableName = 'c110-items';
let weir;
let arn;

before(async () => {
  weir = await startWeir();
  const table = await createTable(weir.db, {
    name: TableName, key: { pk: 'S' }, stream: 'NEW_AND_OLD_IMAGES', global: { by_kind: { key: { kind: 'S' } } } });
  arn = table.LatestStreamArn;
  await weir.db.send(new UpdateTimeToLiveCommand({
    TableName, TimeToLiveSpecification: { Enabled: true, AttributeName: 'expires' } }));
});
after(() => weir.close());

const epoch = () => Math.floor(Date.now() / 1000);
const item = async (pk) => (await weir.docs.send(new GetCommand({ TableName, Key: { pk } }))).Item;

test('an expired item goes, from the indexes too, and its record names the service', async () => {
  const old = { pk: 'old', kind: 'x', expires: epoch() - 100 };
  await weir.docs.send(new PutCommand({ TableName, Item: old }));
  await weir.docs.send(new PutCommand({ TableName, Item: { pk: 'young', kind: 'x', expires: epoch() + 3600 } }));
  await eventually(async () => !(await item('old')), { timeout: 60_000, what: 'the expired item being gone' });
  assert.ok(await item('young'));
  const indexed = await allItems(weir.docs, QueryCommand, { TableName, IndexName: 'by_kind',
    KeyConditionExpression: 'kind = :k', ExpressionAttributeValues: { ':k': 'x' } });
  assert.deepEqual(indexed.map(({ pk }) => pk), ['young']);
  const records = (await streamRecords(weir.streams, arn)).flat();
  const [removal] = records.filter(({ eventName }) => eventName === 'REMOVE');
  assert.deepEqual(removal.userIdentity, { Type: 'Service', PrincipalId: 'dynamodb.amazonaws.com' });
  assert.deepEqual(removal.dynamodb.OldImage.expires, { N: String(old.expires) });
});

test('what is no time to live keeps an item', async () => {
  const kept = {
    text: String(epoch() - 100), // not a number
    ancient: epoch() - 6 * 365 * 24 * 3600, // more than five years ago: taken for an error, as on AWS
    millis: Date.now() + 1000, // milliseconds: far in the future
    none: undefined,
  };
  for (const [pk, expires] of Object.entries(kept)) {
    await weir.docs.send(new PutCommand({ TableName, Item: { pk, ...(expires === undefined ? {} : { expires }) } }));
  }
  // An item written after them that does expire shows that the sweep has passed them.
  await weir.docs.send(new PutCommand({ TableName, Item: { pk: 'sweep', expires: epoch() - 10 } }));
  await eventually(async () => !(await item('sweep')), { timeout: 60_000, what: 'the sweep' });
  for (const pk of Object.keys(kept)) {
    assert.ok(await item(pk), `${pk} must stay`);
  }
});

test('an item whose time is moved on stays', async () => {
  await weir.docs.send(new PutCommand({ TableName, Item: { pk: 'moved', expires: epoch() + 1 } }));
  await weir.docs.send(new PutCommand({ TableName, Item: { pk: 'moved', expires: epoch() + 3600 } }));
  await weir.docs.send(new PutCommand({ TableName, Item: { pk: 'due', expires: epoch() + 1 } }));
  await eventually(async () => !(await item('due')), { timeout: 60_000, what: 'the item that was due being gone' });
  assert.ok(await item('moved'));
});
