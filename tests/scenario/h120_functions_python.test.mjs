// Handlers in Python, and handlers of both languages that reach weir's own tables and queues.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { HANDLERS, lambdaOf, resultOf } from './lib/functions.mjs';
import { receive, sqsOf } from './lib/queues.mjs';
import { elsewhere, eventually, startWeir } from './lib/weir.mjs';

const skip = elsewhere;
// The interpreter that has boto3 is Debian's.
const python = (handler, rest = '') => `{ runtime: python, command: [/usr/bin/python3], handler: ${handler}, dir: "${HANDLERS}"${rest} }`;
const config = `tables:
  things: { key: { id: S } }
queues:
  notes: {}
functions:
  echo: ${python('app.echo', ', timeout: 5s, memory: 200MiB')}
  fails: ${python('app.fails')}
  exits: ${python('app.exits')}
  sleeps: ${python('app.sleeps', ', timeout: 200ms')}
  a-set: ${python('app.returns_a_set')}
  package: ${python('helpers.handlers.handle')}
  slashes: ${python('helpers/handlers.handle')}
  missing: ${python('app.missing')}
  imports: ${python('imports.handler')}
  broken: ${python('broken.handler')}
  python-table: ${python('app.uses_its_table', ', timeout: 20s, init_timeout: 20s')}
  node-table: { runtime: node, handler: tables.handler, dir: "${HANDLERS}", timeout: 20s }
credentials:
  - { access_key_id: test, secret_access_key: !env "WEIR_TEST_SECRET, test" }
`;

let weir;
let invoke;
let result;

before(async () => {
  if (!elsewhere) {
    weir = await startWeir({ config });
    ({ invoke } = lambdaOf(weir));
    result = resultOf(invoke);
  }
});
after(() => weir?.close());

test('a handler in Python gets the event and a context', { skip }, async () => {
  const ClientContext = Buffer.from('{"custom":{"a":1},"client":{"app_title":"the app"}}').toString('base64');
  const { result: first, requestId, log } = await invoke('echo', { n: 1, text: 'grüß dich' }, { ClientContext });
  assert.deepEqual(first.event, { n: 1, text: 'grüß dich' });
  assert.equal(first.greeting, 'from a package');
  const { left, runs_in: runsIn, ...context } = first.context;
  assert.match(runsIn, /^AWS_Lambda_python3\.\d+$/);
  assert.deepEqual(context, {
    request_id: requestId,
    function_name: 'echo',
    function_version: '$LATEST',
    memory: '200',
    arn: 'arn:aws:lambda:us-east-1:000000000000:function:echo',
    custom: { a: 1 },
    title: 'the app',
    installation: null,
    cognito: null,
  });
  assert.ok(left > 3000 && left <= 5000, `${left}`);
  assert.match(log, /^event \{'n': 1, 'text': 'grüß dich'\}\n\[INFO\] logged \{'n': 1/m);
  assert.equal((await result('echo', {})).pid, first.pid);
});

test('handlers in packages, with dots and with slashes', { skip }, async () => {
  assert.equal(await result('package', {}), 'deep');
  assert.equal(await result('slashes', {}), 'deep');
});

test('errors in Python have Lambda\'s shape', { skip }, async () => {
  const { error, result: thrown, requestId } = await invoke('fails', {});
  assert.equal(error, 'Unhandled');
  assert.deepEqual(Object.keys(thrown), ['errorMessage', 'errorType', 'requestId', 'stackTrace']);
  assert.deepEqual([thrown.errorMessage, thrown.errorType, thrown.requestId], ["'no such thing'", 'KeyError', requestId]);
  assert.equal(thrown.stackTrace.length, 1);
  assert.match(thrown.stackTrace[0], /app\.py", line \d+, in fails\n {4}raise KeyError/);
  assert.equal((await invoke('a-set', {})).result.errorType, 'Runtime.MarshalError');
  assert.match((await invoke('exits', { code: 4 })).result.errorMessage, /Runtime exited with error: exit status 4$/);
  assert.match((await invoke('sleeps', { seconds: 30 })).result.errorMessage, /Task timed out after 0\.20 seconds$/);
});

const starts = {
  missing: ['Runtime.HandlerNotFound', "Handler 'missing' missing on module 'app'"],
  imports: ['Runtime.ImportModuleError', "Unable to import module 'imports': No module named 'no_such_module'"],
  broken: ['Runtime.UserCodeSyntaxError', /^Syntax error in module 'broken': expected ':'/],
};
for (const [name, [type, message]] of Object.entries(starts)) {
  test(`a handler in Python that does not start says why: ${name}`, { skip }, async () => {
    const { error, result: told } = await invoke(name, {});
    assert.equal(error, 'Unhandled');
    assert.equal(told.errorType, type);
    (message instanceof RegExp ? assert.match : assert.equal)(told.errorMessage, message);
  });
}

for (const language of ['node', 'python']) {
  test(`an unmodified SDK reaches weir's table and queue: ${language}`, { skip }, async () => {
    assert.deepEqual(await result(`${language}-table`, { id: language }), { id: language, by: language });
    assert.deepEqual((await weir.docs.send(new GetCommand({ TableName: 'things', Key: { id: language } }))).Item,
      { id: language, by: language });
    const QueueUrl = `${weir.endpoint}/000000000000/notes`;
    const bodies = await eventually(async () => (await receive(sqsOf(weir), QueueUrl, { WaitTimeSeconds: 1 }))
      .map(({ Body }) => Body), { what: 'the message' });
    assert.ok(bodies.includes(language), `${bodies}`);
  });
}
