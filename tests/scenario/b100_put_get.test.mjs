// Items go in and come back exactly: every type, every edge of a number, names, sizes.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import {
  DeleteItemCommand, GetItemCommand, PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { DeleteCommand, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { startWeir } from './lib/weir.mjs';
import { createTable, fails } from './lib/tables.mjs';

const TableName = 'b100-items';
let weir;

before(async () => {
  weir = await startWeir();
  await createTable(weir.db, { name: TableName, key: { pk: 'S', sk: 'N' } });
});
after(() => weir.close());

const put = (Item, more = {}) => weir.db.send(new PutItemCommand({ TableName, Item, ...more }));
const get = async (pk, sk, more = {}) => (await weir.db.send(new GetItemCommand(
  { TableName, Key: { pk: { S: pk }, sk: { N: sk } }, ...more }))).Item;

test('every attribute type comes back as it went in', async () => {
  const item = {
    pk: { S: 'types' },
    sk: { N: '1' },
    s: { S: 'text with "quotes", \\ and \u0000\u001f\u2028 \u{1f600} äöü' },
    n: { N: '-12.5' },
    b: { B: new Uint8Array([0, 1, 254, 255]) },
    yes: { BOOL: true },
    no: { BOOL: false },
    nothing: { NULL: true },
    list: { L: [{ N: '1' }, { S: 'two' }, { L: [] }, { M: {} }] },
    map: { M: { inner: { M: { deep: { L: [{ BOOL: true }] } } } } },
    strings: { SS: ['a', 'b', 'c'] },
    numbers: { NS: ['1', '2.5', '-3'] },
    bytes: { BS: [new Uint8Array([1]), new Uint8Array([2, 3])] },
  };
  await put(item);
  const got = await get('types', '1');
  for (const set of ['strings', 'numbers']) {
    const [type] = Object.keys(item[set]);
    got[set][type].sort();
    item[set][type].sort();
  }
  got.bytes.BS.sort((a, b) => a.length - b.length);
  got.b.B = new Uint8Array(got.b.B);
  got.bytes.BS = got.bytes.BS.map((bytes) => new Uint8Array(bytes));
  assert.deepEqual(got, item);
});

test('a put replaces the whole item', async () => {
  await put({ pk: { S: 'whole' }, sk: { N: '1' }, old: { S: 'x' } });
  await put({ pk: { S: 'whole' }, sk: { N: '1' }, fresh: { S: 'y' } });
  assert.deepEqual(await get('whole', '1'), { pk: { S: 'whole' }, sk: { N: '1' }, fresh: { S: 'y' } });
});

test('an absent item is no Item at all', async () => {
  assert.equal(await get('absent', '1'), undefined);
});

const numbers = [
  ['0', '0'], ['-0', '0'], ['00012', '12'], ['1.500', '1.5'], ['1e3', '1000'], ['1E-3', '0.001'],
  ['.5', '0.5'],
  ['99999999999999999999999999999999999999', '99999999999999999999999999999999999999'],
  ['0.1234567890123456789012345678901234567', '0.1234567890123456789012345678901234567'],
  ['9007199254740993', '9007199254740993'],
];
for (const [given, kept] of numbers) {
  test(`the number ${given} is kept as ${kept}`, async () => {
    await put({ pk: { S: 'number' }, sk: { N: '1' }, n: { N: given } });
    assert.deepEqual((await get('number', '1')).n, { N: kept });
  });
}

test('the ends of the range of numbers come back with their value', async () => {
  for (const given of ['1E-130', '9.9999999999999999999999999999999999999E+125', '-1E-130']) {
    await put({ pk: { S: 'number' }, sk: { N: '2' }, n: { N: given } });
    assert.equal(Number((await get('number', '2')).n.N), Number(given));
  }
});

const wrong = [
  ['39 digits', { N: '123456789012345678901234567890123456789' },
    'Attempting to store more than 38 significant digits in a Number'],
  ['a number too large', { N: '1E126' },
    'Number overflow. Attempting to store a number with magnitude larger than supported range'],
  ['a number too small', { N: '1E-131' },
    'Number underflow. Attempting to store a number with magnitude smaller than supported range'],
  ['text as a number', { N: 'abc' },
    'The parameter cannot be converted to a numeric value: abc'],
  ['an empty string set', { SS: [] },
    'One or more parameter values were invalid: An string set  may not be empty'],
  ['a set with duplicates', { SS: ['a', 'b', 'a'] },
    'One or more parameter values were invalid: Input collection [a, b, a] contains duplicates.'],
  ['numbers that are equal in a set', { NS: ['1', '1.0'] }, 'Input collection contains duplicates'],
  ['NULL that is not true', { NULL: false },
    'One or more parameter values were invalid: Null attribute value types must have the value of true'],
];
for (const [what, value, message] of wrong) {
  test(`${what} is refused and nothing is written`, async () => {
    await fails(put({ pk: { S: 'wrong' }, sk: { N: '1' }, value }), 'ValidationException', message);
    assert.equal(await get('wrong', '1'), undefined);
  });
}

test('empty strings and bytes are values, but not keys', async () => {
  await put({ pk: { S: 'empty' }, sk: { N: '1' }, s: { S: '' }, b: { B: new Uint8Array(0) } });
  assert.deepEqual((await get('empty', '1')).s, { S: '' });
  const message = 'One or more parameter values are not valid. The AttributeValue for a key attribute '
    + 'cannot contain an empty string value. Key: pk';
  await fails(put({ pk: { S: '' }, sk: { N: '1' } }), 'ValidationException', message);
  await fails(get('', '1'), 'ValidationException', message);
});

test('keys are checked against the schema', async () => {
  await fails(put({ pk: { S: 'a' } }), 'ValidationException',
    'One or more parameter values were invalid: Missing the key sk in the item');
  await fails(put({ pk: { S: 'a' }, sk: { S: '1' } }), 'ValidationException',
    'One or more parameter values were invalid: Type mismatch for key sk expected: N actual: S');
  for (const Key of [{ pk: { S: 'a' } }, { pk: { S: 'a' }, sk: { S: '1' } },
    { pk: { S: 'a' }, sk: { N: '1' }, more: { S: 'x' } }]) {
    await fails(weir.db.send(new GetItemCommand({ TableName, Key })), 'ValidationException',
      Object.keys(Key).length <= 2 ? 'The provided key element does not match the schema' : /key/);
  }
});

test('equal numbers are one key', async () => {
  await put({ pk: { S: 'one' }, sk: { N: '10' }, v: { S: 'first' } });
  await put({ pk: { S: 'one' }, sk: { N: '1e1' }, v: { S: 'second' } });
  assert.deepEqual((await get('one', '10.0')).v, { S: 'second' });
});

test('an item of 400 KB fits and a larger one does not', async () => {
  const room = 400 * 1024 - ('pk'.length + 'big'.length + 'sk'.length + 2 + 'text'.length);
  await put({ pk: { S: 'big' }, sk: { N: '1' }, text: { S: 'x'.repeat(room - 16) } });
  assert.equal((await get('big', '1')).text.S.length, room - 16);
  await fails(put({ pk: { S: 'big' }, sk: { N: '2' }, text: { S: 'x'.repeat(room + 16) } }),
    'ValidationException', 'Item size has exceeded the maximum allowed size');
  assert.equal(await get('big', '2'), undefined);
});

test('a key of 2048 bytes fits and a longer one does not', async () => {
  const pk = 'k'.repeat(2048);
  await put({ pk: { S: pk }, sk: { N: '1' } });
  assert.ok(await get(pk, '1'));
  await fails(put({ pk: { S: `${pk}k` }, sk: { N: '1' } }), 'ValidationException',
    /Size of hashkey has exceeded the maximum size limit of\s?2048 bytes/);
});

test('old values are returned on request', async () => {
  const key = { pk: { S: 'old' }, sk: { N: '1' } };
  assert.equal((await put({ ...key, v: { N: '1' } }, { ReturnValues: 'ALL_OLD' })).Attributes, undefined);
  const answer = await put({ ...key, v: { N: '2' } }, { ReturnValues: 'ALL_OLD' });
  assert.deepEqual(answer.Attributes, { ...key, v: { N: '1' } });
  const gone = await weir.db.send(new DeleteItemCommand({ TableName, Key: key, ReturnValues: 'ALL_OLD' }));
  assert.deepEqual(gone.Attributes, { ...key, v: { N: '2' } });
  const none = await weir.db.send(new DeleteItemCommand({ TableName, Key: key, ReturnValues: 'ALL_OLD' }));
  assert.equal(none.Attributes, undefined);
  await fails(put(key, { ReturnValues: 'ALL_NEW' }), 'ValidationException');
});

test('a projection gives only what is asked for', async () => {
  await weir.docs.send(new PutCommand({
    TableName,
    Item: { pk: 'part', sk: 1, a: { b: [10, { c: 'x' }, 30], d: 1 }, status: 'ok', 'odd.name': 5 },
  }));
  const { Item } = await weir.docs.send(new GetCommand({
    TableName,
    Key: { pk: 'part', sk: 1 },
    ProjectionExpression: 'a.b[1].c, a.b[2], #s, #o, absent.branch',
    ExpressionAttributeNames: { '#s': 'status', '#o': 'odd.name' },
  }));
  assert.deepEqual(Item, { a: { b: [{ c: 'x' }, 30] }, status: 'ok', 'odd.name': 5 });
});

test('a delete of an absent item succeeds', async () => {
  await weir.docs.send(new DeleteCommand({ TableName, Key: { pk: 'never', sk: 0 } }));
});

test('consumed capacity is reported when asked for', async () => {
  const answer = await put({ pk: { S: 'capacity' }, sk: { N: '1' }, text: { S: 'x'.repeat(1500) } },
    { ReturnConsumedCapacity: 'TOTAL' });
  assert.deepEqual(answer.ConsumedCapacity, { CapacityUnits: 2, TableName });
  assert.equal((await put({ pk: { S: 'capacity' }, sk: { N: '1' } })).ConsumedCapacity, undefined);
});
