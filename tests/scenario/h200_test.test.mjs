// weir test: the examples of the documentation, the examples' own tests, and how a failure is told.

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { runCli } from './lib/cli.mjs';
import { ROOT } from './lib/weir.mjs';

let folder;
before(async () => { folder = await mkdtemp(path.join(tmpdir(), 'weir-test-')); });
after(() => rm(folder, { recursive: true }));

// Run `weir ARGS`; code, out and err.
const run = (...args) => runCli(undefined, args, { cwd: folder });

const write = (name, text) => writeFile(path.join(folder, name), text);

const CONFIG = `tables:
  orders: { key: { id: S }, stream: new_and_old_images }
  copies: { key: { id: S } }
queues:
  mail: {}
pipelines:
  copy:
    source: { table: orders, window: 5s }
    steps:
      - put: { table: copies, item: { id: "\${keys.id}", total: "\${new.total}" } }
`;

// Run one test with these steps; code, out, and the failure without its spaces in front.
async function runSteps(steps) {
  await write('weir.yaml', CONFIG);
  await write('one.yaml', `tests:\n  one:\n${steps.trim().split('\n').map((line) => `    ${line}\n`).join('')}`);
  return run('test', 'one.yaml');
}

test('the examples of docs/testing.md pass', async () => {
  const page = await readFile(path.join(ROOT, 'docs/testing.md'), 'utf8');
  const blocks = [...page.matchAll(/```yaml\n# (\S+)(?: for (\S+))?\n([\s\S]*?)```/g)];
  const tests = blocks.filter(([, name]) => name === 'test.yaml');
  assert.ok(tests.length >= 4);
  for (const [i, [, , what, text]] of tests.entries()) {
    const [, , , config] = blocks.find(([, name, of]) => name === 'weir.yaml' && of === what);
    await write('weir.yaml', config);
    await write(`page${i}.yaml`, text);
    const { code, out, err } = await run('test', `page${i}.yaml`);
    assert.equal(code, 0, out + err);
    assert.match(out, /, 0 failed/);
  }
});

const examples = readdirSync(path.join(ROOT, 'examples'))
  .map((name) => path.join(ROOT, 'examples', name, 'test.yaml')).filter((name) => existsSync(name));

for (const file of examples) {
  test(`the tests of ${path.relative(ROOT, file)} pass`, async () => {
    const { code, out, err } = await run('test', file);
    assert.equal(code, 0, out + err);
  });
}

test('the same test has the same outcome every time, its log included', async () => {
  await write('weir.yaml', CONFIG);
  await write('again.yaml', `tests:
  again:
    - put: { table: orders, item: { id: a, total: 1 } }
    - put: { table: orders, item: { id: b } }
    - send: { queue: mail, body: hello }
    - advance: 1m
    - expect: { queue: mail, messages: [{ id: none }] }
`);
  const outcomes = new Set();
  for (let i = 0; i < 5; i++) {
    const { code, out } = await run('test', '--json', 'again.yaml');
    assert.equal(code, 1);
    outcomes.add(out.replace(/"real_us":\d+/g, ''));
  }
  assert.equal(outcomes.size, 1, [...outcomes].join('\n'));
  assert.match([...outcomes][0], /record_failed/);
});

test('a difference is told with its place, what was expected, what was there, and when', async () => {
  const { code, out } = await runSteps(`
- put: { table: orders, item: { id: a, total: 5, tags: { SS: [x] } } }
- put: { table: orders, item: { id: b, total: 1 } }
- advance: 7s
- expect:
    table: orders
    items:
      - { id: b, total: 1 }
      - { id: a, total: 7, tags: { SS: [x] } }
      - { id: c }
`);
  assert.equal(code, 1);
  assert.match(out, /one\.yaml:10:13: the items of table orders are not as expected/);
  assert.match(out, /at 2026-01-01T00:00:07\.000Z, 7\.000 s after the start/);
  assert.match(out, /\[1\]\.total: expected 7, there is 5\n/);
  assert.match(out, /missing +\{"id":"c"\}/);
  assert.match(out, /0 passed, 1 failed/);
});

