// Update expressions: SET, REMOVE, ADD, DELETE, what they return, and what they refuse.

import assert from 'node:assert/strict';
import test, { after, before, beforeEach } from 'node:test';
import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { startWeir } from './lib/weir.mjs';
import { createTable, fails } from './lib/tables.mjs';

const TableName = 'b120-items';
const Key = { pk: 'a', sk: 1 };
const item = () => ({
  ...Key, count: 5, note: 'old', many: [1, 2, 3], tree: { x: 1, y: { z: 2 } },
  tags: new Set(['red', 'blue']), numbers: new Set([1, 2]),
});
let weir;

before(async () => {
  weir = await startWeir();
  await createTable(weir.db, { name: TableName, key: { pk: 'S', sk: 'N' } });
});
after(() => weir.close());
beforeEach(() => weir.docs.send(new PutCommand({ TableName, Item: item() })));

const update = (UpdateExpression, values, more = {}) => weir.docs.send(new UpdateCommand({
  TableName, Key, UpdateExpression,
  ExpressionAttributeValues: values && Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`:${name}`, value])),
  ...more,
}));
const now = async () => (await weir.docs.send(new GetCommand({ TableName, Key }))).Item;
const C = { ExpressionAttributeNames: { '#c': 'count' } };

const works = [
  ['SET #c = #c + :v', { v: 2 }, { count: 7 }, C],
  ['SET #c = #c - :v', { v: 7.5 }, { count: -2.5 }, C],
  ['SET #c = :v - #c', { v: 1 }, { count: -4 }, C],
  ['SET fresh = :v', { v: { a: [1] } }, { fresh: { a: [1] } }],
  ['SET fresh = if_not_exists(fresh, :v), note = if_not_exists(note, :v)', { v: 'n' }, { fresh: 'n' }],
  ['SET fresh = if_not_exists(fresh, :z) + :v', { z: 0, v: 1 }, { fresh: 1 }],
  ['SET many = list_append(many, :v)', { v: [4] }, { many: [1, 2, 3, 4] }],
  ['SET many = list_append(:v, many)', { v: [0] }, { many: [0, 1, 2, 3] }],
  ['SET many[1] = :v', { v: 'two' }, { many: [1, 'two', 3] }],
  ['SET many[9] = :v', { v: 'end' }, { many: [1, 2, 3, 'end'] }],
  ['SET tree.y.z = :v, tree.w = :v', { v: 9 }, { tree: { x: 1, y: { z: 9 }, w: 9 } }],
  ['SET a = note, note = :v', { v: 'new' }, { a: 'old', note: 'new' }],
  ['REMOVE note', undefined, { note: undefined }],
  ['REMOVE absent', undefined, {}],
  ['REMOVE many[0], many[2]', undefined, { many: [2] }],
  ['REMOVE tree.y', undefined, { tree: { x: 1 } }],
  ['ADD #c :v', { v: -1.5 }, { count: 3.5 }, C],
  ['ADD fresh :v', { v: 3 }, { fresh: 3 }],
  ['ADD tags :v', { v: new Set(['green', 'red']) }, { tags: new Set(['blue', 'green', 'red']) }],
  ['DELETE tags :v', { v: new Set(['red', 'absent']) }, { tags: new Set(['blue']) }],
  ['DELETE tags :v', { v: new Set(['red', 'blue']) }, { tags: undefined }],
  ['SET note = :v REMOVE tree ADD #c :n DELETE tags :t', { v: 'n', n: 1, t: new Set(['red']) },
    { note: 'n', tree: undefined, count: 6, tags: new Set(['blue']) }, C],
  ['set note = :v remove tree', { v: 'lower case' }, { note: 'lower case', tree: undefined }],
];
for (const [expression, values, changes, more] of works) {
  test(expression, async () => {
    await update(expression, values, more);
    const expected = { ...item(), ...changes };
    Object.keys(expected).forEach((name) => expected[name] === undefined && delete expected[name]);
    assert.deepEqual(await now(), expected);
  });
}

test('an update of an absent item creates it, with and without an expression', async () => {
  await weir.docs.send(new UpdateCommand({ TableName, Key: { pk: 'new', sk: 1 } }));
  assert.deepEqual((await weir.docs.send(new GetCommand({ TableName, Key: { pk: 'new', sk: 1 } }))).Item,
    { pk: 'new', sk: 1 });
  await weir.docs.send(new UpdateCommand({
    TableName, Key: { pk: 'new', sk: 2 }, UpdateExpression: 'SET x = :v', ExpressionAttributeValues: { ':v': 1 } }));
  assert.deepEqual((await weir.docs.send(new GetCommand({ TableName, Key: { pk: 'new', sk: 2 } }))).Item,
    { pk: 'new', sk: 2, x: 1 });
});

