// Queues through the SQS API of the current SDK: definitions, messages, errors.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  AddPermissionCommand, ChangeMessageVisibilityBatchCommand, ChangeMessageVisibilityCommand, CreateQueueCommand,
  DeleteMessageBatchCommand, DeleteMessageCommand, DeleteQueueCommand, GetQueueUrlCommand,
  ListDeadLetterSourceQueuesCommand, ListQueuesCommand, ListQueueTagsCommand, PurgeQueueCommand,
  ReceiveMessageCommand, SendMessageBatchCommand, SendMessageCommand, SetQueueAttributesCommand,
  TagQueueCommand, UntagQueueCommand,
} from '@aws-sdk/client-sqs';
import { attributesOf, createQueue, receive, sqsOf } from './lib/queues.mjs';
import { fails } from './lib/tables.mjs';
import { elsewhere, startWeir } from './lib/weir.mjs';

const skip = elsewhere ? 'needs a weir of its own' : false;

let weir;
let sqs;

before(async () => {
  if (!skip) {
    weir = await startWeir();
    sqs = sqsOf(weir);
  }
});
after(() => weir?.close());

test('a queue is created, found, listed, changed and deleted', { skip }, async () => {
  const url = await createQueue(sqs, 'life', { VisibilityTimeout: '45' }, { tags: { team: 'a' } });
  assert.equal(url, `${weir.endpoint}/000000000000/life`);
  assert.equal((await sqs.send(new GetQueueUrlCommand({ QueueName: 'life' }))).QueueUrl, url);
  assert.equal(await createQueue(sqs, 'life', { VisibilityTimeout: '45' }), url, 'again is fine');
  assert.equal(await createQueue(sqs, 'life'), url, 'without attributes too');
  await fails(createQueue(sqs, 'life', { VisibilityTimeout: '46' }), 'QueueNameExists',
    'A queue already exists with the same name and a different value for attribute '
    + 'VisibilityTimeout');
  await createQueue(sqs, 'life-2');
  const { QueueUrls } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: 'life' }));
  assert.deepEqual(QueueUrls, [url, `${url}-2`]);
  const page = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: 'life', MaxResults: 1 }));
  assert.deepEqual(page.QueueUrls, [url]);
  const rest = await sqs.send(new ListQueuesCommand(
    { QueueNamePrefix: 'life', MaxResults: 1, NextToken: page.NextToken }));
  assert.deepEqual([rest.QueueUrls, rest.NextToken], [[`${url}-2`], undefined]);

  await sqs.send(new SetQueueAttributesCommand(
    { QueueUrl: url, Attributes: { DelaySeconds: '3', Policy: '{"x":1}' } }));
  const attributes = await attributesOf(sqs, url);
  assert.equal(attributes.VisibilityTimeout, '45');
  assert.equal(attributes.DelaySeconds, '3');
  assert.equal(attributes.Policy, '{"x":1}');
  assert.equal(attributes.QueueArn, 'arn:aws:sqs:us-east-1:000000000000:life');
  assert.equal(attributes.MaximumMessageSize, '1048576');
  assert.equal(attributes.MessageRetentionPeriod, '345600');
  assert.ok(Math.abs(Number(attributes.CreatedTimestamp) * 1000 - Date.now()) < 600_000);

  for (const [name, value] of Object.entries({ Policy: 'none', RedriveAllowPolicy: '[]', SqsManagedSseEnabled: 'maybe',
    KmsDataKeyReusePeriodSeconds: '59' })) {
    await fails(sqs.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { [name]: value } })),
      'InvalidAttributeValue', `Invalid value for the parameter ${name}.`);
  }
  await fails(createQueue(sqs, 'limit', { FifoThroughputLimit: 'perQueue' }), 'InvalidAttributeName');
  const fifo = await createQueue(sqs, 'limit.fifo', { FifoQueue: 'true' });
  assert.equal((await attributesOf(sqs, fifo)).FifoThroughputLimit, 'perQueue');
  await fails(sqs.send(new SetQueueAttributesCommand({ QueueUrl: fifo, Attributes: { FifoThroughputLimit: 'all' } })),
    'InvalidAttributeValue');

  await sqs.send(new TagQueueCommand({ QueueUrl: url, Tags: { team: 'b', cost: '1' } }));
  await sqs.send(new UntagQueueCommand({ QueueUrl: url, TagKeys: ['cost'] }));
  assert.deepEqual((await sqs.send(new ListQueueTagsCommand({ QueueUrl: url }))).Tags, { team: 'b' });

  await sqs.send(new DeleteQueueCommand({ QueueUrl: url }));
  await fails(attributesOf(sqs, url), 'QueueDoesNotExist', 'The specified queue does not exist.');
  assert.notEqual(await createQueue(sqs, 'life', { VisibilityTimeout: '46' }), undefined);
});