const refusals = {
  'an expectation that comes true too early': {
    steps: '- put: { table: orders, item: { id: a, total: 1 } }\n'
      + '- expect: { table: copies, count: 1, at: +6s }\n',
    says: /one\.yaml:4:46: it was so before this time\n +at 2026-01-01T00:00:05\.000Z/,
  },
  'one that never comes true': {
    steps: '- expect: { table: copies, count: 1, within: 1h }\n',
    says: /one\.yaml:3:15: .* are not as expected within this time\n +at 2026-01-01T01:00:00\.000Z.*\n +count: expected 1, there are 0/,
  },
  'one that does not stay true': {
    steps: '- put: { table: orders, item: { id: a, total: 1 } }\n'
      + '- expect: { table: copies, items: [], for: 1m }\n',
    says: /are not as expected all of the time\n +at 2026-01-01T00:00:05\.000Z.*\n +too many +\{"id":"a","total":1\}/,
  },
  'a call that is refused': {
    steps: '- put: { table: orders, item: { id: 1 } }\n',
    says: /one\.yaml:3:12: it was refused: ValidationException: .*Type mismatch for key/,
  },
  'a call that is not refused': {
    steps: '- send: { queue: mail, body: x, error: QueueDoesNotExist }\n',
    says: /one\.yaml:3:44: the error QueueDoesNotExist was expected, but there was none/,
  },
  'another order of messages': {
    steps: '- send: { queue: mail, body: x }\n- send: { queue: mail, body: y }\n'
      + '- expect: { queue: mail, messages: [y, x] }\n',
    says: /\[0\]\.body: expected "y", there is "x"/,
  },
  'a pipeline in another state': {
    steps: '- expect: { pipeline: copy, state: blocked }\n',
    says: /pipeline copy is not as expected\n.*\n +state: expected "blocked", there is "running"/,
  },
  'an answer that lacks something': {
    steps: '- call: { operation: DynamoDB.DescribeTable, with: { TableName: orders }, '
      + 'answer: { Table: { ItemCount: 5 } } }\n',
    says: /the answer is not as expected\n.*\n +Table\.ItemCount: expected 5, there is 0/,
  },
};

for (const [what, { steps, says }] of Object.entries(refusals)) {
  test(`a test fails on ${what}`, async () => {
    const { code, out } = await runSteps(steps);
    assert.equal(code, 1, out);
    assert.match(out, says);
  });
}

test('mistakes in a file are told all at once, and nothing is run', async () => {
  const { code, out, err } = await runSteps(`
- putt: {}
- put: { tabel: x, item: {} }
- advance: soon
- expect: { table: x, itms: [] }
- expect: { tabl: x }
- call: { operation: S3.PutObject }
`);
  assert.equal(code, 1);
  assert.match(out, /0 passed, 0 failed/);
  for (const line of [/one\.yaml:3:7: error: unknown step 'putt'; did you mean 'put'\?/,
    /:4:14: error: unknown option 'tabel' of step 'put'; did you mean 'table'\?/,
    /:5:16: error: .* must be a duration .*'soon'/, /:6:27: error: unknown member .*'itms'/,
    /:7:15: error: it must say what it is about/, /:8:26: error: an operation is SERVICE/]) {
    assert.match(err, line);
  }
});

test('a mistake in the configuration is told with its own place', async () => {
  await write('broken.yaml', 'tables: { orders: { kee: {} } }\n');
  await write('one.yaml', 'config: broken.yaml\ntests:\n  one:\n    - advance: 1s\n');
  const { code, out } = await run('test', 'one.yaml');
  assert.equal(code, 1);
  assert.match(out, /broken\.yaml:1:\d+: error: .*kee/);
});

test('changes from a file, each at its time', async () => {
  await write('weir.yaml', CONFIG);
  await write('changes.jsonl', `{"new": {"id": "a", "total": 1}}
{"new": {"id": "a", "total": 2}, "at": "2026-01-01T00:00:10Z"}

{"eventName": "REMOVE", "dynamodb": {"Keys": {"id": {"S": "a"}}, "ApproximateCreationDateTime": 1767225620}}
`);
  await write('file.yaml', `tests:
  file:
    - records: { file: changes.jsonl, table: orders }
    - expect: { stream: orders, records: [{ event: INSERT, at: +0s }, { event: MODIFY, at: +10s, old: { total: 1 } }, { event: REMOVE, at: +20s }] }
    - expect: { table: copies, items: [{ id: a, total: 2 }] }
`);
  const { code, out, err } = await run('test', 'file.yaml');
  assert.equal(code, 0, out + err);
  await write('changes.jsonl', '{"new": {"id": "a"}}\n{"new": 5}\n');
  assert.match((await run('test', 'file.yaml')).out, /file\.yaml:3:16: changes\.jsonl:2: expected an object/);
  await write('file.yaml', 'tests:\n  file:\n    - records: { file: nowhere.jsonl }\n');
  assert.match((await run('test', 'file.yaml')).err, /file\.yaml:3:24: error: cannot open nowhere\.jsonl/);
});

