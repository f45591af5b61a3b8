// Pipelines send messages: with their batch, once, and to whoever receives with an AWS SDK.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import { CreateQueueCommand, DeleteMessageBatchCommand, DeleteQueueCommand } from '@aws-sdk/client-sqs';
import { BatchWriteCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { createQueue, receive, sqsOf } from './lib/queues.mjs';
import { Weir, eventually, eventuallyIs, program, startWeir } from './lib/weir.mjs';

const tables = `
tables:
  orders: { key: { id: S, line: N }, stream: new_and_old_images }
`;

const put = (weir, Item) => weir.docs.send(new PutCommand({ TableName: 'orders', Item }));
const url = (weir, name) => `${weir.endpoint}/000000000000/${name}`;
const status = async (weir) => (await weir.request({ method: 'GET', path: '/v1/status' })).json.pipelines[0];

// Receive and delete until as many have come.
async function drain(sqs, QueueUrl, count) {
  const all = [];
  await eventually(async () => {
    const messages = await receive(sqs, QueueUrl);
    if (messages.length > 0) {
      await sqs.send(new DeleteMessageBatchCommand({ QueueUrl,
        Entries: messages.map(({ ReceiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle })) }));
    }
    all.push(...messages);
    return all.length >= count;
  }, { timeout: 60_000 });
  return all;
}

test('a record becomes a message with body, attributes and delay', async () => {
  const weir = await startWeir({ config: `${tables}
queues:
  shipping: {}
  records: {}
pipelines:
  ship:
    source: { table: orders }
    steps:
      - id: ship
        send:
          queue: shipping
          body: { order: "\${new.id}", total: "\${new.total}", tags: "\${new.tags}" }
          attributes: { line: "\${new.line}", kind: order }
      - id: record
        send: { queue: records }
` });
  try {
    const sqs = sqsOf(weir);
    await put(weir, { id: 'a', line: 1, total: 12.5, tags: ['x', 'y'] });
    const [message] = await drain(sqs, url(weir, 'shipping'), 1);
    assert.deepEqual(JSON.parse(message.Body), { order: 'a', total: 12.5, tags: ['x', 'y'] });
    assert.deepEqual(message.MessageAttributes, {
      kind: { DataType: 'String', StringValue: 'order' }, line: { DataType: 'Number', StringValue: '1' } });
    const [{ Body }] = await drain(sqs, url(weir, 'records'), 1);
    const record = JSON.parse(Body);
    assert.equal(record.eventSource, 'aws:dynamodb');
    assert.deepEqual(record.dynamodb.Keys, { id: { S: 'a' }, line: { N: '1' } });
    assert.deepEqual(record.dynamodb.NewImage.total, { N: '12.5' });
  } finally {
    await weir.close();
  }
});

test('through kills, every record sends exactly one message', async () => {
  const weir = await startWeir({ config: `${tables}
queues:
  plain: {}
  ordered.fifo: {}
pipelines:
  tell:
    source: { table: orders, batch: 7, concurrency: 3 }
    steps:
      - id: plain
        send: { queue: plain, body: "\${keys.id}/\${string(keys.line)}" }
      - id: ordered
        send: { queue: ordered.fifo, body: "\${keys.id}/\${string(keys.line)}", group: "\${keys.id}" }
` });
  const COUNT = 300;
  try {
    for (let i = 0; i < COUNT; i += 25) {
      await weir.docs.send(new BatchWriteCommand({ RequestItems: { orders: Array.from({ length: 25 }, (_, k) => ({
        PutRequest: { Item: { id: `o${(i + k) % 10}`, line: Math.floor((i + k) / 10) } } })) } }));
      if (i % 100 === 50) {
        await weir.kill();
        await weir.start();
      }
    }
    const sqs = sqsOf(weir);
    const plain = (await drain(sqs, url(weir, 'plain'), COUNT)).map(({ Body }) => Body);
    assert.equal(new Set(plain).size, COUNT);
    const ordered = (await drain(sqs, url(weir, 'ordered.fifo'), COUNT)).map(({ Body }) => Body);
    assert.equal(new Set(ordered).size, COUNT);
    await eventually(async () => (await status(weir)).at_end);
    assert.deepEqual(await receive(sqs, url(weir, 'plain')), []);
    assert.deepEqual(await receive(sqs, url(weir, 'ordered.fifo')), []);
  } finally {
    await weir.close();
  }
});

test('a pipeline waits for its queue, and goes on when it appears', async () => {
  const weir = await startWeir({ config: `${tables}
pipelines:
  tell:
    source: { table: orders }
    steps:
      - send: { queue: later, body: "\${keys.id}" }
` });
  try {
    const sqs = sqsOf(weir);
    await put(weir, { id: 'a', line: 1 });
    const { reason } = await eventuallyIs(() => status(weir), ({ state }) => state === 'blocked');
    assert.equal(reason, 'queue later not found');
    const QueueUrl = await createQueue(sqs, 'later');
    assert.deepEqual((await drain(sqs, QueueUrl, 1)).map(({ Body }) => Body), ['a']);
    await sqs.send(new DeleteQueueCommand({ QueueUrl }));
    await put(weir, { id: 'b', line: 1 });
    await eventually(async () => (await status(weir)).state === 'blocked');
    await sqs.send(new CreateQueueCommand({ QueueName: 'later' }));
    assert.deepEqual((await drain(sqs, QueueUrl, 1)).map(({ Body }) => Body), ['b']);
  } finally {
    await weir.close();
  }
});

test('check warns of an unknown queue, and refuses what the kind of queue does not take', async () => {
  const weir = new Weir({ config: `${tables}
queues:
  shipping: {}
  audit.fifo: {}
pipelines:
  tell:
    source: { table: orders }
    steps:
      - { id: a, send: { queue: shiping } }
      - { id: b, send: { queue: shipping, dedup: x } }
      - { id: c, send: { queue: audit.fifo, delay: 1s } }
      - { id: d, send: { queue: shipping, attributes: { ".x": 1 } } }
` });
  await weir.start().catch(() => {});
  const { status: code, stdout, stderr } = spawnSync(program(), ['check', '-c', path.join(weir.folder, 'weir.yaml')], { encoding: 'utf8' });
  assert.equal(code, 1);
  const text = stdout + stderr;
  assert.match(text, /weir\.yaml:12:\d+: warning: no queue 'shiping' in this file: .*; did you mean 'shipping'\?/);
  assert.match(text, /weir\.yaml:13:\d+: error: queue 'shipping' does not deduplicate: only FIFO queues do/);
  assert.match(text, /weir\.yaml:14:\d+: error: a FIFO queue takes no delay of single messages/);
  assert.match(text, /weir\.yaml:15:\d+: error: '\.x' cannot name an attribute/);
});
