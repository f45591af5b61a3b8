// Functions that weir starts: what handlers get, what they answer, and how they fail.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import {
  GetFunctionCommand, GetFunctionConfigurationCommand, ListFunctionsCommand,
} from '@aws-sdk/client-lambda';
import { HANDLERS, isAlive, lambdaOf, resultOf } from './lib/functions.mjs';
import { fails } from './lib/tables.mjs';
import { elsewhere, eventually, startWeir } from './lib/weir.mjs';

const skip = elsewhere;
const node = (handler, rest = '') => `{ runtime: node, handler: ${handler}, dir: "${HANDLERS}"${rest} }`;
const config = `functions:
  echo: ${node('index.echo', ', timeout: 5s, memory: 256MiB, env: { COLOUR: "deep blue" }')}
  environment: ${node('index.environment', ', env: { COLOUR: "deep blue", LANG: xx, SECRET: !env WEIR_TEST_SECRET }')}
  fails: ${node('index.fails')}
  hangs: ${node('index.hangs', ', timeout: 300ms, concurrency: 1')}
  exits: ${node('index.exits', ', concurrency: 1')}
  large: ${node('index.large')}
  hoards: ${node('index.hoards', ', memory: 100MiB, timeout: 30s')}
  missing: ${node('index.missing')}
  no-function: ${node('index.notAFunction')}
  broken: ${node('broken.handler')}
  throws: ${node('throws.handler')}
  calls: ${node('callback.calls')}
  calls-with-error: ${node('callback.callsWithError')}
  waits: ${node('callback.waits')}
  succeeds: ${node('callback.succeeds')}
  nothing: ${node('callback.returnsNothing')}
  rejects: ${node('callback.rejectsLater')}
  streams: ${node('callback.streams')}
  deep: ${node('callback.nested.deep.handler')}
  no-program: { command: [weir-no-such-program], dir: "${HANDLERS}" }
  silent: { command: [sleep, "1000"], dir: "${HANDLERS}", init_timeout: 200ms }
`;

let weir;
let lambda;
let invoke;
let result;

before(async () => {
  if (!elsewhere) {
    process.env.WEIR_TEST_SECRET = 'said in the configuration';
    process.env.WEIR_TEST_PRIVATE = 'not for handlers';
    weir = await startWeir({ config });
    ({ client: lambda, invoke } = lambdaOf(weir));
    result = resultOf(invoke);
  }
});
after(() => weir?.close());

test('a handler gets the event and a context, and its answer comes back', { skip }, async () => {
  const first = await invoke('echo', { n: 1, text: 'grüß dich', list: [1, { a: null }] });
  assert.equal(first.error, undefined);
  assert.equal(first.version, '$LATEST');
  assert.deepEqual(first.result.event, { n: 1, text: 'grüß dich', list: [1, { a: null }] });
  const { context } = first.result;
  assert.equal(context.awsRequestId, first.requestId);
  assert.equal(context.functionName, 'echo');
  assert.equal(context.functionVersion, '$LATEST');
  assert.equal(context.memoryLimitInMB, '256');
  assert.equal(context.invokedFunctionArn, 'arn:aws:lambda:us-east-1:000000000000:function:echo');
  assert.ok(context.left > 4000 && context.left <= 5000, `${context.left} ms are left of 5 s`);
});

test('an instance is used again, for one event after the other', { skip }, async () => {
  const { pid, count } = await result('echo', { n: 1 });
  for (let i = 1; i <= 20; i += 1) {
    const again = await result('echo', { n: i });
    assert.deepEqual([again.pid, again.count, again.event.n], [pid, count + i, i]);
  }
});

test('no payload is an empty event; a client context arrives', { skip }, async () => {
  assert.deepEqual((await result('echo', undefined)).event, {});
  const ClientContext = Buffer.from(JSON.stringify({ custom: { a: 1 } })).toString('base64');
  const { context } = await result('echo', {}, { ClientContext });
  assert.deepEqual(context.clientContext, { custom: { a: 1 } });
  for (const wrong of ['%%%', Buffer.from('{').toString('base64')]) {
    await fails(invoke('echo', {}, { ClientContext: wrong }), 'InvalidRequestContentException', /^Client context must be/);
  }
});

test('the log tail has what the handler wrote, between START and REPORT', { skip }, async () => {
  const { log, requestId } = await invoke('echo', { n: 5 });
  assert.match(log, new RegExp(`^START RequestId: ${requestId} Version: \\$LATEST
event {"n":5}
END RequestId: ${requestId}
REPORT RequestId: ${requestId}\tDuration: [\\d.]+ ms\tBilled Duration: \\d+ ms\tMemory Size: 256 MB\tMax Memory Used: \\d+ MB
$`));
  assert.equal((await invoke('echo', {}, { LogType: 'None' })).log, undefined);
  await eventually(() => weir.output.includes(
    `function.output function=echo instance=1 request=${requestId} text="event {\\"n\\":5}"`),
  { what: 'the line in the log' });
});

