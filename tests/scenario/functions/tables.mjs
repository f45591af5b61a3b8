// Reaches weir's own table with an unmodified SDK.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient, GetQueueUrlCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';

const docs = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const sqs = new SQSClient({});

export async function handler({ id }) {
  await docs.send(new PutCommand({ TableName: 'things', Item: { id, by: 'node' } }));
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: 'notes' }));
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: id }));
  return (await docs.send(new GetCommand({ TableName: 'things', Key: { id } }))).Item;
}