test('what a queue may not be', { skip }, async () => {
  const create = (QueueName, Attributes) => sqs.send(new CreateQueueCommand({ QueueName, Attributes }));
  await fails(create('no spaces'), 'InvalidParameterValue', /Can only include/);
  await fails(create('x', { Color: 'red' }), 'InvalidAttributeName', 'Unknown Attribute Color.');
  await fails(create('x', { DelaySeconds: '901' }), 'InvalidAttributeValue',
    'Invalid value for the parameter DelaySeconds.');
  await fails(create('x', { FifoQueue: 'true' }), 'InvalidParameterValue', /\.fifo/);
  await fails(create('x.fifo'), 'InvalidParameterValue', /Can only include/);
  await fails(create('x', { RedrivePolicy: '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:no","maxReceiveCount":3}' }),
    'InvalidParameterValue', /Dead letter target does not exist/);
  await fails(create('x', { Policy: 'x'.repeat(8193) }), 'InvalidAttributeValue',
    'Invalid value for the parameter Policy.');
});

test('tags are within SQS\'s limits, so a definition stays small', { skip }, async () => {
  const QueueUrl = await createQueue(sqs, 'tagged');
  const tag = (tags) => sqs.send(new TagQueueCommand({ QueueUrl, Tags: tags }));
  const many = (from, count) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${from + i}`, 'x']));
  await fails(tag({ big: 'x'.repeat(257) }), 'InvalidParameterValue', /at most 256/);
  await fails(tag({ ['x'.repeat(129)]: '' }), 'InvalidParameterValue', /1 to 128/);
  await fails(tag(many(0, 51)), 'InvalidParameterValue', /at most 50/);
  await fails(tag({ 'aws:owner': 'a' }), 'InvalidParameterValue', /^The tag key aws:owner is reserved/);
  await tag({ ['ü'.repeat(128)]: 'ü'.repeat(256) });
  await tag(many(0, 49));
  await fails(tag(many(49, 1)), 'InvalidParameterValue', /at most 50/);
  await fails(sqs.send(new UntagQueueCommand({ QueueUrl, TagKeys: Array(51).fill('t0') })),
    'InvalidParameterValue', /at most 50/);
  await fails(sqs.send(new CreateQueueCommand({ QueueName: 'x', tags: { big: 'x'.repeat(257) } })),
    'InvalidParameterValue', /at most 256/);
});

test('a message with attributes comes out as it went in', { skip }, async () => {
  const QueueUrl = await createQueue(sqs, 'attributes');
  const MessageAttributes = {
    text: { DataType: 'String', StringValue: 'grüße' },
    count: { DataType: 'Number.int', StringValue: '12' },
    bytes: { DataType: 'Binary', BinaryValue: Buffer.from([0, 1, 255]) },
  };
  const MessageBody = 'grüße <&> "quoted"\n\t€';
  const sent = await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, MessageAttributes,
    MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: 'Root=1' } } }));
  assert.equal(sent.MD5OfMessageBody, createHash('md5').update(MessageBody).digest('hex'));
  // The attributes' MD5 of the three above, as AWS defines it.
  const hash = createHash('md5');
  const add = (bytes) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(bytes));
    hash.update(length).update(bytes);
  };
  for (const name of Object.keys(MessageAttributes).sort()) {
    const { DataType, StringValue, BinaryValue } = MessageAttributes[name];
    add(name);
    add(DataType);
    hash.update(Buffer.from([BinaryValue ? 2 : 1]));
    add(BinaryValue ?? StringValue);
  }
  assert.equal(sent.MD5OfMessageAttributes, hash.digest('hex'));

  const [message] = await receive(sqs, QueueUrl);
  assert.equal(message.MessageId, sent.MessageId);
  assert.equal(message.Body, MessageBody);
  assert.equal(message.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
  assert.equal(message.MessageAttributes.text.StringValue, 'grüße');
  assert.deepEqual([...message.MessageAttributes.bytes.BinaryValue], [0, 1, 255]);
  assert.equal(message.Attributes.ApproximateReceiveCount, '1');
  assert.equal(message.Attributes.AWSTraceHeader, 'Root=1');
  assert.equal(message.Attributes.SenderId, '000000000000');
  assert.ok(Math.abs(Number(message.Attributes.SentTimestamp) - Date.now()) < 600_000);
  assert.deepEqual(await receive(sqs, QueueUrl), [], 'it is hidden now');
  const { ReceiptHandle } = message;
  await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
  const [again] = await receive(sqs, QueueUrl,
    { MessageSystemAttributeNames: ['ApproximateReceiveCount'], MessageAttributeNames: ['by.*', 'count'] });
  assert.deepEqual(again.Attributes, { ApproximateReceiveCount: '2' });
  assert.deepEqual(Object.keys(again.MessageAttributes).sort(), ['bytes', 'count']);
  assert.notEqual(again.ReceiptHandle, ReceiptHandle);
  const plain = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
  assert.equal(plain.Messages, undefined);
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: again.ReceiptHandle }));
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: again.ReceiptHandle }));
  await fails(sqs.send(new ChangeMessageVisibilityCommand(
    { QueueUrl, ReceiptHandle: again.ReceiptHandle, VisibilityTimeout: 5 })),
  'InvalidParameterValue', /Message does not exist/);
  const counts = await attributesOf(sqs, QueueUrl);
  assert.equal(counts.ApproximateNumberOfMessages, '0');
  assert.equal(counts.ApproximateNumberOfMessagesNotVisible, '0');
});

test('bad requests are told apart', { skip }, async () => {
  const QueueUrl = await createQueue(sqs, 'bad');
  const send = (rest) => sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'x', ...rest }));
  await fails(send({ QueueUrl: `${weir.endpoint}/000000000000/none` }), 'QueueDoesNotExist');
  await fails(send({ MessageBody: 'a\u0001b' }), 'InvalidMessageContents');
  await fails(send({ MessageBody: '' }), 'MissingParameter', /MessageBody/);
  await fails(send({ DelaySeconds: 901 }), 'InvalidParameterValue', /DelaySeconds/);
  await fails(send({ MessageBody: 'x'.repeat(1048577) }), 'InvalidParameterValue',
    /Message must be shorter than 1048576 bytes/);
  await fails(send({ MessageAttributes: { a: { DataType: 'Blob', StringValue: 'x' } } }),
    'InvalidParameterValue', /invalid message attribute type/);
  const text = { DataType: 'String', StringValue: 'x' };
  for (const [MessageAttributes, message] of [
    [{ n: { DataType: 'Number', StringValue: 'seven' } }, /^Can't cast the value of message \(user\) attribute 'n' to a number\.$/],
    [{ n: { DataType: 'Number.int' } }, /must contain non-empty/],
    [{ n: { ...text, BinaryValue: Buffer.from('x') } }, /and no other\.$/],
    [{ n: { ...text, StringListValues: ['x'] } }, /^Message attribute list values in SendMessage operation are not supported\.$/],
    [{ 'AWS.n': text }, /^The message attribute name 'AWS\.n' is invalid\./],
    [{ 'amazon.n': text }, /is invalid\./],
    [{ 'a..b': text }, /is invalid\./],
  ]) {
    await fails(send({ MessageAttributes }), 'InvalidParameterValue', message);
  }
  await send({ MessageAttributes: { 'awsn.a': text, n: { DataType: 'Number', StringValue: '-1.5e3' } } });
  await fails(send({ MessageSystemAttributes: { Trace: text } }), 'InvalidParameterValue', /^The message system attribute 'Trace'/);
  await fails(send({ MessageSystemAttributes: { AWSTraceHeader: { ...text, DataType: 'Number' } } }), 'InvalidParameterValue');
  await fails(receive(sqs, QueueUrl, { MessageSystemAttributeNames: ['Sender'] }), 'InvalidAttributeName', /^Unknown Attribute Sender\.$/);
  await fails(send({ MessageDeduplicationId: 'x' }), 'InvalidParameterValue');
  await fails(receive(sqs, QueueUrl, { MaxNumberOfMessages: 11 }), 'InvalidParameterValue',
    /MaxNumberOfMessages/);
  await fails(receive(sqs, QueueUrl, { WaitTimeSeconds: 21 }), 'InvalidParameterValue');
  await fails(sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: 'nonsense' })),
    'ReceiptHandleIsInvalid', /not a valid receipt handle/, 404);
  const permission = new AddPermissionCommand({ QueueUrl, Label: 'x', AWSAccountIds: ['000000000000'], Actions: ['*'] });
  await fails(sqs.send(permission), 'UnsupportedOperationException', /^AddPermission is not offered by weir$/);
  const broken = await weir.request({ target: 'AmazonSQS.SendMessage', body: '{',
    headers: { 'x-amzn-query-mode': 'true' } });
  assert.equal(broken.status, 400);
  assert.match(broken.json.__type, /SerializationException/);
  const one = '"a":{"DataType":"String","StringValue":"x"}';
  const twice = await weir.request({ target: 'AmazonSQS.SendMessage',
    body: `{"QueueUrl":"${QueueUrl}","MessageBody":"x","MessageAttributes":{${one},${one}}}` });
  assert.deepEqual([twice.status, twice.json.message],
    [400, 'Message attribute name [a] already exists.']);
  const none = await weir.request({ target: 'AmazonSQS.GetQueueUrl', body: '{"QueueName":"none"}',
    headers: { 'x-amzn-query-mode': 'true' } });
  assert.equal(none.headers['x-amzn-query-error'], 'AWS.SimpleQueueService.NonExistentQueue;Sender');
});

test('batches: each entry for itself', { skip }, async () => {
  const QueueUrl = await createQueue(sqs, 'batches');
  const batch = (Entries) => sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  await fails(batch([]), 'EmptyBatchRequest');
  await fails(batch(Array.from({ length: 11 }, (_, i) => ({ Id: `${i}`, MessageBody: 'x' }))),
    'TooManyEntriesInBatchRequest');
  await fails(batch([{ Id: 'a', MessageBody: 'x' }, { Id: 'a', MessageBody: 'y' }]),
    'BatchEntryIdsNotDistinct', 'Id a repeated.');
  await fails(batch([{ Id: 'a b', MessageBody: 'x' }]), 'InvalidBatchEntryId');
  await fails(batch([{ Id: 'a', MessageBody: 'x'.repeat(600_000) },
    { Id: 'b', MessageBody: 'x'.repeat(600_000) }]), 'BatchRequestTooLong');
  const answer = await batch([{ Id: 'good', MessageBody: 'one' }, { Id: 'bad', MessageBody: '\u0002' },
    { Id: 'late', MessageBody: 'two', DelaySeconds: 900 }]);
  assert.deepEqual(answer.Successful.map(({ Id }) => Id), ['good', 'late']);
  assert.deepEqual(answer.Failed, [{ Id: 'bad', SenderFault: true, Code: 'InvalidMessageContents',
    Message: 'Invalid characters found.' }]);
  assert.equal((await attributesOf(sqs, QueueUrl)).ApproximateNumberOfMessagesDelayed, '1');
  await batch(Array.from({ length: 10 }, (_, i) => ({ Id: `${i}`, MessageBody: `m${i}` })));
  const first = await receive(sqs, QueueUrl);
  const second = await receive(sqs, QueueUrl);
  const messages = [...first, ...second];
  assert.deepEqual(messages.map(({ Body }) => Body).sort(),
    ['one', ...Array.from({ length: 10 }, (_, i) => `m${i}`)].sort());
  const entries = messages.slice(0, 2).map(({ ReceiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle }));
  const changed = await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl,
    Entries: entries.map((entry) => ({ ...entry, VisibilityTimeout: 0 })) }));
  assert.equal(changed.Successful.length, 2);
  const back = await receive(sqs, QueueUrl);
  assert.equal(back.length, 2);
  const deleted = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl,
    Entries: [...back.map(({ ReceiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle })),
      { Id: 'x', ReceiptHandle: 'nonsense' }] }));
  assert.equal(deleted.Successful.length, 2);
  assert.deepEqual(deleted.Failed.map(({ Id, Code }) => [Id, Code]), [['x', 'ReceiptHandleIsInvalid']]);
  assert.equal((await attributesOf(sqs, QueueUrl)).ApproximateNumberOfMessagesNotVisible, '9');
  await sqs.send(new PurgeQueueCommand({ QueueUrl }));
  const counts = await attributesOf(sqs, QueueUrl);
  assert.deepEqual([counts.ApproximateNumberOfMessages, counts.ApproximateNumberOfMessagesNotVisible,
    counts.ApproximateNumberOfMessagesDelayed], ['0', '0', '0']);
  await batch([{ Id: 'a', MessageBody: 'after' }]);
  assert.deepEqual((await receive(sqs, QueueUrl)).map(({ Body }) => Body), ['after']);
});

test('a receive waits for a message, a time-out, or its own end', { skip }, async () => {
  const QueueUrl = await createQueue(sqs, 'waits');
  const waiting = receive(sqs, QueueUrl, { WaitTimeSeconds: 20 });
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'hello' }));
  const [message] = await waiting;
  assert.equal(message.Body, 'hello');
  const back = receive(sqs, QueueUrl, { WaitTimeSeconds: 20 });
  await sqs.send(new ChangeMessageVisibilityCommand(
    { QueueUrl, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 1 }));
  const [again] = await back;
  assert.equal(again.MessageId, message.MessageId, 'it came back by itself');
  assert.deepEqual(await receive(sqs, QueueUrl, { WaitTimeSeconds: 1 }), []);
  const gone = fails(receive(sqs, QueueUrl, { WaitTimeSeconds: 20 }), 'QueueDoesNotExist');
  await attributesOf(sqs, QueueUrl);
  await sqs.send(new DeleteQueueCommand({ QueueUrl }));
  await gone;
});

test('a client that stops waiting takes nothing with it', { skip }, async () => {
  const QueueUrl = await createQueue(sqs, 'aborted');
  const abort = new AbortController();
  const waiting = sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }),
    { abortSignal: abort.signal });
  await attributesOf(sqs, QueueUrl);
  abort.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'still here' }));
  const messages = await receive(sqs, QueueUrl, { WaitTimeSeconds: 5 });
  assert.deepEqual(messages.map(({ Body }) => Body), ['still here']);
});

test('what is received too often becomes a dead letter', { skip }, async () => {
  const dead = await createQueue(sqs, 'dead');
  const arn = (await attributesOf(sqs, dead)).QueueArn;
  const QueueUrl = await createQueue(sqs, 'fragile',
    { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arn, maxReceiveCount: 2 }) });
  assert.equal((await attributesOf(sqs, QueueUrl)).RedrivePolicy,
    `{"deadLetterTargetArn":"${arn}","maxReceiveCount":2}`);
  const { queueUrls } = await sqs.send(new ListDeadLetterSourceQueuesCommand({ QueueUrl: dead }));
  assert.deepEqual(queueUrls, [QueueUrl]);
  const sent = await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'poison',
    MessageAttributes: { a: { DataType: 'String', StringValue: 'b' } } }));
  for (const count of ['1', '2']) {
    const [message] = await receive(sqs, QueueUrl, { VisibilityTimeout: 0 });
    assert.equal(message.Attributes.ApproximateReceiveCount, count);
  }
  assert.deepEqual(await receive(sqs, QueueUrl), []);
  const [letter] = await receive(sqs, dead);
  assert.equal(letter.MessageId, sent.MessageId);
  assert.equal(letter.Body, 'poison');
  assert.equal(letter.MessageAttributes.a.StringValue, 'b');
  assert.equal(letter.Attributes.DeadLetterQueueSourceArn, 'arn:aws:sqs:us-east-1:000000000000:fragile');
  assert.equal((await attributesOf(sqs, QueueUrl)).ApproximateNumberOfMessages, '0');
});
