// The command line against a running weir: items, streams, status, and how it says no.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import test, { after, before } from 'node:test';
import { runCli, startCli } from './lib/cli.mjs';
import { elsewhere, startWeir } from './lib/weir.mjs';

const CONFIG = `tables:
  orders:
    key: { customer: S, placed: S }
    stream: new_and_old_images
    indexes: { by_state: { state: S, placed: S } }
  copies:
    key: { id: S }
pipelines:
  copy:
    source: { table: orders }
    filter: { eventName: [INSERT, MODIFY] }
    steps:
      - put: { table: copies, item: { id: "\${new.placed}" } }
`;

const skip = elsewhere;
let weir;

before(async () => {
  if (!elsewhere) {
    weir = await startWeir({ config: CONFIG });
  }
});
after(() => weir?.close());

const start = (args, options) => startCli(weir?.endpoint, args, options);
const run = (args, options) => runCli(weir?.endpoint, args, options);

// Run, and want it to go well without a word on standard error; its output.
async function done(args, options) {
  const { code, out, err } = await run(args, options);
  assert.deepEqual({ code, err }, { code: 0, err: '' }, `weir ${args.join(' ')}`);
  return out;
}

const lines = (out) => out.split('\n').filter(Boolean).map((line) => JSON.parse(line));

test('items go in and come out', { skip }, async () => {
  const item = { customer: 'ada', placed: '2025-11-01', state: 'open', total: 12.5, tags: ['a', { b: null }], gone: false };
  assert.equal(await done(['put', 'orders', JSON.stringify(item)]), '');
  assert.deepEqual(JSON.parse(await done(['get', 'orders', '{"customer":"ada","placed":"2025-11-01"}'])), item);

  const many = ['{"customer":"ada","placed":"2025-11-02","state":"open"}', '',
    '{"customer":"ada","placed":"2025-12-01","state":"paid"}', '{"customer":"bob","placed":"2025-11-03","state":"open"}'];
  assert.equal(await done(['put', 'orders', '-', '--json'], { input: many.join('\n') }), '{"items":3}\n');
  assert.equal(lines(await done(['scan', 'orders'])).length, 4);

  assert.equal(await done(['delete', 'orders', '{"customer":"bob","placed":"2025-11-03"}']), '');
  const gone = await run(['get', 'orders', '{"customer":"bob","placed":"2025-11-03"}']);
  assert.deepEqual(gone, { code: 1, out: '', err: 'weir: table orders has no such item\n' });
  assert.equal((await run(['delete', 'orders', '{"customer":"bob","placed":"2025-11-03"}'])).code, 1);
});

test('numbers stay exact', { skip }, async () => {
  const number = '12345678901234567890123456789012345678';
  await done(['put', 'copies', `{"id":"exact","n":${number}}`]);
  assert.equal(await done(['get', 'copies', '{"id":"exact"}']), `{"id":"exact","n":${number}}\n`);
});

test('DynamoDB JSON goes in and comes out', { skip }, async () => {
  const item = { id: { S: 'sets' }, b: { B: 'AAE=' }, s: { SS: ['x', 'y'] } };
  await done(['put', 'copies', '--ddb', JSON.stringify(item)]);
  assert.deepEqual(JSON.parse(await done(['get', 'copies', '{"id":{"S":"sets"}}', '--ddb'])), item);
  assert.deepEqual(JSON.parse(await done(['get', 'copies', '{"id":"sets"}'])),
    { id: 'sets', b: 'AAE=', s: ['x', 'y'] });
});

test('queries find by key, range and index', { skip }, async () => {
  const placed = async (...args) => lines(await done(['query', 'orders', ...args])).map((item) => item.placed);
  const ada = ['--key', '{"customer":"ada"}'];
  assert.deepEqual(await placed(...ada), ['2025-11-01', '2025-11-02', '2025-12-01']);
  assert.deepEqual(await placed(...ada, '--reverse', '-n', '2'), ['2025-12-01', '2025-11-02']);
  assert.deepEqual(await placed(...ada, '--begins-with', '{"placed":"2025-11"}'), ['2025-11-01', '2025-11-02']);
  assert.deepEqual(await placed(...ada, '--from', '{"placed":"2025-11-02"}'), ['2025-11-02', '2025-12-01']);
  assert.deepEqual(await placed(...ada, '--to', '{"placed":"2025-11-02"}'), ['2025-11-01', '2025-11-02']);
  assert.deepEqual(
    await placed(...ada, '--from', '{"placed":"2025-11-02"}', '--to', '{"placed":"2025-11-30"}'), ['2025-11-02']);
  assert.deepEqual(await placed('--key', '{"customer":"ada","placed":"2025-12-01"}'), ['2025-12-01']);
  assert.deepEqual(await placed('-i', 'by_state', '-k', '{"state":"open"}'), ['2025-11-01', '2025-11-02']);
  assert.deepEqual(await placed(...ada, '--filter', '#s = :s', '--names', '{"#s":"state"}', '--values', '{":s":"paid"}'),
    ['2025-12-01']);
});

