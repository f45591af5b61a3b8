// AWS clients as any application would make them, but for the endpoint.

import { Agent } from 'node:http';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

export const ENDPOINT = process.env.AWS_ENDPOINT_URL ?? 'http://127.0.0.1:8000';

export function connect(endpoint = ENDPOINT) {
  const options = {
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'demo', secretAccessKey: 'demo' },
    requestHandler: { httpAgent: new Agent({ keepAlive: true, maxSockets: 128 }) },
  };
  const db = new DynamoDBClient(options);
  return {
    docs: DynamoDBDocumentClient.from(db, { marshallOptions: { removeUndefinedValues: true } }),
    streams: new DynamoDBStreamsClient(options),
  };
}

// Every item of a Query or Scan, page after page.
export async function* pages(docs, Command, input) {
  let ExclusiveStartKey;
  do {
    const page = await docs.send(new Command({ ...input, ExclusiveStartKey }));
    yield page;
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
}

// Do work(item) for all items, at most `width` at once.
export async function parallel(items, width, work) {
  const queue = items[Symbol.iterator]();
  await Promise.all(Array.from({ length: width }, async () => {
    for (const item of queue) {
      await work(item);
    }
  }));
}

// The value of `--name value`, as a number when the fallback is one; true for a bare `--name`.
export function option(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  if (at === -1) {
    return fallback;
  }
  const value = process.argv[at + 1];
  if (fallback === false) {
    return true;
  }
  return typeof fallback === 'number' ? Number(value) : value;
}
