// A queue as a pipeline's source: each message once, through kills; what fails ends in the dead-letter queue.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateQueueCommand, DeleteQueueCommand, SendMessageBatchCommand, SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { GetCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { HANDLERS, mostAtOnce } from './lib/functions.mjs';
import { attributesOf, receive, sqsOf } from './lib/queues.mjs';
import { elsewhere, eventually, startWeir } from './lib/weir.mjs';

const skip = elsewhere;
const url = (weir, name) => `${weir.endpoint}/000000000000/${name}`;
const hidden = async (weir, name) => {
  const all = await attributesOf(sqsOf(weir), url(weir, name));
  return Number(all.ApproximateNumberOfMessages) + Number(all.ApproximateNumberOfMessagesNotVisible);
};

test('through a kill, every message is processed once', { skip }, async () => {
  const weir = await startWeir({ config: `
queues:
  in: { visibility_timeout: 2s }
  out: {}
pipelines:
  work:
    source: { queue: in }
    steps:
      - send: { queue: out, body: "\${message.json.n}" }
` });
  try {
    const all = [];
    for (let i = 0; i < 20; i++) {
      all.push(sqsOf(weir).send(new SendMessageBatchCommand({ QueueUrl: url(weir, 'in'),
        Entries: [...Array(10)].map((_, k) => ({ Id: `${k}`, MessageBody: JSON.stringify({ n: i * 10 + k }) })) })));
    }
    await Promise.all(all);
    await weir.kill();
    await weir.start();
    await eventually(async () => (await hidden(weir, 'in')) === 0, { timeout: 60_000 });
    const bodies = [];
    for (let more = await receive(sqsOf(weir), url(weir, 'out'), { WaitTimeSeconds: 1 }); more.length > 0;
      more = await receive(sqsOf(weir), url(weir, 'out'), { WaitTimeSeconds: 1 })) {
      bodies.push(...more.map(({ Body }) => Number(Body)));
    }
    assert.deepEqual(bodies.sort((a, b) => a - b), [...Array(200)].map((_, i) => i));
  } finally {
    await weir.close();
  }
});

test('a message that fails ends in the dead-letter queue; a group stays in order', { skip }, async () => {
  const weir = await startWeir({ config: `
queues:
  in.fifo: { visibility_timeout: 1s, redrive: { queue: dead.fifo, after: 2 } }
  dead.fifo: {}
  out: {}
pipelines:
  work:
    source: { queue: in.fifo }
    steps:
      - require: ["message.body != 'bad'"]
      - send: { queue: out, body: "\${message.body} \${message.group}" }
` });
  try {
    const sqs = sqsOf(weir);
    for (const body of ['one', 'bad', 'two', 'three']) {
      await sqs.send(new SendMessageCommand({ QueueUrl: url(weir, 'in.fifo'), MessageBody: body,
        MessageGroupId: 'g', MessageDeduplicationId: body }));
    }
    await eventually(async () => (await hidden(weir, 'in.fifo')) === 0);
    const [dead] = await receive(sqs, url(weir, 'dead.fifo'));
    assert.equal(dead.Body, 'bad');
    const done = await receive(sqs, url(weir, 'out'));
    assert.deepEqual(done.map(({ Body }) => Body), ['one g', 'two g', 'three g']);
  } finally {
    await weir.close();
  }
});

test('what is in hand at an orderly stop is there again at once', { skip }, async () => {
  const weir = await startWeir({ config: `
queues:
  in: { visibility_timeout: 10m }
pipelines:
  work:
    source: { queue: in }
    steps:
      - put: { table: out, item: { id: "\${message.body}", receives: "\${message.receives}" } }
` });
  try {
    const bodies = ['a', 'b', 'c', 'd'];
    await sqsOf(weir).send(new SendMessageBatchCommand({ QueueUrl: url(weir, 'in'),
      Entries: bodies.map((MessageBody, i) => ({ Id: `${i}`, MessageBody })) }));
    const inHand = async () => Number((await attributesOf(sqsOf(weir), url(weir, 'in'))).ApproximateNumberOfMessagesNotVisible);
    await eventually(async () => (await inHand()) === 4); // their table is missing
    await weir.stop();
    await weir.start();
    await eventually(async () => (await inHand()) === 4);
    await weir.db.send(new CreateTableCommand({ TableName: 'out', BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }] }));
    await eventually(async () => (await hidden(weir, 'in')) === 0);
    const { Items } = await weir.docs.send(new ScanCommand({ TableName: 'out' }));
    assert.deepEqual(Items.map(({ id }) => id).sort(), bodies);
    assert.deepEqual(Items.map(({ receives }) => receives), [2, 2, 2, 2]);
  } finally {
    await weir.close();
  }
});

