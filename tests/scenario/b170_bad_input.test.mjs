// Requests that no SDK would send: each gets a clear error, none writes anything, and the process
// goes on.

import assert from 'node:assert/strict';
import net from 'node:net';
import test, { after, afterEach, before } from 'node:test';
import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { startWeir } from './lib/weir.mjs';
import { createTable } from './lib/tables.mjs';

const TableName = 'b170-items';
const PUT = 'DynamoDB_20120810.PutItem';
let weir;

before(async () => {
  weir = await startWeir();
  await createTable(weir.db, { name: TableName, key: { pk: 'S' } });
  await weir.docs.send(new PutCommand({ TableName, Item: { pk: 'kept' } }));
});
afterEach(async () => {
  weir.assertClean();
  const { Items } = await weir.docs.send(new ScanCommand({ TableName }));
  assert.deepEqual(Items, [{ pk: 'kept' }], 'nothing may be written');
});
after(() => weir.close());

// The request must be answered with this status, this error type, and a message unless it is of a
// kind for which AWS gives none.
async function refused(request, { status = 400, type, message }) {
  const answer = await weir.request(request);
  assert.equal(answer.status, status, answer.text);
  assert.ok(answer.json, `an answer must be JSON: ${answer.text}`);
  assert.match(answer.json.__type, new RegExp(`#${type}$`), answer.text);
  if (message) {
    assert.match(answer.json.message ?? answer.json.Message, message);
  }
  return answer;
}

const whole = JSON.stringify({ TableName, Item: { pk: { S: 'new' }, list: { L: [{ N: '1' }, { S: 'é' }] } } });

test('JSON cut at every byte', async () => {
  const bytes = Buffer.from(whole);
  for (let end = 0; end < bytes.length; end++) {
    await refused({ target: PUT, body: bytes.subarray(0, end) },
      { type: end === 0 ? '(SerializationException|ValidationException)' : 'SerializationException' });
  }
});

const item = (value) => `{"TableName":"${TableName}","Item":{"pk":{"S":"new"},"x":${value}}}`;
const deep = (levels, open, close) => open.repeat(levels) + close.repeat(levels);
const serialization = [
  ['text after the value', `${whole} {}`],
  ['an array', '[]'],
  ['a bare number', '7'],
  ['a trailing comma', '{"TableName":"x",}'],
  ['single quotes', "{'TableName':'x'}"],
  ['a comment', '{/* */"TableName":"x"}'],
  ['a raw control character', `{"TableName":"a${String.fromCharCode(1)}b"}`],
  ['a bad escape', '{"TableName":"\\q"}'],
  ['half an escape', '{"TableName":"\\u12"}'],
  ['NaN', item('{"N":NaN}')],
  ['a name that is a number', `{"TableName":5,"Item":{"pk":{"S":"new"}}}`],
  ['an item that is a list', `{"TableName":"${TableName}","Item":[]}`],
  ['an attribute that is a text', item('"text"')],
  ['a number that is a number', item('{"N":5}')],
  ['a text that is a number', item('{"S":5}')],
  ['a list that is an object', item('{"L":{}}')],
  ['a set that is a text', item('{"SS":"a"}')],
  ['a flag that is a text', item('{"BOOL":"perhaps"}')],
  ['100,000 open brackets', '['.repeat(100_000)],
  ['nesting past every limit', item(`${'{"L":['.repeat(20_000)}${']}'.repeat(20_000)}`)],
];
for (const [what, body] of serialization) {
  test(`${what} is a SerializationException or ValidationException`, async () => {
    await refused({ target: PUT, body }, { type: '(SerializationException|ValidationException)' });
  });
}

test('bytes that are not UTF-8', async () => {
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
    const body = Buffer.concat([Buffer.from(`{"TableName":"${TableName}","Item":{"pk":{"S":"new`), Buffer.from(bytes), Buffer.from('"}}}')]);
    await refused({ target: PUT, body }, { type: '(SerializationException|ValidationException)' });
  }
});

