// Schedules through EventBridge Scheduler's API with the AWS SDK: definitions, groups, firings,
// dead letters, restarts and kills.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import {
  CreateScheduleCommand, CreateScheduleGroupCommand, DeleteScheduleCommand,
  DeleteScheduleGroupCommand, GetScheduleCommand, GetScheduleGroupCommand,
  ListScheduleGroupsCommand, ListSchedulesCommand, ListTagsForResourceCommand, TagResourceCommand,
  UntagResourceCommand, UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { DeleteMessageCommand } from '@aws-sdk/client-sqs';
import { createQueue, receive, sqsOf } from './lib/queues.mjs';
import {
  ROLE, atIn, createSchedule, queueArn, scheduleRequest, schedulerOf,
} from './lib/schedules.mjs';
import { fails } from './lib/tables.mjs';
import { Weir, elsewhere, eventually } from './lib/weir.mjs';

const skip = elsewhere !== undefined;
let weir;
let scheduler;
let sqs;
let work;

before(async () => {
  if (skip) {
    return;
  }
  weir = await new Weir().start();
  scheduler = schedulerOf(weir);
  sqs = sqsOf(weir);
  work = await createQueue(sqs, 'work');
});
after(() => weir?.close());

const get = (Name, GroupName) => scheduler.send(new GetScheduleCommand({ Name, GroupName }));

async function take(QueueUrl, client = sqs) {
  const [message] = await receive(client, QueueUrl, { MaxNumberOfMessages: 1, WaitTimeSeconds: 20 });
  assert.ok(message, 'a message within 20 seconds');
  await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
  return message;
}

test('a schedule is created, read, changed, listed and deleted', { skip }, async () => {
  const StartDate = new Date(Date.now() + 60_000);
  const EndDate = new Date(Date.now() + 86_400_000);
  const arn = 'arn:aws:scheduler:us-east-1:000000000000:schedule/default/crud';
  const { ScheduleArn } = await scheduler.send(new CreateScheduleCommand({
    Name: 'crud', Description: 'a test', ScheduleExpression: 'cron(30 9 ? * MON-FRI *)',
    ScheduleExpressionTimezone: 'Europe/Berlin', StartDate, EndDate, State: 'DISABLED',
    ActionAfterCompletion: 'DELETE',
    FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 15 },
    Target: {
      Arn: queueArn('work'), RoleArn: ROLE, Input: '{"a":"\u00e4"}',
      RetryPolicy: { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 3 },
      DeadLetterConfig: { Arn: queueArn('failed') },
    },
  }));
  assert.equal(ScheduleArn, arn);
  const { $metadata, CreationDate, LastModificationDate, ...rest } = await get('crud');
  assert.equal($metadata.httpStatusCode, 200);
  assert.ok(Math.abs(CreationDate - Date.now()) < 60_000);
  assert.deepEqual(CreationDate, LastModificationDate);
  assert.deepEqual(rest, {
    ActionAfterCompletion: 'DELETE', Arn: arn, Description: 'a test', StartDate, EndDate,
    FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 15 }, GroupName: 'default',
    Name: 'crud', ScheduleExpression: 'cron(30 9 ? * MON-FRI *)',
    ScheduleExpressionTimezone: 'Europe/Berlin', State: 'DISABLED',
    Target: {
      Arn: queueArn('work'), RoleArn: ROLE, Input: '{"a":"\u00e4"}',
      RetryPolicy: { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 3 },
      DeadLetterConfig: { Arn: queueArn('failed') },
    },
  });
  // An update replaces everything: what it does not say is as when nothing was said.
  await scheduler.send(new UpdateScheduleCommand(
    scheduleRequest('crud', 'cron(0 0 1 1 ? 2199)', 'work')));
  const changed = await get('crud');
  assert.equal(changed.Description, undefined);
  assert.equal(changed.StartDate, undefined);
  assert.equal(changed.State, 'ENABLED');
  assert.equal(changed.ScheduleExpressionTimezone, 'UTC');
  assert.deepEqual(changed.FlexibleTimeWindow, { Mode: 'OFF' });
  assert.deepEqual(changed.Target.RetryPolicy,
    { MaximumEventAgeInSeconds: 86400, MaximumRetryAttempts: 185 });
  assert.deepEqual(changed.CreationDate, CreationDate);
  const { Schedules } = await scheduler.send(new ListSchedulesCommand({ NamePrefix: 'cru' }));
  assert.equal(Schedules.length, 1);
  assert.equal(Schedules[0].Arn, arn);
  assert.equal(Schedules[0].Target.Arn, queueArn('work'));
  await scheduler.send(new DeleteScheduleCommand({ Name: 'crud' }));
  await fails(get('crud'), 'ResourceNotFoundException', 'Schedule crud does not exist.', 404);
});

