// Short forms for queues, for the scenario tests.

import {
  CreateQueueCommand, GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient,
} from '@aws-sdk/client-sqs';

// A client, and short names for what most tests do with one queue.
export function sqsOf(weir, options) {
  return weir.client(SQSClient, options);
}

export async function createQueue(sqs, QueueName, Attributes, rest = {}) {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes, ...rest }));
  return QueueUrl;
}

// Up to `max` messages; waits for the first one.
export async function receive(sqs, QueueUrl, options = {}) {
  const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({
    QueueUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ['All'],
    MessageAttributeNames: ['All'], ...options,
  }));
  return Messages;
}

export async function attributesOf(sqs, QueueUrl, AttributeNames = ['All']) {
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
  return Attributes;
}
