// Schedules that run functions: what they get, retries, dead letters, restarts.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { CreateScheduleCommand, UpdateScheduleCommand } from '@aws-sdk/client-scheduler';
import { HANDLERS } from './lib/functions.mjs';
import { createQueue, receive, sqsOf } from './lib/queues.mjs';
import { atIn, queueArn, scheduleRequest, schedulerOf } from './lib/schedules.mjs';
import { fails } from './lib/tables.mjs';
import { Weir, elsewhere, eventually } from './lib/weir.mjs';

const skip = elsewhere !== undefined;
const functionArn = (name) => `arn:aws:lambda:us-east-1:000000000000:function:${name}`;
let folder;
let kept;
let weir;
let scheduler;
let sqs;
let letters;

async function connect() {
  scheduler = schedulerOf(weir);
  sqs = sqsOf(weir);
  letters = await createQueue(sqs, 'letters');
}

before(async () => {
  if (skip) {
    return;
  }
  folder = await mkdtemp(path.join(tmpdir(), 'weir-test-'));
  kept = path.join(folder, 'kept');
  const node = (handler) => `{ runtime: node, handler: ${handler}, dir: "${HANDLERS}", env: { KEPT: "${kept}" } }`;
  weir = await new Weir({ config: `functions:
  keep: ${node('scheduled.keep')}
  keep-and-fail: ${node('scheduled.keepAndFail')}
` }).start();
  await connect();
});
after(async () => {
  await weir?.close();
  await rm(folder, { recursive: true, force: true });
});

const events = async () => (await readFile(kept, 'utf8').catch(() => '')).split('\n')
  .filter(Boolean).map((line) => JSON.parse(line));
const eventsOf = async (test_) => (await events()).filter((event) => event.test === test_);

const request = (name, expression, fn, input, target = {}) =>
  scheduleRequest(name, expression, 'none', input, { Target: { Arn: functionArn(fn), ...target } });
const create = (...args) => scheduler.send(new CreateScheduleCommand(request(...args)));

test('a function gets the input, with its placeholders filled in', { skip }, async () => {
  await create('input', atIn(200), 'keep',
    '{"test":"input","id":"<aws.scheduler.execution-id>","attempt":"<aws.scheduler.attempt-number>"}');
  const [event] = await eventually(async () => {
    const found = await eventsOf('input');
    return found.length > 0 && found;
  });
  assert.match(event.id, /^[0-9a-f]{16}$/);
  assert.equal(event.attempt, '1');
  await fails(create('not-json', atIn(0), 'keep', 'not json'), 'ValidationException',
    /Input of a function must be well-formed JSON/);
});

test('a function without input gets the default event', { skip }, async () => {
  await create('default', atIn(0), 'keep');
  const event = await eventually(async () =>
    (await events()).find(({ source }) => source === 'aws.scheduler'));
  assert.equal(event.detail, '{}');
  assert.deepEqual(event.resources, ['arn:aws:scheduler:us-east-1:000000000000:schedule/default/default']);
});

test('what fails is tried again, and then is a dead letter', { skip }, async () => {
  await create('failing', atIn(0), 'keep-and-fail',
    '{"test":"failing","attempt":"<aws.scheduler.attempt-number>"}',
    { RetryPolicy: { MaximumRetryAttempts: 1 }, DeadLetterConfig: { Arn: queueArn('letters') } });
  const [letter] = await receive(sqs, letters, { WaitTimeSeconds: 20 });
  const value = (name) => letter.MessageAttributes[name]?.StringValue;
  assert.equal(letter.Body, '{"test":"failing","attempt":"2"}');
  assert.equal(value('ERROR_CODE'), 'FunctionError');
  assert.match(value('ERROR_MESSAGE'), /not today/);
  assert.equal(value('EXHAUSTED_RETRY_CONDITION'), 'MaximumRetryAttempts');
  assert.equal(value('RETRY_ATTEMPTS'), '1');
  assert.equal(value('TARGET_ARN'), functionArn('keep-and-fail'));
  assert.equal(value('SCHEDULE_ARN'), 'arn:aws:scheduler:us-east-1:000000000000:schedule/default/failing');
  assert.deepEqual((await eventsOf('failing')).map(({ attempt }) => attempt), ['1', '2']);
  const { text } = await weir.request({ method: 'GET', path: '/metrics' });
  assert.match(text, /^weir_schedule_failed_total\{\} 1$/m);
});

test('a function that is not there is a dead letter at once', { skip }, async () => {
  const queue = await createQueue(sqs, 'letters-2');
  for (const name of ['no-such-function', 'keep:7']) { // there is one version only
    await create(name.replace(':', '-'), atIn(0), name, '{}', { DeadLetterConfig: { Arn: queueArn('letters-2') } });
    const [letter] = await receive(sqs, queue, { WaitTimeSeconds: 20 });
    assert.equal(letter.MessageAttributes.ERROR_CODE.StringValue, 'ResourceNotFoundException');
    assert.equal(letter.MessageAttributes.ERROR_MESSAGE.StringValue, `there is no function ${name}`);
    assert.equal(letter.MessageAttributes.RETRY_ATTEMPTS.StringValue, '0');
    assert.equal(letter.MessageAttributes.EXHAUSTED_RETRY_CONDITION, undefined);
  }
  await create('latest', atIn(0), 'keep:$LATEST', '{"test":"latest"}');
  await eventually(async () => (await eventsOf('latest')).length > 0);
});

test('a burst of changes is one run, also when weir is killed meanwhile', { skip }, async () => {
  const again = () => request('rebuild', atIn(2000), 'keep', '{"test":"burst"}');
  for (let i = 0; i < 50; i += 1) {
    await scheduler.send(new UpdateScheduleCommand(again())).catch(async (error) => {
      assert.equal(error.name, 'ResourceNotFoundException');
      await scheduler.send(new CreateScheduleCommand(again()));
    });
  }
  await weir.kill();
  await weir.start();
  await connect();
  await eventually(async () => (await eventsOf('burst')).length > 0);
  await create('marker', atIn(300), 'keep', '{"test":"marker"}');
  await eventually(async () => (await eventsOf('marker')).length > 0);
  assert.equal((await eventsOf('burst')).length, 1);
});
