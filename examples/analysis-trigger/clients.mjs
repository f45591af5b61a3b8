// The AWS client as any application would make it, but for the endpoint.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

export const ENDPOINT = process.env.AWS_ENDPOINT_URL ?? 'http://127.0.0.1:8000';

export function connect(endpoint = ENDPOINT) {
  return DynamoDBDocumentClient.from(new DynamoDBClient({
    endpoint, region: 'us-east-1', credentials: { accessKeyId: 'demo', secretAccessKey: 'demo' },
  }));
}
