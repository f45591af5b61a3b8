// Event source mappings with a queue as their source: handlers written for AWS get its messages as Lambda hands them over.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import {
  CreateEventSourceMappingCommand, DeleteEventSourceMappingCommand, GetEventSourceMappingCommand, LambdaClient,
  ListEventSourceMappingsCommand, UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda';
import {
  CreateQueueCommand, SendMessageBatchCommand, SendMessageCommand, SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs';
import { HANDLERS } from './lib/functions.mjs';
import { attributesOf, receive, sqsOf } from './lib/queues.mjs';
import { fails } from './lib/tables.mjs';
import { elsewhere, eventually, startWeir } from './lib/weir.mjs';

const skip = elsewhere;
const arnOf = (name) => `arn:aws:sqs:us-east-1:000000000000:${name}`;
const REPORTS = { FunctionResponseTypes: ['ReportBatchItemFailures'] };

// A weir with functions and queues `in` and `in.fifo`, made by the SDK as a stack would make them.
async function start({ visibility = 2, after = 2 } = {}) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'weir-mappings-'));
  const file = (name) => path.join(folder, name);
  const node = (handler, concurrency = 1) => `{ runtime: node, handler: stream.${handler}, dir: "${HANDLERS}",
    timeout: 2s, concurrency: ${concurrency}, env: { CALLS: "${file(handler)}" } }`;
  const weir = await startWeir({ config: `
functions:
  messages: ${node('messages')}
  strict: ${node('strict')}
  busy: ${node('busy', 4)}
` });
  const sqs = () => sqsOf(weir);
  const url = (name) => `${weir.endpoint}/000000000000/${name}`;
  for (const fifo of ['', '.fifo']) {
    const more = fifo ? { FifoQueue: 'true', ContentBasedDeduplication: 'true' } : {};
    await sqs().send(new CreateQueueCommand({ QueueName: `dead${fifo}`, Attributes: more }));
    await sqs().send(new CreateQueueCommand({ QueueName: `in${fifo}`, Attributes: { ...more,
      VisibilityTimeout: `${visibility}`,
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arnOf(`dead${fifo}`), maxReceiveCount: after }) } }));
  }
  const lambda = () => weir.client(LambdaClient);
  const get = (UUID) => lambda().send(new GetEventSourceMappingCommand({ UUID }));
  const inState = (UUID, state) => eventually(async () => (await get(UUID)).State === state, { what: state });
  const create = (rest) => lambda().send(new CreateEventSourceMappingCommand({
    EventSourceArn: arnOf('in'), FunctionName: 'messages', ...rest }));
  const settled = async (rest) => {
    const made = await create(rest);
    await inState(made.UUID, rest.Enabled === false ? 'Disabled' : 'Enabled');
    return made;
  };
  const update = async (UUID, rest, state = 'Enabled') => {
    const answer = await lambda().send(new UpdateEventSourceMappingCommand({ UUID, ...rest }));
    await inState(UUID, state);
    return answer;
  };
  const calls = (handler = 'messages') => (existsSync(file(handler))
    ? readFileSync(file(handler), 'utf8').trim().split('\n').map((line) => JSON.parse(line)) : []);
  const bodies = (handler) => calls(handler).map(({ event }) => event.Records.map(({ body }) => body));
  const send = (name, messages) => sqs().send(new SendMessageBatchCommand({ QueueUrl: url(name),
    Entries: messages.map((m, i) => ({ Id: `${i}`, ...(typeof m === 'string' ? { MessageBody: m } : m) })) }));
  const left = async (name) => {
    const all = await attributesOf(sqs(), url(name));
    return Number(all.ApproximateNumberOfMessages) + Number(all.ApproximateNumberOfMessagesNotVisible);
  };
  const empty = (name = 'in') => eventually(async () => (await left(name)) === 0, { timeout: 60_000, what: name });
  const dead = async (name = 'dead') => (await receive(sqs(), url(name), { MaxNumberOfMessages: 10,
    WaitTimeSeconds: 1 })).map(({ Body }) => Body);
  const close = async () => {
    await weir.close();
    rmSync(folder, { recursive: true });
  };
  return { weir, sqs, url, lambda, get, create, settled, update, inState, calls, bodies, send, left, empty, dead,
    close };
}