test('the errors have AWS\'s names and words', { skip }, async () => {
  await createSchedule(scheduler, 'taken', 'rate(1 day)', 'work');
  await fails(createSchedule(scheduler, 'taken', 'rate(1 day)', 'work'),
    'ConflictException', 'Schedule taken already exists.', 409);
  await fails(scheduler.send(new UpdateScheduleCommand(
    scheduleRequest('absent', 'rate(1 day)', 'work'))),
  'ResourceNotFoundException', 'Schedule absent does not exist.', 404);
  await fails(scheduler.send(new DeleteScheduleCommand({ Name: 'absent' })),
    'ResourceNotFoundException', 'Schedule absent does not exist.', 404);
  await fails(createSchedule(scheduler, 'x', 'rate(1 day)', 'work', undefined, { GroupName: 'none' }),
    'ResourceNotFoundException', 'Schedule group none does not exist.', 404);
  const invalid = (pattern, expression, rest, queue = 'work') => fails(
    createSchedule(scheduler, 'x', expression, queue, undefined, rest), 'ValidationException', pattern);
  await invalid(/^Invalid Schedule Expression cron\(0 1 \* \* \* \*\)\. At character 14: /,
    'cron(0 1 * * * *)');
  await invalid(/^Invalid ScheduleExpressionTimezone Mars/, 'rate(1 day)',
    { ScheduleExpressionTimezone: 'Mars' });
  await invalid(/Arn .*sns.* is not supported|target .*sns.* is not supported/, 'rate(1 day)',
    { Target: { Arn: 'arn:aws:sns:us-east-1:000000000000:topic' } });
  await invalid(/KmsKeyArn is not supported/, 'rate(1 day)',
    { KmsKeyArn: 'arn:aws:kms:us-east-1:000000000000:key/x' });
  await invalid(/Target\.EventBridgeParameters is not supported/, 'rate(1 day)',
    { Target: { EventBridgeParameters: { DetailType: 'a', Source: 'b' } } });
  await invalid(/MaximumWindowInMinutes is required/, 'rate(1 day)',
    { FlexibleTimeWindow: { Mode: 'FLEXIBLE' } });
  await invalid(/^1 validation error detected: Value 'SOME' at 'flexibleTimeWindow.mode' failed/,
    'rate(1 day)', { FlexibleTimeWindow: { Mode: 'SOME' } });
  await invalid(/Value '1441' at 'flexibleTimeWindow.maximumWindowInMinutes' .*less than or equal to 1440/,
    'rate(1 day)', { FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 1441 } });
  await invalid(/'target.retryPolicy.maximumEventAgeInSeconds' .*greater than or equal to 60/,
    'rate(1 day)', { Target: { RetryPolicy: { MaximumEventAgeInSeconds: 59 } } });
  await invalid(/'target.roleArn' failed to satisfy constraint: .*regular expression pattern/,
    'rate(1 day)', { Target: { RoleArn: 'nobody' } });
  await invalid(/The StartDate you specify cannot be earlier than 5 minutes ago/, 'rate(1 day)',
    { StartDate: new Date(Date.now() - 600_000) });
  await invalid(/MessageGroupId is required/, 'rate(1 day)', {}, 'a.fifo');
  await fails(createSchedule(scheduler, 'bad name', 'rate(1 day)', 'work'), 'ValidationException',
    /Value 'bad name' at 'name' failed to satisfy constraint: .*\[0-9a-zA-Z-_\.\]/);
  await fails(scheduler.send(new ListSchedulesCommand({ MaxResults: 101 })), 'ValidationException',
    /'maxResults' .*less than or equal to 100/);
  await fails(scheduler.send(new ListSchedulesCommand({ NextToken: 'rubbish!' })),
    'ValidationException', 'Invalid NextToken');
  await scheduler.send(new DeleteScheduleCommand({ Name: 'taken' }));
});