const returned = [
  ['NONE', undefined],
  ['ALL_OLD', item()],
  ['ALL_NEW', { ...item(), note: 'new', tree: { x: 1, y: { z: 3 } }, fresh: 1 }],
  ['UPDATED_OLD', { note: 'old', tree: { y: { z: 2 } } }],
  ['UPDATED_NEW', { note: 'new', tree: { y: { z: 3 } }, fresh: 1 }],
];
for (const [ReturnValues, expected] of returned) {
  test(`ReturnValues ${ReturnValues}`, async () => {
    const { Attributes } = await update('SET note = :t, tree.y.z = :z, fresh = :f', { t: 'new', z: 3, f: 1 },
      { ReturnValues });
    assert.deepEqual(Attributes, expected);
  });
}

const invalid = [
  ['SET pk = :v', { v: 'x' }, 'One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key'],
  ['SET note = :v, note = :v', { v: 1 }, 'Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [note], path two: [note]'],
  ['SET tree = :v REMOVE tree.x', { v: 1 }, 'Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [tree], path two: [tree, x]'],
  ['SET note = :v SET many = :v', { v: 1 }, 'Invalid UpdateExpression: The "SET" section can only be used once in an update expression;'],
  ['SET absent.x = :v', { v: 1 }, 'The document path provided in the update expression is invalid for update'],
  ['SET note.x = :v', { v: 1 }, 'The document path provided in the update expression is invalid for update'],
  ['SET x = absent', undefined, 'The provided expression refers to an attribute that does not exist in the item'],
  ['SET x = absent + :v', { v: 1 }, 'The provided expression refers to an attribute that does not exist in the item'],
  ['SET x = note + :v', { v: 1 }, 'An operand in the update expression has an incorrect data type'],
  ['SET x = #c + :v', { v: 'a' }, 'Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +, operand type: S', C],
  ['SET x = list_append(note, :v)', { v: [1] }, 'An operand in the update expression has an incorrect data type'],
  ['ADD note :v', { v: 1 }, 'An operand in the update expression has an incorrect data type'],
  ['ADD x :v', { v: 'a' }, /^Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING(, typeSet: ALLOWED_FOR_ADD_OPERAND)?$/],
  ['DELETE tags :v', { v: 'red' }, /^Invalid UpdateExpression: Incorrect operand type for operator or function; operator: DELETE, operand type: STRING(, typeSet: ALLOWED_FOR_DELETE_OPERAND)?$/],
  ['SET x = :v', undefined, 'Invalid UpdateExpression: An expression attribute value used in expression is not defined; attribute value: :v'],
  ['SET #x = :v', { v: 1 }, 'Invalid UpdateExpression: An expression attribute name used in the document path is not defined; attribute name: #x'],
  ['SET name = :v', { v: 1 }, 'Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: name'],
  ['SET x = :v', { v: 1, w: 2 }, 'Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}'],
  ['SET x == :v', { v: 1 }, /^Invalid UpdateExpression: Syntax error; token: "="/],
  ['PUT x :v', { v: 1 }, /^Invalid UpdateExpression: Syntax error; token: "PUT"/],
  ['', undefined, 'Invalid UpdateExpression: The expression can not be empty;'],
];
for (const [expression, values, message, more] of invalid) {
  test(`${expression || 'an empty expression'} is refused${values && 'w' in values ? ' with an unused value' : ''}`, async () => {
    await fails(update(expression, values, more), 'ValidationException', message);
    assert.deepEqual(await now(), item());
  });
}

test('a counter counts every one of many concurrent updates', async () => {
  await Promise.all(Array.from({ length: 100 }, () => update('ADD hits :one', { one: 1 })));
  assert.equal((await now()).hits, 100);
});

test('numbers keep 38 digits through arithmetic', async () => {
  const answer = await weir.db.send(new UpdateItemCommand({
    TableName, Key: { pk: { S: 'digits' }, sk: { N: '1' } }, UpdateExpression: 'SET x = :a + :b',
    ExpressionAttributeValues: { ':a': { N: '12345678901234567890123456789012345678' }, ':b': { N: '1' } },
    ReturnValues: 'UPDATED_NEW',
  }));
  assert.equal(answer.Attributes.x.N, '12345678901234567890123456789012345679');
});

test('an update may not grow an item past 400 KB', async () => {
  await update('SET big = :v', { v: 'x'.repeat(300 * 1024) });
  await fails(update('SET more = :v', { v: 'x'.repeat(150 * 1024) }), 'ValidationException',
    'Item size to update has exceeded the maximum allowed size');
  assert.equal((await now()).more, undefined);
});
