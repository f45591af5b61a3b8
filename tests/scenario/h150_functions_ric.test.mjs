// AWS's own runtime client for Node (aws-lambda-ric 3) as a function's command. It has to be compiled,
// with autoconf, automake, libtool and cmake, so it is not among the packages that tests need:
//
//   npm install --no-save aws-lambda-ric@3.3.0     here, or elsewhere with WEIR_LAMBDA_RIC=FOLDER

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { HANDLERS, isAlive, lambdaOf, resultOf } from './lib/functions.mjs';
import { ROOT, elsewhere, eventually, startWeir } from './lib/weir.mjs';

const RIC = process.env.WEIR_LAMBDA_RIC ?? path.join(ROOT, 'node_modules', 'aws-lambda-ric');
const skip = elsewhere ?? (!existsSync(RIC) && 'aws-lambda-ric is not installed');
const ric = (handler, rest = '') => `{ command: [node, "${RIC}/bin/index.mjs", ${handler}], dir: "${HANDLERS}", init_timeout: 30s, timeout: 10s${rest} }`;

let weir;
let invoke;
let result;

before(async () => {
  if (!skip) {
    weir = await startWeir({
      config: `functions:
  echo: ${ric('index.echo', ', concurrency: 1')}
  fails: ${ric('index.fails')}
  exits: ${ric('index.exits')}
  calls: ${ric('callback.calls')}
  streams: ${ric('callback.streams')}
  missing: ${ric('index.missing')}
  large: ${ric('index.large')}
`,
    });
    ({ invoke } = lambdaOf(weir));
    result = resultOf(invoke);
  }
});
after(() => weir?.close());

test('AWS\'s runtime client runs a handler, one event after the other', { skip }, async () => {
  const first = await invoke('echo', { n: 0 });
  assert.equal(first.error, undefined);
  assert.deepEqual(first.result.event, { n: 0 });
  assert.equal(first.result.context.awsRequestId, first.requestId);
  assert.equal(first.result.context.invokedFunctionArn, 'arn:aws:lambda:us-east-1:000000000000:function:echo');
  assert.match(first.log, /event \{"n":0\}/);
  for (let n = 1; n <= 20; n += 1) {
    const again = await result('echo', { n });
    assert.deepEqual([again.pid, again.count, again.event.n], [first.result.pid, n + 1, n]);
  }
  const ClientContext = Buffer.from('{"custom":{"a":1}}').toString('base64');
  assert.deepEqual((await result('echo', {}, { ClientContext })).context.clientContext, { custom: { a: 1 } });
});

test('its errors, its streams and its limits are understood', { skip }, async () => {
  const { error, result: thrown } = await invoke('fails', {});
  assert.deepEqual([error, thrown.errorType, thrown.errorMessage], ['Unhandled', 'TypeError', 'it cannot be']);
  assert.deepEqual(await result('calls', { a: 1 }), { called: { a: 1 } });
  assert.deepEqual(await result('streams', {}), { in: 'parts' });
  assert.equal((await invoke('missing', {})).result.errorType, 'Runtime.HandlerNotFound');
  assert.equal((await invoke('large', { bytes: 6 * 1024 * 1024 + 99 })).result.errorType, 'Function.ResponseSizeTooLarge');
  const pid = await result('exits', {});
  assert.match((await invoke('exits', { code: 5 })).result.errorMessage, /exit status 5$/);
  await eventually(() => !isAlive(pid));
});