test('the same request twice, by its token, is one', { skip }, async () => {
  const request = { ...scheduleRequest('again', 'rate(1 day)', 'work'), State: 'DISABLED',
    ClientToken: 'token-1' };
  await scheduler.send(new CreateScheduleCommand(request));
  await scheduler.send(new CreateScheduleCommand(request));
  await fails(scheduler.send(new CreateScheduleCommand({ ...request, ClientToken: 'token-2' })),
    'ConflictException', /already exists/, 409);
  const deletion = { Name: 'again', ClientToken: 'token-3' };
  await scheduler.send(new DeleteScheduleCommand(deletion));
  await scheduler.send(new DeleteScheduleCommand(deletion));
  await fails(scheduler.send(new DeleteScheduleCommand({ Name: 'again' })),
    'ResourceNotFoundException', /does not exist/, 404);
});

test('groups hold schedules and tags', { skip }, async () => {
  const { ScheduleGroupArn } = await scheduler.send(new CreateScheduleGroupCommand({
    Name: 'ops', Tags: [{ Key: 'team', Value: 'blue & green' }] }));
  assert.equal(ScheduleGroupArn, 'arn:aws:scheduler:us-east-1:000000000000:schedule-group/ops');
  await fails(scheduler.send(new CreateScheduleGroupCommand({ Name: 'ops' })), 'ConflictException',
    'Schedule group ops already exists.', 409);
  const group = await scheduler.send(new GetScheduleGroupCommand({ Name: 'ops' }));
  assert.equal(group.State, 'ACTIVE');
  assert.equal(group.Arn, ScheduleGroupArn);
  const { ScheduleGroups } = await scheduler.send(new ListScheduleGroupsCommand({}));
  assert.deepEqual(ScheduleGroups.map(({ Name }) => Name), ['default', 'ops', 'weir.yaml']);
  await scheduler.send(new TagResourceCommand({ ResourceArn: ScheduleGroupArn,
    Tags: [{ Key: 'cost', Value: '1' }] }));
  const tags = async () => (await scheduler.send(
    new ListTagsForResourceCommand({ ResourceArn: ScheduleGroupArn }))).Tags;
  assert.deepEqual(await tags(), [{ Key: 'cost', Value: '1' }, { Key: 'team', Value: 'blue & green' }]);
  await scheduler.send(new UntagResourceCommand({ ResourceArn: ScheduleGroupArn,
    TagKeys: ['team', 'other'] }));
  assert.deepEqual(await tags(), [{ Key: 'cost', Value: '1' }]);
  const reserved = [{ Key: 'aws:owner', Value: 'a' }];
  for (const command of [new TagResourceCommand({ ResourceArn: ScheduleGroupArn, Tags: reserved }),
    new CreateScheduleGroupCommand({ Name: 'never', Tags: reserved })]) {
    await fails(scheduler.send(command), 'ValidationException', /^The tag key aws:owner is reserved/, 400);
  }

  for (const name of ['c', 'a', 'b']) {
    await createSchedule(scheduler, name, 'rate(1 day)', 'work', undefined,
      { GroupName: 'ops', State: name === 'b' ? 'DISABLED' : 'ENABLED' });
  }
  const names = [];
  let NextToken;
  do {
    const page = await scheduler.send(
      new ListSchedulesCommand({ GroupName: 'ops', MaxResults: 2, NextToken }));
    names.push(...page.Schedules.map(({ Name }) => Name));
    ({ NextToken } = page);
  } while (NextToken);
  assert.deepEqual(names, ['a', 'b', 'c']);
  const disabled = await scheduler.send(new ListSchedulesCommand({ GroupName: 'ops', State: 'DISABLED' }));
  assert.deepEqual(disabled.Schedules.map(({ Name }) => Name), ['b']);
  await fails(scheduler.send(new ListSchedulesCommand({ GroupName: 'none' })),
    'ResourceNotFoundException', /does not exist/, 404);
  assert.equal((await get('a', 'ops')).GroupName, 'ops');

  await scheduler.send(new DeleteScheduleGroupCommand({ Name: 'ops' }));
  await eventually(() => scheduler.send(new GetScheduleGroupCommand({ Name: 'ops' }))
    .then(({ State }) => assert.equal(State, 'DELETING') ?? false,
      (error) => error.name === 'ResourceNotFoundException'));
  await fails(get('a', 'ops'), 'ResourceNotFoundException', /does not exist/, 404);
  await fails(scheduler.send(new DeleteScheduleGroupCommand({ Name: 'default' })),
    'ValidationException', /cannot be deleted/);
});

