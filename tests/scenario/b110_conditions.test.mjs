// Condition expressions: every operator and function, and what a failed one answers.

import assert from 'node:assert/strict';
import test, { after, before, beforeEach } from 'node:test';
import {
  DeleteCommand, GetCommand, PutCommand, UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { startWeir } from './lib/weir.mjs';
import { createTable, fails } from './lib/tables.mjs';

const TableName = 'b110-items';
const Key = { pk: 'a' };
let weir;

before(async () => {
  weir = await startWeir();
  await createTable(weir.db, { name: TableName, key: { pk: 'S' } });
});
after(() => weir.close());
beforeEach(() => weir.docs.send(new PutCommand({
  TableName,
  Item: {
    ...Key, count: 5, name: 'weir', flag: true, nil: null, many: [1, 'two', { three: 3 }],
    tree: { deep: { x: 7 } }, tags: new Set(['red', 'blue']), note: 'hello world', bytes: new Uint8Array([1, 2]),
  },
})));

// Whether a condition on the item holds, told by a delete that does or does not happen.
async function holds(ConditionExpression, values, names) {
  const ExpressionAttributeValues = values && Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`:${name}`, value]));
  try {
    await weir.docs.send(new DeleteCommand({
      TableName, Key, ConditionExpression, ExpressionAttributeValues, ExpressionAttributeNames: names,
    }));
    return true;
  } catch (error) {
    assert.equal(error.name, 'ConditionalCheckFailedException', `${error.name}: ${error.message}`);
    const { Item } = await weir.docs.send(new GetCommand({ TableName, Key }));
    assert.ok(Item, 'a failed condition must change nothing');
    return false;
  }
}

const N = { '#n': 'name' };
const C = { '#c': 'count' };
const cases = [
  ['#c = :v', { v: 5 }, true, C],
  ['#c = :v', { v: '5' }, false, C],
  ['#c <> :v', { v: '5' }, true, C],
  ['#c < :v', { v: 6 }, true, C],
  ['#c <= :v', { v: 5 }, true, C],
  ['#c > :v', { v: 5 }, false, C],
  ['#c >= :v', { v: 4.999 }, true, C],
  ['#c < :v', { v: 'text' }, false, C],
  ['absent < :v', { v: 6 }, false],
  ['absent <> :v', { v: 6 }, true],
  ['#c BETWEEN :a AND :b', { a: 5, b: 9 }, true, C],
  ['#c BETWEEN :a AND :b', { a: 6, b: 9 }, false, C],
  ['#c IN (:a, :b)', { a: 1, b: 5 }, true, C],
  ['#c IN (:a)', { a: 1 }, false, C],
  ['attribute_exists(flag)', undefined, true],
  ['attribute_exists(tree.deep.x)', undefined, true],
  ['attribute_exists(many[3])', undefined, false],
  ['attribute_not_exists(absent)', undefined, true],
  ['attribute_not_exists(nil)', undefined, false],
  ['attribute_type(nil, :v)', { v: 'NULL' }, true],
  ['attribute_type(tags, :v)', { v: 'SS' }, true],
  ['attribute_type(#c, :v)', { v: 'S' }, false, C],
  ['begins_with(note, :v)', { v: 'hello' }, true],
  ['begins_with(note, :v)', { v: 'world' }, false],
  ['contains(note, :v)', { v: 'o w' }, true],
  ['contains(tags, :v)', { v: 'red' }, true],
  ['contains(tags, :v)', { v: 're' }, false],
  ['contains(many, :v)', { v: 'two' }, true],
  ['contains(many, :v)', { v: { three: 3 } }, true],
  ['size(note) = :v', { v: 11 }, true],
  ['size(many) = :v', { v: 3 }, true],
  ['size(tree) = :v', { v: 1 }, true],
  ['size(tags) = :v', { v: 2 }, true],
  ['size(bytes) = :v', { v: 2 }, true],
  ['size(absent) = :v', { v: 2 }, false],
  ['tree.deep.x = many[0]', undefined, false],
  ['tree.deep = :v', { v: { x: 7 } }, true],
  ['tags = :v', { v: new Set(['blue', 'red']) }, true],
  ['many[2].three = :v', { v: 3 }, true],
  ['flag = :v AND #c = :w', { v: true, w: 6 }, false, C],
  ['flag = :v OR #c = :w', { v: true, w: 6 }, true, C],
  ['NOT flag = :v', { v: false }, true],
  ['NOT (flag = :v OR #c = :w)', { v: false, w: 6 }, true, C],
  ['flag = :v OR flag = :w AND #c = :w', { v: true, w: 0 }, true, C],
  ['#n = :v and Attribute_Exists(flag)', { v: 'weir' }, undefined, N],
  ['#n = :v and attribute_exists(flag)', { v: 'weir' }, true, N],
];
for (const [expression, values, expected, names] of cases) {
  const shown = values ? JSON.stringify(values, (_, value) => (value instanceof Set ? [...value] : value)) : '';
  if (expected === undefined) {
    test(`${expression} is no function`, async () => {
      await fails(weir.docs.send(new DeleteCommand({
        TableName, Key, ConditionExpression: expression, ExpressionAttributeNames: names,
        ExpressionAttributeValues: { ':v': 'weir' },
      })), 'ValidationException',
      'Invalid ConditionExpression: Invalid function name; function: Attribute_Exists');
    });
  } else {
    test(`${expression} ${shown} is ${expected}`, async () => {
      assert.equal(await holds(expression, values, names), expected);
    });
  }
}