test('names: plain, with a qualifier, ARNs; other versions are not there', { skip }, async () => {
  const arn = 'arn:aws:lambda:us-east-1:000000000000:function:echo';
  for (const name of ['echo', 'echo:$LATEST', arn, `${arn}:$LATEST`, '000000000000:function:echo']) {
    assert.equal((await result(name, { name })).event.name, name);
  }
  for (const [name, rest] of [['echo', { Qualifier: '7' }], ['echo:7', {}], [`${arn}:7`, {}]]) {
    await fails(invoke(name, {}, rest), 'ResourceNotFoundException', `Function not found: ${arn}:7`, 404);
  }
  await fails(invoke('echo', {}, { LogType: 'All' }), 'InvalidParameterValueException', /^X-Amz-Log-Type must be None or Tail, not All$/);
  await fails(invoke('nobody', {}), 'ResourceNotFoundException',
    'Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody', 404);
});

test('DryRun only looks; what is no JSON and what is too large is refused', { skip }, async () => {
  assert.equal((await invoke('echo', {}, { InvocationType: 'DryRun' })).status, 204);
  await fails(invoke('echo', undefined, { Payload: Buffer.from('{"a":') }),
    'InvalidRequestContentException', /Could not parse request body into json/);
  await fails(invoke('echo', 'x'.repeat(6 * 1024 * 1024)), 'RequestTooLargeException', undefined, 413);
  const most = 'x'.repeat(6 * 1024 * 1024 - 2);
  assert.equal((await invoke('large', { bytes: most.length })).result.length, most.length);
});

test('what a handler throws is the answer', { skip }, async () => {
  const { error, result: thrown, log } = await invoke('fails', {});
  assert.equal(error, 'Unhandled');
  assert.equal(thrown.errorType, 'TypeError');
  assert.equal(thrown.errorMessage, 'it cannot be');
  assert.match(thrown.trace[0], /TypeError: it cannot be/);
  assert.match(thrown.trace[1], /index\.mjs/);
  assert.ok(!thrown.trace.some((line) => line.includes('[stdin]')));
  assert.match(log, /TypeError: it cannot be/);
  assert.deepEqual((await invoke('fails', { how: 'text' })).result,
    { errorType: 'string', errorMessage: 'just a text', trace: [] });
});

test('a time-out kills the instance, and the next event gets a new one', { skip }, async () => {
  for (let i = 0; i < 2; i += 1) {
    const { error, result: late, requestId, log } = await invoke('hangs', {});
    assert.equal(error, 'Unhandled');
    assert.deepEqual(late, {
      errorType: 'Sandbox.Timedout',
      errorMessage: `RequestId: ${requestId} Error: Task timed out after 0.30 seconds`,
    });
    assert.match(log, /before the end/);
  }
});

test('a crash is told, and starts a back-off', { skip }, async () => {
  const pid = await result('exits', {});
  const { error, result: crash, requestId } = await invoke('exits', { code: 3 });
  assert.equal(error, 'Unhandled');
  assert.deepEqual(crash, {
    errorType: 'Runtime.ExitError',
    errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: exit status 3`,
  });
  await fails(invoke('exits', {}), 'TooManyRequestsException',
    /function exits is started again in \d+ ms: Runtime exited with error: exit status 3/, 429);
  const again = await eventually(() => result('exits', {}).catch(({ name }) => {
    assert.equal(name, 'TooManyRequestsException');
  }), { what: 'the end of the back-off' });
  assert.notEqual(again, pid);
  assert.ok(!isAlive(pid));
  assert.match((await invoke('exits', { code: 0 })).result.errorMessage,
    /Runtime exited without providing a reason$/);
});

test('too much memory ends the instance', { skip }, async () => {
  const { error, result: out, requestId } = await invoke('hoards', { mib: 200 });
  assert.equal(error, 'Unhandled');
  assert.deepEqual(out, {
    errorType: 'Runtime.OutOfMemory',
    errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: signal: killed`,
  });
});

test('an answer may have 6 MB', { skip }, async () => {
  const { error, result: large } = await invoke('large', { bytes: 6 * 1024 * 1024 + 99 });
  assert.equal(error, 'Unhandled');
  assert.deepEqual(large, {
    errorType: 'Function.ResponseSizeTooLarge',
    errorMessage: 'Response payload size (6291557 bytes) exceeded maximum allowed payload size (6291556 bytes).',
  });
  assert.equal((await result('large', { bytes: 3 })), 'xxx');
});

const starts = {
  missing: ['Runtime.HandlerNotFound', /^index\.missing is undefined or not exported$/],
  'no-function': ['Runtime.HandlerNotFound', /^index\.notAFunction is undefined or not exported$/],
  broken: ['Runtime.UserCodeSyntaxError', /^Unexpected identifier/],
  throws: ['Error', /^not today$/],
  'no-program': ['Runtime.ExitError', /Runtime exited with error: exit status 127$/],
  silent: ['Sandbox.Timedout', /Task timed out after 0\.20 seconds$/],
};
for (const [name, [type, message]] of Object.entries(starts)) {
  test(`a handler that does not start says why: ${name}`, { skip }, async () => {
    const { error, result: told } = await invoke(name, {});
    assert.equal(error, 'Unhandled');
    assert.equal(told.errorType, type);
    assert.match(told.errorMessage, message);
    await fails(invoke(name, {}), 'TooManyRequestsException', /is started again in \d+ ms/, 429);
  });
}