test('a message comes at its millisecond, with its placeholders filled in', { skip }, async () => {
  const queue = await createQueue(sqs, 'precise');
  const expression = atIn(700);
  await createSchedule(scheduler, 'once', expression, 'precise',
    '{"arn":"<aws.scheduler.schedule-arn>","time":"<aws.scheduler.scheduled-time>",'
    + '"id":"<aws.scheduler.execution-id>","attempt":<aws.scheduler.attempt-number>}',
    { ActionAfterCompletion: 'DELETE' });
  const message = await take(queue);
  const body = JSON.parse(message.Body);
  assert.equal(body.arn, 'arn:aws:scheduler:us-east-1:000000000000:schedule/default/once');
  assert.equal(new Date(body.time).toISOString(), `${expression.slice(3, -1)}Z`);
  assert.match(body.id, /^[0-9a-f]{16}$/);
  assert.equal(body.attempt, 1);
  const late = Number(message.Attributes.SentTimestamp) - new Date(body.time);
  assert.ok(late >= 0 && late < 5000, `${late} ms late`);
  await eventually(() => get('once').then(() => false, (error) => error.name === 'ResourceNotFoundException'));
});

test('an event without input has a text as its detail', { skip }, async () => {
  const queue = await createQueue(sqs, 'events');
  await createSchedule(scheduler, 'event', atIn(0), 'events');
  const event = JSON.parse((await take(queue)).Body);
  assert.match(event.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  delete event.id;
  assert.match(event.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/);
  delete event.time;
  assert.deepEqual(event, {
    version: '0', 'detail-type': 'Scheduled Event', source: 'aws.scheduler',
    account: '000000000000', region: 'us-east-1',
    resources: ['arn:aws:scheduler:us-east-1:000000000000:schedule/default/event'], detail: '{}',
  });
});

test('what has no target goes to the dead-letter queue', { skip }, async () => {
  const queue = await createQueue(sqs, 'letters');
  await createSchedule(scheduler, 'dead', atIn(0), 'nowhere', 'the input',
    { Target: { DeadLetterConfig: { Arn: queueArn('letters') } } });
  const letter = await take(queue);
  assert.equal(letter.Body, 'the input');
  const value = (name) => letter.MessageAttributes[name]?.StringValue;
  assert.equal(value('ERROR_CODE'), 'AWS.SimpleQueueService.NonExistentQueue');
  assert.equal(value('TARGET_ARN'), queueArn('nowhere'));
  assert.equal(value('SCHEDULE_ARN'), 'arn:aws:scheduler:us-east-1:000000000000:schedule/default/dead');
  assert.equal(value('RETRY_ATTEMPTS'), '0');
  assert.equal(value('EXHAUSTED_RETRY_CONDITION'), undefined);
});

test('an application debounces: update, and create when there is nothing', { skip }, async () => {
  const queue = await createQueue(sqs, 'debounced');
  let created = 0;
  async function changed() {
    const request = scheduleRequest('rebuild', atIn(1500), 'debounced', '{}');
    try {
      await scheduler.send(new UpdateScheduleCommand(request));
    } catch (error) {
      assert.equal(error.name, 'ResourceNotFoundException');
      await scheduler.send(new CreateScheduleCommand(request));
      created += 1;
    }
  }
  for (let i = 0; i < 100; i += 1) {
    await changed();
  }
  const last = Date.now();
  const message = await take(queue);
  assert.equal(created, 1);
  assert.equal(message.Body, '{}');
  assert.ok(Number(message.Attributes.SentTimestamp) >= last, 'after the last change');
  assert.deepEqual(await receive(sqs, queue), []);
});

test('signed requests pass, with what their paths hold, and others do not', { skip }, async () => {
  const own = await new Weir({
    config: 'credentials: [{ access_key_id: AKIDTEST, secret_access_key: s3cret }]\n' }).start();
  try {
    const signed = (secretAccessKey) => schedulerOf(own,
      { credentials: { accessKeyId: 'AKIDTEST', secretAccessKey } });
    const { ScheduleGroupArn: ResourceArn } = await signed('s3cret').send(
      new CreateScheduleGroupCommand({ Name: 'g', Tags: [{ Key: 'a b', Value: 'c' }] }));
    await signed('s3cret').send(new UntagResourceCommand({ ResourceArn, TagKeys: ['a b'] }));
    const { Tags } = await signed('s3cret').send(new ListTagsForResourceCommand({ ResourceArn }));
    assert.deepEqual(Tags, []);
    await assert.rejects(signed('wrong').send(new ListSchedulesCommand({})),
      { name: 'InvalidSignatureException' });
  } finally {
    await own.close();
  }
});

test('a kill loses no schedule and doubles no firing', { skip }, async () => {
  const own = await new Weir().start();
  try {
    let client = sqsOf(own);
    let queue = await createQueue(client, 'counted');
    await createSchedule(schedulerOf(own), 'tick', 'rate(50 milliseconds)', 'counted',
      '<aws.scheduler.scheduled-time>');
    const seen = [];
    for (let round = 0; round < 3; round += 1) {
      for (let i = 0; i < 10; i += 1) {
        seen.push((await take(queue, client)).Body);
      }
      await own.kill();
      await own.start();
      client = sqsOf(own);
      queue = await createQueue(client, 'counted');
    }
    const times = seen.map((text) => new Date(text).getTime());
    assert.equal(new Set(times).size, times.length, 'no firing twice');
    assert.ok(times.every((time) => (time - times[0]) % 50 === 0), 'the grid is kept');
  } finally {
    await own.close();
  }
});

test('what came due while weir was down happens once at start', { skip }, async () => {
  const own = await new Weir().start();
  try {
    const client = sqsOf(own);
    await createQueue(client, 'late');
    await createSchedule(schedulerOf(own), 'once', atIn(300), 'late', 'once');
    await createSchedule(schedulerOf(own), 'often', 'rate(100 milliseconds)', 'late', 'often',
      { StartDate: new Date(Date.now() + 300) });
    const due = Date.now() + 1000;
    await own.stop();
    await eventually(() => Date.now() > due);
    await own.start();
    const again = sqsOf(own);
    const queue = await createQueue(again, 'late');
    const first = [(await take(queue, again)).Body, (await take(queue, again)).Body];
    assert.ok(first.includes('once'), `one of ${first}`);
  } finally {
    await own.close();
  }
});