test('pages are followed to the end', { skip }, async () => {
  const pad = 'x'.repeat(100_000); // a page is 1 MiB
  const input = Array.from({ length: 30 }, (_, i) => `{"id":"page-${i}","pad":"${pad}"}\n`).join('');
  await done(['put', 'copies', '-'], { input });
  const ids = (out) => lines(out).map((item) => item.id).filter((id) => id.startsWith('page-'));
  assert.equal(new Set(ids(await done(['scan', 'copies']))).size, 30);
  const some = ['scan', 'copies', '--limit', '25', '--filter', 'begins_with(id, :p)', '--values', '{":p":"page-"}'];
  assert.equal(new Set(ids(await done(some))).size, 25);
});

test('tail follows a table', { skip }, async () => {
  const child = start(['tail', 'orders', '--from', 'oldest', '--json']);
  const records = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const names = [];
  for (let i = 0; i < 5; i += 1) {
    names.push(JSON.parse((await records.next()).value).eventName);
  }
  assert.deepEqual(names.sort(), ['INSERT', 'INSERT', 'INSERT', 'INSERT', 'REMOVE']);
  // It has come to the end, and now it waits.
  await done(['put', 'orders', '{"customer":"eve","placed":"now","n":1}']);
  const record = JSON.parse((await records.next()).value);
  assert.deepEqual(record.dynamodb.NewImage, { customer: { S: 'eve' }, placed: { S: 'now' }, n: { N: '1' } });
  await done(['put', 'orders', '{"customer":"eve","placed":"now","n":2}']);
  assert.equal(JSON.parse((await records.next()).value).eventName, 'MODIFY');
  child.kill();

  const people = await done(['tail', 'orders', '--from', 'oldest', '-n', '7']);
  assert.match(people, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}MODIFY {2}\{"customer":"eve","placed":"now"\}\n {4}old {2}\{"customer":"eve","n":1,"placed":"now"\}\n {4}new {2}\{"customer":"eve","n":2,"placed":"now"\}$/m);
});

test('status shows tables and pipelines', { skip }, async () => {
  const status = JSON.parse(await done(['status', '--json']));
  assert.deepEqual(status.tables.map((table) => table.name), ['copies', 'orders']);
  assert.deepEqual(status.pipelines.map((pipeline) => pipeline.name), ['copy']);
  const page = await done(['status']);
  assert.match(page, /^weir \d+\.\d+\.\d+, up for \d/);
  assert.match(page, /^TABLE {3}STREAM$/m);
  assert.match(page, /^orders {2}NEW_AND_OLD_IMAGES$/m);
  assert.match(page, /^copies {2}-$/m);
  assert.match(page, /^PIPELINE +SOURCE +RECORDS +FILTERED +ERRORS +BEHIND +LAG +STATE$/m);
});

test('refusals are explained, and end with 1', { skip }, async () => {
  for (const [args, message] of [
    [['put', 'orders', '{"customer":"ada","placed":"2025-11-01"}', '--condition', 'attribute_not_exists(customer)'],
      /^weir: ConditionalCheckFailedException: The conditional request failed\n$/],
    [['scan', 'nope'], /^weir: ResourceNotFoundException: /],
    [['get', 'orders', '{"customer":"ada"}'], /^weir: ValidationException: /],
    [['tail', 'nope'], /^weir: not_found: .*nope/],
    [['tail', 'copies'], /^weir: invalid: table copies has no stream/],
  ]) {
    const { code, out, err } = await run(args);
    assert.deepEqual({ code, out }, { code: 1, out: '' }, args.join(' '));
    assert.match(err, message);
  }
});