test('a function gets an SQS event', { skip }, async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'weir-queue-source-'));
  const file = path.join(folder, 'calls');
  const weir = await startWeir({ config: `
queues:
  in: { visibility_timeout: 1s, redrive: { queue: dead, after: 1 } }
  dead: {}
functions:
  f: { runtime: node, handler: stream.messages, dir: "${HANDLERS}", timeout: 5s, env: { CALLS: "${file}" } }
pipelines:
  work:
    source: { queue: in }
    steps: [invoke: { function: f, report_failures: true }]
` });
  try {
    const { MessageId, MD5OfMessageBody } = await sqsOf(weir).send(new SendMessageCommand({
      QueueUrl: url(weir, 'in'), MessageBody: 'hello',
      MessageAttributes: { kind: { DataType: 'String', StringValue: 'x' } } }));
    await eventually(async () => (await hidden(weir, 'in')) === 0 && existsSync(file));
    const [{ event }] = readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
    const [record] = event.Records;
    assert.equal(record.messageId, MessageId);
    assert.equal(record.md5OfBody, MD5OfMessageBody);
    assert.equal(record.body, 'hello');
    assert.equal(record.eventSource, 'aws:sqs');
    assert.equal(record.eventSourceARN, 'arn:aws:sqs:us-east-1:000000000000:in');
    assert.equal(record.awsRegion, 'us-east-1');
    assert.equal(record.attributes.ApproximateReceiveCount, '1');
    assert.deepEqual(record.messageAttributes.kind,
      { stringValue: 'x', stringListValues: [], binaryListValues: [], dataType: 'String' });
    await sqsOf(weir).send(new SendMessageBatchCommand({ QueueUrl: url(weir, 'in'),
      Entries: ['a', 'poison', 'b'].map((MessageBody, i) => ({ Id: `${i}`, MessageBody })) }));
    await eventually(async () => (await hidden(weir, 'in')) === 0 && (await hidden(weir, 'dead')) > 0);
    assert.deepEqual((await receive(sqsOf(weir), url(weir, 'dead'))).map(({ Body }) => Body), ['poison']);
  } finally {
    await weir.close();
    rmSync(folder, { recursive: true });
  }
});

test('while lanes are busy with a function, others take what comes', { skip }, async () => {
  const weir = await startWeir({ config: `
queues:
  in: {}
functions:
  sleeps: { runtime: node, handler: index.sleeps, dir: "${HANDLERS}", concurrency: 3, keep_warm: 3 }
pipelines:
  work:
    source: { queue: in, batch: 1, concurrency: 3 }
    steps:
      - invoke: { function: sleeps, payload: { ms: 1000, file: "\${message.json.file}" } }
` });
  try {
    const file = path.join(weir.folder, 'marks');
    await eventually(async () => {
      const { json } = await weir.request({ method: 'GET', path: '/v1/status' });
      return json.functions[0].idle === 3;
    }, { timeout: 60_000, what: 'the warm instances' });
    for (let i = 0; i < 3; i++) {
      await sqsOf(weir).send(new SendMessageCommand({ QueueUrl: url(weir, 'in'), MessageBody: JSON.stringify({ file }) }));
    }
    await eventually(() => existsSync(file) && readFileSync(file, 'utf8').trim().split('\n').length === 6, { timeout: 60_000 });
    assert.equal(mostAtOnce(file), 3);
  } finally {
    await weir.close();
  }
});

test('a queue that is deleted is waited for, which is no error', { skip }, async () => {
  const weir = await startWeir({ config: `
tables:
  out: { key: { id: S } }
pipelines:
  work:
    source: { queue: in }
    steps:
      - put: { table: out, item: { id: "\${message.body}" } }
` });
  try {
    const sqs = sqsOf(weir);
    for (const body of ['one', 'two']) {
      await sqs.send(new CreateQueueCommand({ QueueName: 'in' }));
      await sqs.send(new SendMessageCommand({ QueueUrl: url(weir, 'in'), MessageBody: body }));
      await eventually(async () => (await weir.docs.send(new GetCommand({ TableName: 'out', Key: { id: body } }))).Item);
      await sqs.send(new DeleteQueueCommand({ QueueUrl: url(weir, 'in') }));
    }
    assert.match(weir.output, /warn .*queue/);
    assert.doesNotMatch(weir.output, / error /);
  } finally {
    await weir.close();
  }
});