const validation = [
  ['two types in one value', item('{"S":"a","N":"1"}'), /more than one datatypes set/],
  ['no type in a value', item('{}'), /Supplied AttributeValue is empty, must contain exactly one of the supported datatypes/],
  ['an unknown type', item('{"Q":"a"}'), /Supplied AttributeValue is empty, must contain exactly one of the supported datatypes/],
  ['base64 that is none', item('{"B":"***"}'), undefined],
  ['an item nested 33 deep', item(deep(33, '{"L":[', ']}').replace('[]', '[{"S":"x"}]')), /Nesting Levels have exceeded supported limits/],
  ['no table', '{"Item":{"pk":{"S":"new"}}}', /tableName|TableName/],
  ['no item', `{"TableName":"${TableName}"}`, /'item' failed to satisfy constraint: Member must not be null|Item/],
];
for (const [what, body, message] of validation) {
  test(`${what} is a ValidationException`, async () => {
    await refused({ target: PUT, body }, { type: '(ValidationException|SerializationException)', message });
  });
}

test('an unknown operation', async () => {
  await refused({ target: 'DynamoDB_20120810.MakeCoffee', body: '{}' }, { type: 'UnknownOperationException' });
});

test('an unknown service, and no target', async () => {
  for (const target of ['Teapot_20120810.PutItem', 'DynamoDB_20990101.PutItem', 'PutItem', '.', undefined]) {
    const answer = await weir.request({ target, body: '{}' });
    assert.ok(answer.status >= 400 && answer.status < 500, `${target}: ${answer.status} ${answer.text}`);
  }
});

test('other methods and paths', async () => {
  for (const [method, path] of [['PUT', '/'], ['DELETE', '/'], ['GET', '/no/such/page'], ['POST', '/../../etc/passwd']]) {
    const answer = await weir.request({ method, path, target: PUT, body: whole });
    assert.ok(answer.status >= 400 && answer.status < 500, `${method} ${path}: ${answer.status}`);
  }
});

test('a body past 16 MB', async () => {
  const answer = await weir.request({ target: PUT, body: item(`{"S":"${'x'.repeat(17 * 1024 * 1024)}"}`) })
    .catch((error) => ({ status: 413, error })); // the connection may be closed while we still send
  assert.ok([400, 413].includes(answer.status), `${answer.status} ${answer.text}`);
});

// Send bytes as they are and give what comes back until the other side closes.
function raw(bytes) {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(weir.endpoint);
    const socket = net.connect(Number(port), hostname, () => socket.end(bytes));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', (error) => (error.code === 'ECONNRESET' ? resolve(text) : reject(error)));
  });
}

const head = `POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: ${PUT}\r\nContent-Type: application/x-amz-json-1.0\r\n`;
const broken = [
  ['no HTTP', 'hello\r\n\r\n'],
  ['TLS', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03])],
  ['two lengths', `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   `],
  ['a length and chunks', `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['a negative length', `${head}Content-Length: -5\r\n\r\n`],
  ['a length past 64 bits', `${head}Content-Length: 99999999999999999999\r\n\r\n`],
  ['a bad chunk', `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
  ['a header of 1 MB', `${head}X-Long: ${'x'.repeat(1 << 20)}\r\n\r\n`],
  ['100,000 headers', head + 'A: b\r\n'.repeat(100_000) + '\r\n'],
  ['a header without a colon', `${head}nonsense\r\n\r\n`],
  ['less body than promised', `${head}Content-Length: ${whole.length + 10}\r\n\r\n${whole}`],
];
for (const [what, bytes] of broken) {
  test(`${what} is answered with 4xx or the connection is closed`, async () => {
    const text = await raw(bytes);
    assert.ok(text === '' || /^HTTP\/1\.1 4\d\d /.test(text), text.slice(0, 200));
  });
}