test('a program that is not there is named in the log', { skip }, async () => {
  await eventually(() => /function\.output function=no-program .*cannot start weir-no-such-program: No such file/.test(weir.output));
});

test('older styles of handlers', { skip }, async () => {
  assert.deepEqual(await result('calls', { a: 1 }), { called: { a: 1 } });
  assert.equal((await invoke('calls-with-error', {})).result.errorType, 'RangeError');
  assert.deepEqual(await result('waits', { waits: true }), { done: true });
  assert.deepEqual(await result('waits', { waits: false }), { done: false });
  assert.equal(await result('succeeds', {}), 'well');
  assert.equal(await result('nothing', {}), null);
  assert.deepEqual(await result('streams', {}), { in: 'parts' });
  assert.equal(await result('deep', {}), 'deep');
  const { result: rejected } = await invoke('rejects', {});
  assert.deepEqual([rejected.errorType, rejected.errorMessage],
    ['Runtime.UnhandledPromiseRejection', 'nobody caught this']);
});

test('the environment has what Lambda sets and SDKs need, and nothing of weir\'s own', { skip }, async () => {
  const env = await result('environment', {});
  const { port } = new URL(weir.endpoint);
  assert.deepEqual(
    [env.AWS_LAMBDA_FUNCTION_NAME, env.AWS_LAMBDA_FUNCTION_VERSION, env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      env._HANDLER, env.LAMBDA_TASK_ROOT, env.AWS_REGION, env.AWS_DEFAULT_REGION],
    ['environment', '$LATEST', '512', 'index.environment', HANDLERS, 'us-east-1', 'us-east-1']);
  assert.match(env.AWS_EXECUTION_ENV, /^AWS_Lambda_nodejs\d+\.x$/);
  assert.equal(env.AWS_ENDPOINT_URL, `http://127.0.0.1:${port}`);
  assert.equal(env.AWS_ENDPOINT_URL_DYNAMODB, env.AWS_ENDPOINT_URL);
  assert.ok(env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY);
  assert.match(env.AWS_LAMBDA_RUNTIME_API, /^127\.0\.0\.1:\d+$/);
  assert.equal(env.COLOUR, 'deep blue');
  assert.equal(env.LANG, 'xx');
  assert.equal(env.SECRET, 'said in the configuration');
  assert.equal(env.PATH, process.env.PATH);
  assert.equal(env.WEIR_TEST_PRIVATE, undefined);
  assert.equal(env.WEIR_TEST_SECRET, undefined);
});

test('functions are listed and described, and not changed', { skip }, async () => {
  const names = config.match(/^  [\w-]+/gm).map((line) => line.trim());
  const found = [];
  let Marker;
  do {
    const page = await lambda.send(new ListFunctionsCommand({ MaxItems: 7, Marker }));
    assert.ok(page.Functions.length <= 7);
    found.push(...page.Functions.map(({ FunctionName }) => FunctionName));
    Marker = page.NextMarker;
  } while (Marker);
  assert.deepEqual(found, names);
  const { Configuration, Concurrency } = await lambda.send(new GetFunctionCommand({ FunctionName: 'echo' }));
  const { $metadata, ...alone } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: 'echo' }));
  assert.deepEqual(alone, Configuration);
  assert.deepEqual([Configuration.Handler, Configuration.Timeout, Configuration.MemorySize, Configuration.State],
    ['index.echo', 5, 256, 'Active']);
  assert.equal(Concurrency.ReservedConcurrentExecutions, 10);
  await fails(lambda.send(new GetFunctionCommand({ FunctionName: 'nobody' })),
    'ResourceNotFoundException', undefined, 404);
  const { status, headers } = await weir.request({ method: 'DELETE', path: '/2015-03-31/functions/echo' });
  assert.deepEqual([status, headers['x-amzn-errortype']], [400, 'InvalidParameterValueException']);
});

test('metrics and status count what happened', { skip }, async () => {
  const { text } = await weir.request({ method: 'GET', path: '/metrics' });
  const value = (name, of) => Number(new RegExp(`^${name}\\{function="${of}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
  assert.equal(value('weir_function_invocations_total', 'hangs'), 2);
  assert.equal(value('weir_function_errors_total', 'hangs'), 2);
  assert.equal(value('weir_function_cold_starts_total', 'hangs'), 2);
  assert.equal(value('weir_function_cold_starts_total', 'echo'), 1);
  assert.ok(value('weir_function_throttles_total', 'exits') >= 1);
  assert.match(text, /^weir_function_duration_seconds_count\{function="echo"\} [1-9]/m);
  const { json } = await weir.request({ method: 'GET', path: '/v1/status' });
  const echo = json.functions.find(({ name }) => name === 'echo');
  assert.deepEqual([echo.runtime, echo.instances, echo.idle, echo.state], ['node', 1, 1, 'ready']);
  const silent = json.functions.find(({ name }) => name === 'silent');
  assert.equal(silent.invocations, 1);
});
