// FIFO queues: order within a group, and what is sent twice.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  ChangeMessageVisibilityCommand, DeleteMessageCommand, SendMessageBatchCommand, SendMessageCommand,
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

const bodies = (messages) => messages.map(({ Body }) => Body);

test('a group is in order, and waits for what is hidden', { skip }, async () => {
  const QueueUrl = await createQueue(sqs, 'order.fifo',
    { FifoQueue: 'true', ContentBasedDeduplication: 'true' });
  await sqs.send(new SendMessageBatchCommand({ QueueUrl,
    Entries: ['a1', 'a2', 'b1', 'a3', 'b2'].map((body) => (
      { Id: body, MessageBody: body, MessageGroupId: body[0] })) }));
  const [first] = await receive(sqs, QueueUrl, { MaxNumberOfMessages: 1 });
  assert.equal(first.Body, 'a1');
  assert.equal(first.Attributes.MessageGroupId, 'a');
  assert.match(first.Attributes.SequenceNumber, /^\d{20}$/);
  const others = await receive(sqs, QueueUrl);
  assert.deepEqual(bodies(others), ['b1', 'b2'], 'group a waits for a1');
  assert.deepEqual(await receive(sqs, QueueUrl), []);
  await sqs.send(new ChangeMessageVisibilityCommand(
    { QueueUrl, ReceiptHandle: first.ReceiptHandle, VisibilityTimeout: 0 }));
  const again = await receive(sqs, QueueUrl, { MaxNumberOfMessages: 2 });
  assert.deepEqual(bodies(again), ['a1', 'a2'], 'from the beginning');
  const waiting = receive(sqs, QueueUrl, { WaitTimeSeconds: 20 });
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: again[0].ReceiptHandle }));
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: again[1].ReceiptHandle }));
  assert.deepEqual(bodies(await waiting), ['a3'], 'deleting what is hidden frees the group');
  await fails(sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: first.ReceiptHandle })
    ).then(() => sqs.send(new ChangeMessageVisibilityCommand(
    { QueueUrl, ReceiptHandle: first.ReceiptHandle, VisibilityTimeout: 1 }))),
  'InvalidParameterValue');
});

test('what is sent twice is there once', { skip }, async () => {
  const QueueUrl = await createQueue(sqs, 'once.fifo', { FifoQueue: 'true' });
  const send = (MessageBody, MessageDeduplicationId, MessageGroupId = 'g') => sqs.send(
    new SendMessageCommand({ QueueUrl, MessageBody, MessageDeduplicationId, MessageGroupId }));
  await fails(send('x'), 'InvalidParameterValue', /ContentBasedDeduplication/);
  await fails(send('x', 'y', ''), 'MissingParameter');
  const one = await send('one', 'id');
  const two = await send('other', 'id', 'another-group');
  assert.equal(two.MessageId, one.MessageId);
  assert.equal(two.SequenceNumber, one.SequenceNumber);
  assert.equal((await attributesOf(sqs, QueueUrl)).ApproximateNumberOfMessages, '1');
  const [message] = await receive(sqs, QueueUrl);
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
  await send('one', 'id');
  assert.deepEqual(await receive(sqs, QueueUrl), [], 'also after it was deleted');
  const three = await send('three', 'id-3');
  assert.ok(BigInt(three.SequenceNumber) > BigInt(one.SequenceNumber));
  await weir.restart();
  sqs = sqsOf(weir);
  const here = `${weir.endpoint}/000000000000/once.fifo`;
  await sqs.send(new SendMessageCommand({ QueueUrl: here, MessageBody: 'three',
    MessageDeduplicationId: 'id-3', MessageGroupId: 'g' }));
  assert.deepEqual(bodies(await receive(sqs, here)), ['three'], 'a restart forgets nothing');
  assert.deepEqual(await receive(sqs, here), []);
});