test('created as Lambda answers it; the handler gets an SQS event, exactly', { skip }, async () => {
  const { weir, sqs, url, lambda, create, get, inState, calls, empty, close } = await start();
  try {
    const { $metadata, UUID, EventSourceMappingArn, LastModified, ...made } = await create({});
    assert.equal($metadata.httpStatusCode, 202);
    assert.equal(EventSourceMappingArn, `arn:aws:lambda:us-east-1:000000000000:event-source-mapping:${UUID}`);
    assert.ok(Math.abs(LastModified - Date.now()) < 60_000);
    assert.deepEqual(made, { EventSourceArn: arnOf('in'),
      FunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:messages', BatchSize: 10,
      MaximumBatchingWindowInSeconds: 0, FunctionResponseTypes: [], State: 'Creating',
      StateTransitionReason: 'USER_INITIATED' });
    await inState(UUID, 'Enabled');
    const { MessageId } = await sqs().send(new SendMessageCommand({ QueueUrl: url('in'), MessageBody: '{"n": 1}',
      MessageAttributes: { kind: { DataType: 'String', StringValue: 'x' },
        raw: { DataType: 'Binary', BinaryValue: Buffer.from('ab') } } }));
    await empty();
    const [{ event }] = calls();
    assert.equal(event.Records.length, 1);
    const { receiptHandle, attributes, ...record } = event.Records[0];
    assert.ok(receiptHandle.length > 0);
    assert.deepEqual(Object.keys(attributes).sort(),
      ['ApproximateFirstReceiveTimestamp', 'ApproximateReceiveCount', 'SenderId', 'SentTimestamp']);
    assert.equal(attributes.ApproximateReceiveCount, '1');
    assert.ok(Math.abs(attributes.SentTimestamp - Date.now()) < 60_000);
    assert.deepEqual(record, { messageId: MessageId, body: '{"n": 1}',
      messageAttributes: {
        kind: { stringValue: 'x', stringListValues: [], binaryListValues: [], dataType: 'String' },
        raw: { binaryValue: 'YWI=', stringListValues: [], binaryListValues: [], dataType: 'Binary' } },
      md5OfBody: createHash('md5').update('{"n": 1}').digest('hex'), eventSource: 'aws:sqs',
      eventSourceARN: arnOf('in'), awsRegion: 'us-east-1' });

    await fails(create({}), 'ResourceConflictException',
      `An event source mapping with SQS arn (" ${arnOf('in')} ") and function (" messages ") already exists. Please `
      + `update or delete the existing mapping with UUID ${UUID}`, 409);
    const list = async (query) => (await lambda().send(new ListEventSourceMappingsCommand(query))).EventSourceMappings;
    assert.deepEqual((await list({ EventSourceArn: arnOf('in') })).map((m) => m.UUID), [UUID]);
    const gone = await lambda().send(new DeleteEventSourceMappingCommand({ UUID }));
    assert.deepEqual([gone.$metadata.httpStatusCode, gone.State], [202, 'Deleting']);
    await eventually(async () => (await list({})).length === 0);
    await fails(get(UUID), 'ResourceNotFoundException', undefined, 404);
    assert.ok(!weir.output.includes('level=error'));
  } finally {
    await close();
  }
});

test('batches: as large as BatchSize, or what came within the window', { skip }, async () => {
  const { settled, update, send, bodies, empty, close } = await start();
  try {
    const { UUID } = await settled({ BatchSize: 4, Enabled: false });
    await send('in', [...Array(9)].map((_, i) => `${i}`));
    await update(UUID, { Enabled: true });
    await empty();
    assert.deepEqual(bodies().map((batch) => batch.length).sort(), [1, 4, 4]);
    assert.deepEqual(bodies().flat().sort(), [...Array(9)].map((_, i) => `${i}`));
    await update(UUID, { BatchSize: 25, MaximumBatchingWindowInSeconds: 1 });
    const before = bodies().length;
    await Promise.all([10, 10, 3].map((count) => send('in', [...Array(count)].map(() => 'more'))));
    await empty();
    assert.deepEqual(bodies().slice(before).map((batch) => batch.length), [23]);
  } finally {
    await close();
  }
});