test('a function about which the file says nothing is down', async () => {
  await write('weir.yaml', `tables:
  orders: { key: { id: S }, stream: new_image }
functions:
  score: { url: "https://scores.example.com/" }
pipelines:
  score: { source: { table: orders }, steps: [{ invoke: { function: score } }] }
`);
  await write('down.yaml', `tests:
  down:
    - put: { table: orders, item: { id: a } }
    - expect: { pipeline: score, state: running, for: 1m }
`);
  const { code, out } = await run('test', 'down.yaml');
  assert.equal(code, 1);
  assert.match(out, /state: expected "running", there is "blocked"/);
  assert.match(out, /pipeline\.blocked .*says nothing under `functions:` about this one/);
  await write('down.yaml', 'functions: { score: { fails: often, take: 1s } }\ntests:\n  a:\n    - advance: 1s\n');
  assert.match((await run('test', 'down.yaml')).err, /down\.yaml:1:37: error: unknown option 'take'/);
});

test('formats for programs, and running only some', async () => {
  await write('weir.yaml', CONFIG);
  await write('two.yaml', 'tests:\n  good one:\n    - advance: 1s\n  bad <one>:\n'
    + '    - expect: { table: orders, count: 1 }\n');
  const tap = await run('test', 'two.yaml', '--format', 'tap');
  assert.match(tap.out, /^TAP version 13\nok 1 - good one\nnot ok 2 - bad <one>\n  ---\n[\s\S]*\.\.\.\n1\.\.2\n$/);
  const junit = await run('test', 'two.yaml', '--format', 'junit');
  assert.match(junit.out, /<testcase classname="two.yaml" name="bad &lt;one&gt;".*<failure message="two\.yaml:5:15: /);
  const json = JSON.parse((await run('test', 'two.yaml', '--json')).out);
  assert.deepEqual([json.passed, json.failed, json.tests[0].virtual_ms], [1, 1, 1000]);
  const only = await run('test', 'two.yaml', '-k', 'good');
  assert.deepEqual([only.code, /1 passed, 0 failed/.test(only.out)], [0, true]);
  assert.equal((await run('test', 'two.yaml', '-k', 'neither')).code, 1);
  assert.equal((await run('test', 'two.yaml', '--format', 'xml')).code, 2);
  assert.equal((await run('test', 'there-is-no.yaml')).code, 1);
});

test("Lambda's API in a test: mappings by their UUID, failures of functions, what there is not", async () => {
  await write('weir.yaml', `queues:
  orders: {}
functions:
  ship: { url: "https://ship.example.com/" }
`);
  const call = (operation, rest) => `    - call: { operation: Lambda.${operation}, ${rest} }\n`;
  const arn = '"arn:aws:sqs:us-east-1:000000000000:orders"';
  const create = call('CreateEventSourceMapping', `with: { EventSourceArn: ${arn}, FunctionName: ship }`);
  const head = 'functions: { ship: { returns: 1 } }\ntests:\n  one:\n';
  await write('uuid.yaml', head + create.replace(' } }', ' }, answer: { UUID: x } }'));
  const [, uuid] = (await run('test', 'uuid.yaml')).out.match(/there is "([0-9a-f-]{36})"/);
  await write('lambda.yaml', head + create
    + call('GetEventSourceMapping', `with: { UUID: ${uuid} }, answer: { State: Enabled, EventSourceArn: ${arn} }`)
    + call('UpdateEventSourceMapping', `with: { UUID: ${uuid}, BatchSize: 3 }, answer: { State: Updating, BatchSize: 3 }`)
    + call('DeleteEventSourceMapping', `with: { UUID: ${uuid} }, answer: { State: Deleting }`)
    + call('GetEventSourceMapping', `with: { UUID: ${uuid} }, error: ResourceNotFoundException`)
    + call('ListEventSourceMappings', 'with: { MaxItems: 1 }, answer: { EventSourceMappings: [] }')
    + call('GetFunction', 'with: { FunctionName: ship }, answer: { Configuration: { FunctionName: ship } }')
    + call('ListFunctions', 'answer: { Functions: [{}] }')
    + call('CreateFunction', 'with: { FunctionName: x }, error: UnknownOperationException')
    + '    - function: { name: ship, fails: 1, error: oops }\n'
    + call('Invoke', `with: { FunctionName: ship, Payload: '{"a":1}' },
        answer: { FunctionError: Unhandled, Payload: { errorMessage: oops } }`)
    + call('Invoke', `with: { FunctionName: ship, Payload: '{"a":' }, error: InvalidRequestContentException`)
    + '    - expect: { function: ship, calls: [{ event: { a: 1 } }] }\n');
  const { code, out, err } = await run('test', 'lambda.yaml');
  assert.equal(code, 0, out + err);
});