test('put-if-absent', async () => {
  const put = (pk) => weir.docs.send(new PutCommand(
    { TableName, Item: { pk, fresh: 1 }, ConditionExpression: 'attribute_not_exists(pk)' }));
  await put('new');
  await fails(put('new'), 'ConditionalCheckFailedException', 'The conditional request failed');
});

test('a failed condition can return the item', async () => {
  const error = await fails(weir.docs.send(new UpdateCommand({
    TableName, Key, UpdateExpression: 'SET x = :x', ConditionExpression: 'attribute_exists(absent)',
    ExpressionAttributeValues: { ':x': 1 }, ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  })), 'ConditionalCheckFailedException', 'The conditional request failed');
  assert.equal(error.Item.count.N ?? error.Item.count, '5');
});

test('a failed condition on an absent item creates nothing', async () => {
  await fails(weir.docs.send(new UpdateCommand({
    TableName, Key: { pk: 'ghost' }, UpdateExpression: 'SET x = :x', ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeValues: { ':x': 1 },
  })), 'ConditionalCheckFailedException');
  assert.equal((await weir.docs.send(new GetCommand({ TableName, Key: { pk: 'ghost' } }))).Item, undefined);
});

const invalid = [
  ['count ==', undefined, /^Invalid ConditionExpression: Syntax error; token: "=", near: "=="?/],
  ['', undefined, 'Invalid ConditionExpression: The expression can not be empty;'],
  ['name = :v', { ':v': 1 }, 'Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: name'],
  ['x = :v', undefined, 'Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :v'],
  ['#x = :v', { ':v': 1 }, 'Invalid ConditionExpression: An expression attribute name used in the document path is not defined; attribute name: #x'],
  ['nofunction(x)', undefined, 'Invalid ConditionExpression: Invalid function name; function: nofunction'],
  ['begins_with(x)', undefined, 'Invalid ConditionExpression: Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 1'],
  ['attribute_type(x, :v)', { ':v': 'nope' }, /Invalid attribute type name found; type: nope/],
  ['x BETWEEN :a AND :b', { ':a': 2, ':b': 1 }, /BETWEEN operator requires upper bound to be greater than or equal to lower bound/],
  ['x = :v', { ':v': 1, ':w': 2 }, 'Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}'],
];
for (const [ConditionExpression, ExpressionAttributeValues, message] of invalid) {
  test(`${ConditionExpression || 'an empty condition'} is refused`, async () => {
    await fails(weir.docs.send(new DeleteCommand(
      { TableName, Key, ConditionExpression, ExpressionAttributeValues })), 'ValidationException', message);
    assert.ok((await weir.docs.send(new GetCommand({ TableName, Key }))).Item);
  });
}

test('of many writers with the same condition one wins', async () => {
  const wins = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => weir.docs.send(
    new PutCommand({ TableName, Item: { pk: 'race', i }, ConditionExpression: 'attribute_not_exists(pk)' }))));
  assert.equal(wins.filter(({ status }) => status === 'fulfilled').length, 1);
});