test('what the answer names comes back, and ends in the dead-letter queue', { skip }, async () => {
  const { settled, update, send, bodies, calls, empty, dead, close } = await start();
  try {
    const { UUID } = await settled({ ...REPORTS, Enabled: false });
    await send('in', ['a', 'poison', 'b']);
    await update(UUID, { Enabled: true });
    await empty();
    assert.deepEqual(bodies()[0].sort(), ['a', 'b', 'poison']);
    assert.deepEqual(bodies().slice(1), [['poison']]);
    assert.equal(calls()[1].event.Records[0].attributes.ApproximateReceiveCount, '2');
    assert.deepEqual(await dead(), ['poison']);
    // Without the report, or when the handler throws, it is the whole batch.
    await update(UUID, { FunctionName: 'strict', Enabled: false }, 'Disabled');
    await send('in', ['c', 'poison']);
    await update(UUID, { Enabled: true });
    await empty();
    assert.deepEqual((await dead()).sort(), ['c', 'poison']);
    assert.deepEqual(bodies('strict').map((batch) => batch.sort()), [['c', 'poison'], ['c', 'poison']]);
  } finally {
    await close();
  }
});

test('FIFO: groups in order; what a report does not name is done', { skip }, async () => {
  const { settled, update, send, calls, bodies, empty, dead, close } = await start();
  try {
    const { UUID } = await settled({ EventSourceArn: arnOf('in.fifo'), ...REPORTS, Enabled: false });
    const of = (MessageGroupId) => (MessageBody, i) => ({ Id: `${MessageGroupId}${i}`, MessageBody, MessageGroupId,
      MessageDeduplicationId: `${MessageGroupId}${i}` });
    await send('in.fifo', [...['a', 'poison', 'c'].map(of('g')), ...['x', 'y'].map(of('h'))]);
    await update(UUID, { Enabled: true });
    await empty('in.fifo');
    const records = calls().flatMap(({ event }) => event.Records);
    const inGroup = (group) => records.filter(({ attributes }) => attributes.MessageGroupId === group);
    assert.deepEqual(inGroup('g').map(({ body }) => body), ['a', 'poison', 'c', 'poison']);
    assert.deepEqual(inGroup('h').map(({ body }) => body), ['x', 'y']);
    const { attributes } = inGroup('g')[0];
    assert.match(attributes.SequenceNumber, /^\d{20}$/);
    assert.equal(attributes.MessageDeduplicationId, 'g0');
    assert.deepEqual(await dead('dead.fifo'), ['poison']);
    // When the handler throws, nothing of the group is done, and its order stays.
    await update(UUID, { FunctionName: 'strict', Enabled: false }, 'Disabled');
    await send('in.fifo', ['poison', 'later'].map(of('k')));
    await update(UUID, { Enabled: true });
    await empty('in.fifo');
    assert.deepEqual(bodies('strict'), [['poison', 'later'], ['poison', 'later']]);
    assert.deepEqual(await dead('dead.fifo'), ['poison', 'later']);
  } finally {
    await close();
  }
});

test('filters: what does not match is deleted', { skip }, async () => {
  const { settled, update, send, bodies, empty, dead, close } = await start();
  try {
    const filters = (...patterns) => ({ FilterCriteria: {
      Filters: patterns.map((p) => ({ Pattern: JSON.stringify(p) })) } });
    const { UUID, FilterCriteria } = await settled(filters({ body: { kind: ['order'], n: [{ numeric: ['>', 5] }] } },
      { body: [{ prefix: 'plain' }] }, { messageAttributes: { vip: { stringValue: ['yes'] } } }));
    assert.equal(FilterCriteria.Filters.length, 3);
    const order = '{"kind": "order", "n": 6}';
    await send('in', [order, '{"kind": "order", "n": 5}', '{"kind": "other", "n": 7}', 'plain text', 'other text',
      { MessageBody: 'for a vip', MessageAttributes: { vip: { DataType: 'String', StringValue: 'yes' } } }]);
    await empty();
    assert.deepEqual(bodies().flat().sort(), ['for a vip', 'plain text', order]);
    await update(UUID, filters());
    await send('in', ['anything']);
    await empty();
    assert.deepEqual(bodies().at(-1), ['anything']);
    assert.deepEqual(await dead(), []);
  } finally {
    await close();
  }
});

