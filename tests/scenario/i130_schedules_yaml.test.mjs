// Schedules of weir.yaml, and the page about schedules: what it shows must work.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import {
  DeleteScheduleCommand, GetScheduleCommand, ListSchedulesCommand, UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { DeleteMessageCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs';
import { receive, sqsOf } from './lib/queues.mjs';
import { createSchedule, scheduleRequest, schedulerOf } from './lib/schedules.mjs';
import { fails } from './lib/tables.mjs';
import { ROOT, Weir, elsewhere, program } from './lib/weir.mjs';

const skip = elsewhere !== undefined;
const page = await readFile(path.join(ROOT, 'docs/schedules.md'), 'utf8');
const yaml = /```yaml\n([\s\S]*?)```/.exec(page)[1];
const run = async (weir, ...args) => (await promisify(execFile)(program(), args, {
  env: { ...process.env, WEIR_ENDPOINT: weir?.endpoint },
})).stdout;
const list = async (weir, ...args) => (await run(weir, 'schedule', 'list', '--json', ...args))
  .split('\n').filter(Boolean).map((line) => JSON.parse(line));

test('the schedules of the page work', { skip }, async () => {
  const weir = await new Weir({ config: yaml }).start();
  try {
    const all = await list(weir);
    assert.deepEqual(all.map(({ group, name }) => `${group}/${name}`),
      ['weir.yaml/heartbeat', 'weir.yaml/launch', 'weir.yaml/nightly']);
    const [heartbeat, launch, nightly] = all;
    assert.equal(launch.next, '2035-01-01T12:00:00.000Z');
    assert.equal(heartbeat.missed_policy, 'skip');
    assert.match(nightly.next, /T0[01]:30:00\.000Z$/);
    const table = await run(weir, 'schedule', 'list');
    assert.match(table, /^SCHEDULE +NEXT +LAST +FIRED +MISSED +FAILED +TARGET +EXPRESSION$/m);
    assert.match(table, /^weir\.yaml\/launch +2035-01-01T12:00:00\.000Z +- +0 +0 +0 +queue work +at\(/m);
    const sqs = sqsOf(weir);
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: 'work' }));
    const [message] = await receive(sqs, QueueUrl, { WaitTimeSeconds: 20 });
    assert.equal(message.Body, 'still here'); // a rate begins at once
    assert.match(await run(weir, 'status'), /^schedules: 1 fired, 0 missed, 0 failed$/m);
  } finally {
    await weir.close();
  }
});

test('the expressions of the page are read, and those it calls refused are', { skip }, async () => {
  const expressions = [...page.matchAll(/`((?:at|rate|cron)\([^`.]*\))`/g)].map(([, text]) => text)
    .concat('90s', '1h30m');
  assert.ok(expressions.length > 6);
  for (const text of expressions) {
    const explained = run(undefined, 'schedule', 'explain', text, '--from', '2026-01-01T00:00:00Z');
    if (text === 'cron(0 1 * * * *)') {
      await assert.rejects(explained, /must be \?, at character 14 of cron/);
    } else {
      assert.match(await explained, /Z$|Z /m, text);
    }
  }
});

test('the API shows the file\'s schedules, and does not change them', { skip }, async () => {
  const weir = await new Weir({ config: yaml }).start();
  try {
    const scheduler = schedulerOf(weir);
    const name = { Name: 'nightly', GroupName: 'weir.yaml' };
    const schedule = await scheduler.send(new GetScheduleCommand(name));
    assert.equal(schedule.ScheduleExpression, 'cron(30 2 * * ? *)');
    assert.equal(schedule.Target.Input, '{"job":"report","days":7}');
    const { Schedules } = await scheduler.send(new ListSchedulesCommand({ GroupName: 'weir.yaml' }));
    assert.equal(Schedules.length, 3);
    const refused = /defined in the file/;
    await fails(scheduler.send(new DeleteScheduleCommand(name)), 'ValidationException', refused);
    await fails(scheduler.send(new UpdateScheduleCommand({
      ...scheduleRequest('nightly', 'rate(1 day)', 'work'), GroupName: 'weir.yaml' })),
    'ValidationException', refused);
    await fails(createSchedule(scheduler, 'another', 'rate(1 day)', 'work', undefined,
      { GroupName: 'weir.yaml' }), 'ValidationException', refused);

    // What is taken out of the file is deleted; what stays goes on; the API's stay as they are.
    await createSchedule(scheduler, 'kept', 'cron(0 0 1 1 ? 2199)', 'work');
    const before = (await list(weir)).find((one) => one.name === 'heartbeat');
    await weir.stop();
    await writeFile(weir.configFile, yaml.replace(/ {2}nightly:[\s\S]*? {2}heartbeat:/, '  heartbeat:'));
    await weir.start();
    const after = await list(weir);
    assert.deepEqual(after.map((one) => one.name), ['kept', 'heartbeat', 'launch']);
    const heartbeat = after.find((one) => one.name === 'heartbeat');
    assert.equal((new Date(heartbeat.next) - new Date(before.next)) % 30_000, 0, 'the grid is kept');
    assert.deepEqual((await list(weir, '--group', 'default')).map((one) => one.name), ['kept']);
    assert.equal((await list(weir, '--limit', '2')).length, 2);
  } finally {
    await weir.close();
  }
});

test('a schedule of the file runs by its policy for missed firings', { skip }, async () => {
  const weir = await new Weir({ config: `
queues: { work: }
schedules:
  each: { rate: 200ms, target: { queue: work }, input: <aws.scheduler.scheduled-time>, missed: all }
` }).start();
  try {
    const take = async () => {
      const sqs = sqsOf(weir);
      const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: 'work' }));
      const [message] = await receive(sqs, QueueUrl, { MaxNumberOfMessages: 1, WaitTimeSeconds: 20 });
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
      return new Date(message.Body).getTime();
    };
    const times = [await take()];
    await weir.restart();
    for (let i = 0; i < 10; i += 1) {
      times.push(await take());
    }
    times.sort((a, b) => a - b);
    assert.deepEqual(times.map((time) => time - times[0]), times.map((_, i) => i * 200), 'none is left out');
  } finally {
    await weir.close();
  }
});