test('wrong lines are explained, and end with 2', { skip }, async () => {
  for (const [args, message] of [
    [['puts'], /there is no command 'puts'; did you mean 'put'\?/],
    [['scan', 'orders', '--limt', '3'], /has no option --limt; did you mean --limit\?/],
    [['put', 'orders', '{"id":'], /the item is not JSON: .*\(at byte \d+\)/],
    [['put', 'orders', '[1]'], /the item: expected an object, found an array/],
    [['query', 'orders'], /weir query needs --key/],
    [['tail', 'orders', '--from', 'yesterday'], /--from is latest or oldest, not 'yesterday'/],
    [['status', '-e', 'weir.example'], /expected http:\/\//],
  ]) {
    const { code, out, err } = await run(args);
    assert.deepEqual({ code, out }, { code: 2, out: '' }, args.join(' '));
    assert.match(err, message);
  }
  const { code, out, err } = await run(['put', 'copies', '-', '--json'], { input: '{"id":"l1"}\n{"id":}\n{"id":"l3"}\n' });
  assert.deepEqual({ code, out }, { code: 2, out: '{"items":1}\n' });
  assert.match(err, /line 2 .*\n.*stopped at line 2: 1 item is written/);
});

test('no weir ends with 3', { skip }, async () => {
  const { code, err } = await run(['scan', 'orders'], { env: { WEIR_ENDPOINT: 'http://127.0.0.1:1' } });
  assert.equal(code, 3);
  assert.match(err, /no answer from http:\/\/127\.0\.0\.1:1: .*\n.*weir serve/);
});

test('requests are signed with the credentials of the environment', { skip }, async () => {
  const env = { ORDERS_SECRET: 'hush' };
  Object.assign(process.env, env);
  const closed = await startWeir({
    config: 'tables:\n  orders: { key: { id: S }, stream: new_image }\n'
      + 'credentials:\n  - { access_key_id: orders, secret_access_key: !env ORDERS_SECRET }\n',
  });
  const as = (id, secret) => ({
    env: { WEIR_ENDPOINT: closed.endpoint, WEIR_ACCESS_KEY_ID: id, WEIR_SECRET_ACCESS_KEY: secret },
  });
  await done(['put', 'orders', '{"id":"ü"}'], as('orders', 'hush'));
  assert.equal(await done(['get', 'orders', '{"id":"ü"}'], as('orders', 'hush')), '{"id":"ü"}\n');
  for (const [id, secret] of [['orders', 'wrong'], ['other', 'hush'], ['', '']]) {
    const { code, err } = await run(['scan', 'orders'], as(id, secret));
    assert.equal(code, 1);
    assert.match(err, /^weir: \w+Exception: /);
  }
  await closed.close();
});

test('check finds weir.yaml, and says all in one pass', { skip }, async () => {
  const cwd = await mkdtemp(path.join(tmpdir(), 'weir-test-'));
  const none = await run(['check'], { cwd });
  assert.deepEqual({ code: none.code, out: none.out }, { code: 1, out: '' });
  assert.match(none.err, /no weir\.yaml here/);

  await writeFile(path.join(cwd, 'weir.yaml'), CONFIG);
  assert.equal(await done(['check'], { cwd }), 'weir.yaml: right: 2 tables, 1 pipeline\n');

  await writeFile(path.join(cwd, 'weir.yaml'), CONFIG.replace('table: orders', 'table: order').replace('S, placed', 'T, placed'));
  const wrong = await run(['check', '--json'], { cwd });
  assert.equal(wrong.code, 1);
  const said = JSON.parse(wrong.out);
  assert.equal(said.file, 'weir.yaml');
  assert.equal(said.errors, said.diagnostics.filter((one) => one.level === 'error').length);
  assert.ok(said.diagnostics.some((one) => one.line === 3 && /must be of type S/.test(one.text)), wrong.out);
  assert.ok(said.diagnostics.some((one) => one.level === 'warning' && one.line === 10 && /'order'/.test(one.text)), wrong.out);
  await rm(cwd, { recursive: true });
});

test('help and version', { skip }, async () => {
  assert.match(await done([]), /^ {2}serve +Run the server/m);
  assert.equal(await done(['--help']), await done(['help']));
  assert.equal(await done(['get', '-h']), await done(['help', 'get']));
  assert.match(await done(['help', 'step', 'put']), /^ {2}table +string +.*\(required\)$/m);
  assert.match(await done(['help', 'errors']), /^\| `conflict` \| 409 \| yes \|/m);
  assert.match(await done(['version']), /^weir \d+\.\d+\.\d+\n$/);
  assert.match((await run(['help', 'step', 'putt'])).err, /did you mean 'put'\?/);
});