test('as many batches at once as the function runs, or fewer by MaximumConcurrency', { skip }, async () => {
  const { settled, update, get, send, calls, empty, close } = await start();
  try {
    const { UUID } = await settled({ FunctionName: 'busy', BatchSize: 1, Enabled: false });
    const most = async (rest) => {
      await send('in', [...Array(10)].map((_, i) => `${i}`));
      const before = calls('busy').length;
      await update(UUID, { ...rest, Enabled: true });
      await empty();
      await update(UUID, { Enabled: false }, 'Disabled');
      let running = 0;
      return Math.max(...calls('busy').slice(before).map(({ began }) => (running += began ? 1 : -1)));
    };
    assert.equal(await most({}), 4);
    assert.equal(await most({ ScalingConfig: { MaximumConcurrency: 2 } }), 2);
    assert.deepEqual((await get(UUID)).ScalingConfig, { MaximumConcurrency: 2 });
    assert.equal((await update(UUID, { ScalingConfig: {} }, 'Disabled')).ScalingConfig, undefined);
  } finally {
    await close();
  }
});

test('a mapping outlives kill -9, and no message is lost', { skip }, async () => {
  const { weir, settled, update, get, send, bodies, left, empty, close } = await start({ after: 1000 });
  try {
    const { UUID } = await settled({ BatchSize: 5 });
    const all = [...Array(40)].map((_, i) => `${i}`);
    for (let i = 0; i < all.length; i += 10) {
      await send('in', all.slice(i, i + 10));
    }
    await weir.kill();
    await weir.restart();
    await empty();
    assert.deepEqual([...new Set(bodies().flat())].sort(), all.sort());
    assert.equal((await get(UUID)).BatchSize, 5);
    await update(UUID, { Enabled: false }, 'Disabled');
    await weir.kill();
    await weir.restart();
    await send('in', ['waits']);
    assert.equal((await get(UUID)).State, 'Disabled');
    assert.equal(await left('in'), 1);
  } finally {
    await close();
  }
});

test('what Lambda refuses for queues is refused in its words', { skip }, async () => {
  const { sqs, url, lambda, create, settled, close } = await start();
  try {
    const refused = (rest, message) => fails(create(rest), 'InvalidParameterValueException', message, 400);
    const unsupported = (rest) => refused(rest,
      `Unsupported ${Object.keys(rest)[0]} parameter for given event source mapping type.`);
    await unsupported({ ParallelizationFactor: 2 });
    await unsupported({ DestinationConfig: { OnFailure: { Destination: arnOf('dead') } } });
    await unsupported({ MaximumRecordAgeInSeconds: 60 });
    await unsupported({ BisectBatchOnFunctionError: true });
    await unsupported({ MaximumRetryAttempts: 1 });
    await unsupported({ TumblingWindowInSeconds: 10 });
    await refused({ StartingPosition: 'LATEST' }, 'StartingPosition is not valid for SQS event sources.');
    await refused({ EventSourceArn: arnOf('nobody') }, /NonExistentQueue/);
    await refused({ FunctionName: 'nobody' }, 'Function does not exist');
    await refused({ BatchSize: 11 }, 'Maximum batch window in seconds must be greater than 0 if maximum batch size is '
      + 'greater than 10');
    await refused({ BatchSize: 10_001 }, /BatchSize|batchSize/);
    await refused({ EventSourceArn: arnOf('in.fifo'), MaximumBatchingWindowInSeconds: 1 },
      'Batching window is not supported for FIFO queues.');
    await refused({ EventSourceArn: arnOf('in.fifo'), BatchSize: 11 }, /FIFO/);
    await refused({ ScalingConfig: { MaximumConcurrency: 1 } }, /aximumConcurrency/);
    await refused({ ProvisionedPollerConfig: { MinimumPollers: 2 } }, /^ProvisionedPollerConfig/);
    await refused({ FilterCriteria: { Filters: [{ Pattern: '{"body": 1}' }] } }, undefined);
    const { UUID } = await settled({});
    await fails(lambda().send(new UpdateEventSourceMappingCommand({ UUID, BatchSize: 11 })),
      'InvalidParameterValueException', /^Maximum batch window/, 400);
    await fails(lambda().send(new UpdateEventSourceMappingCommand({ UUID, MaximumRetryAttempts: 3 })),
      'InvalidParameterValueException', /^Unsupported MaximumRetryAttempts/, 400);
    await sqs().send(new SetQueueAttributesCommand({ QueueUrl: url('in.fifo'), Attributes: { VisibilityTimeout: '1' } }));
    await refused({ EventSourceArn: arnOf('in.fifo') },
      'Queue visibility timeout: 1 seconds is less than Function timeout: 2 seconds');
  } finally {
    await close();
  }
});
