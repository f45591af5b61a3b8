// Dead letters in a queue: AWS's form, received with an AWS SDK, and redriven from there.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import test from 'node:test';
import { CreateQueueCommand, DeleteMessageCommand } from '@aws-sdk/client-sqs';
import { DescribeStreamCommand, DynamoDBStreamsClient, ListStreamsCommand } from '@aws-sdk/client-dynamodb-streams';
import { DeleteCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { attributesOf, receive, sqsOf } from './lib/queues.mjs';
import { eventually, eventuallyIs, program, startWeir } from './lib/weir.mjs';

const config = ({ twice = '${new.value * 2}', queues = 'queues: { letters: {}, copies: {} }', extra = '' } = {}) => `
tables:
  source: { key: { id: S }, stream: new_and_old_images }
  target: { key: { id: S } }
${queues}
pipelines:
  copy:
    source: { table: source }
    steps:
      - put: { table: target, item: { id: "\${new.id}", twice: "${twice}" } }
      - send: { queue: copies, body: "\${new.id}" }
${extra}
    on_failure: { queue: letters }
`;
const MENDED = { twice: '${new.value + new.value}' };

const put = (weir, Item) => weir.docs.send(new PutCommand({ TableName: 'source', Item }));
const all = async (weir, TableName) => (await weir.docs.send(new ScanCommand({ TableName }))).Items;
const url = (weir, name) => `${weir.endpoint}/000000000000/${name}`;
const count = async (weir, name) => Number((await attributesOf(sqsOf(weir), url(weir, name))).ApproximateNumberOfMessages);
const status = async (weir) => (await weir.request({ method: 'GET', path: '/v1/status' })).json.pipelines[0];

// weir dlq; its output, or with `fail` what it says when it fails.
function dlq(weir, ...args) {
  const { status: code, stdout, stderr } = spawnSync(program(), ['dlq', ...args], {
    encoding: 'utf8', env: { PATH: process.env.PATH, WEIR_ENDPOINT: weir.endpoint } });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, `weir dlq ${args.join(' ')}`);
  return stdout;
}
const list = (weir, ...args) => dlq(weir, 'list', 'copy', '--json', ...args).split('\n').filter(Boolean).map((line) => JSON.parse(line));

async function restart(weir, options) {
  await weir.stop();
  await writeFile(weir.configFile, config(options));
  await weir.start();
}

test('a letter is the record that AWS sends on failure, with its payload', async () => {
  const weir = await startWeir({ config: config() });
  try {
    const before = Date.now();
    await put(weir, { id: 'good', value: 1 });
    await put(weir, { id: 'bad', value: 'poison \ufffe\uffff' });
    await eventually(async () => (await count(weir, 'letters')) === 1);
    const sqs = sqsOf(weir);
    const [{ Body, ReceiptHandle }] = await receive(sqs, url(weir, 'letters'));
    const letter = JSON.parse(Body);
    const { requestContext, DDBStreamBatchInfo: info, payload, timestamp, ...rest } = letter;
    assert.deepEqual(Object.keys(letter).slice(0, 4), ['requestContext', 'version', 'timestamp', 'DDBStreamBatchInfo'],
      'in the order of AWS; no responseContext where nothing was asked');
    assert.match(requestContext.requestId, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    assert.deepEqual({ ...requestContext, requestId: '' }, { requestId: '', functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:copy',
      condition: 'RecordRejected', approximateInvokeCount: 1 });
    assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Date.parse(timestamp) >= before);

    const streams = weir.client(DynamoDBStreamsClient);
    const { Streams: [{ StreamArn }] } = await streams.send(new ListStreamsCommand({ TableName: 'source' }));
    const { StreamDescription: { Shards } } = await streams.send(new DescribeStreamCommand({ StreamArn }));
    assert.equal(info.streamArn, StreamArn);
    assert.ok(Shards.some(({ ShardId }) => ShardId === info.shardId), info.shardId);
    assert.equal(info.batchSize, 1);
    assert.equal(info.startSequenceNumber, letter.sequence);
    assert.equal(info.endSequenceNumber, letter.sequence);
    assert.match(info.approximateArrivalOfFirstRecord, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(info.approximateArrivalOfLastRecord, info.approximateArrivalOfFirstRecord);

    const { Records: [record] } = payload;
    assert.equal(record.eventID, letter.event_id);
    assert.equal(record.eventSourceARN, StreamArn);
    assert.deepEqual(record.dynamodb.NewImage, { id: { S: 'bad' }, value: { S: 'poison \ufffe\uffff' } });
    assert.match(rest.error, /^put to target: twice: /);
    assert.match(rest.fingerprint, /^[0-9a-f]{16}$/);
    assert.deepEqual({ ...rest, error: '', fingerprint: '', event_id: '', sequence: '' }, { version: '1.0', pipeline: 'copy', sequence: '',
      step: 'put', error: '', fingerprint: '', event_id: '', event_name: 'INSERT', table: 'source', keys: { id: { S: 'bad' } } });

    // What somebody has received is theirs.
    assert.deepEqual(list(weir).map(({ taken }) => taken), [true]);
    assert.match(dlq(weir, 'redrive', 'copy'), /^0 given, 0 stale; 1 letter remains\n1 left alone: somebody has received the message/);
    await sqs.send(new DeleteMessageCommand({ QueueUrl: url(weir, 'letters'), ReceiptHandle }));
    assert.equal(dlq(weir, 'list', 'copy'), 'no dead letters\n');
    assert.deepEqual((await status(weir)).dead_letters, { queue: 'letters' });
  } finally {
    await weir.close();
  }
});

test('letters in a queue are listed, shown, processed again and deleted', async () => {
  const weir = await startWeir({ config: config() });
  try {
    for (const id of ['a', 'b', 'c', 'd']) {
      await put(weir, { id, value: `v${id}` });
    }
    await eventually(async () => (await count(weir, 'letters')) === 4);
    assert.deepEqual(list(weir).map(({ keys }) => keys.id).sort(), ['a', 'b', 'c', 'd']);
    const [a] = list(weir, '--key', '{"id":"a"}');
    assert.equal(new Set(list(weir).map(({ fingerprint }) => fingerprint)).size, 1);
    assert.deepEqual(JSON.parse(dlq(weir, 'show', 'copy', a.sequence)).payload.Records[0].dynamodb.NewImage, { id: { S: 'a' }, value: { S: 'va' } });
    assert.equal(dlq(weir, 'redrive', 'copy'), '4 given, 0 stale; 4 letters remain\n');
    assert.ok(list(weir).every(({ timestamp }) => timestamp > a.timestamp), 'they failed again, and are there once');
    await restart(weir, MENDED);
    assert.equal(dlq(weir, 'redrive', 'copy', a.sequence), '1 given, 0 stale; 3 letters remain\n');
    assert.deepEqual(await all(weir, 'target'), [{ id: 'a', twice: 'vava' }]);
    const [b] = list(weir, '--key', '{"id":"b"}');
    assert.equal(dlq(weir, 'skip', 'copy', b.sequence), '1 deleted\n');
    await put(weir, { id: 'c', value: 'newer' });
    assert.match(dlq(weir, 'redrive', 'copy'), /^1 given, 1 stale; 1 letter remains\n/);
    assert.equal(dlq(weir, 'purge', 'copy', '--yes'), '1 deleted\n');
    assert.equal(await count(weir, 'letters'), 0);
    assert.deepEqual((await all(weir, 'target')).map(({ id }) => id).sort(), ['a', 'c', 'd']);
    assert.equal(await count(weir, 'copies'), 3, 'every record that is through has sent once');
  } finally {
    await weir.close();
  }
});

test('letters that are redriven many times, through a kill, are processed once', async () => {
  const weir = await startWeir({ config: config() });
  const COUNT = 60;
  try {
    await Promise.all(Array.from({ length: COUNT }, (_, i) => put(weir, { id: `i${i}`, value: 'x' })));
    await eventually(async () => (await count(weir, 'letters')) === COUNT);
    await restart(weir, MENDED);
    const redrive = () => weir.request({ method: 'POST', path: '/v1/redrive?pipeline=copy' }).catch(() => {});
    await Promise.all(Array.from({ length: 5 }, redrive));
    await weir.kill();
    await weir.start();
    await Promise.all(Array.from({ length: 5 }, redrive));
    await eventually(async () => (await count(weir, 'letters')) === 0 && (await status(weir)).at_end);
    assert.equal((await all(weir, 'target')).length, COUNT);
    assert.equal(await count(weir, 'copies'), COUNT);
  } finally {
    await weir.close();
  }
});

test('a letter that is too long for its queue loses images, says so, and is not redriven', async () => {
  const weir = await startWeir({ config: config({ queues: 'queues: { letters: { max_bytes: 8KiB }, copies: {} }' }) });
  try {
    const long = 'x'.repeat(5000);
    await put(weir, { id: 'a', value: 1, long: `${long}1` });
    await eventually(async () => (await all(weir, 'target')).length === 1);
    await put(weir, { id: 'a', value: 'poison', long });
    await eventually(async () => (await count(weir, 'letters')) === 1);
    const [letter] = list(weir);
    assert.equal(letter.incomplete, true);
    const { dynamodb } = JSON.parse(dlq(weir, 'show', 'copy', letter.sequence)).payload.Records[0];
    assert.equal(dynamodb.OldImage, undefined);
    assert.equal(dynamodb.NewImage.long.S, long);
    await restart(weir, { ...MENDED, queues: 'queues: { letters: { max_bytes: 8KiB }, copies: {} }' });
    assert.match(dlq(weir, 'redrive', 'copy'), /^0 given, 0 stale; 1 letter remains\n1 left alone: it does not hold the whole record/);
  } finally {
    await weir.close();
  }
});

test('FIFO queues take letters, too, and a missing queue is waited for', async () => {
  const weir = await startWeir({ config: config({ queues: 'queues: { copies: {} }' }).replace('queue: letters', 'queue: letters.fifo') });
  try {
    await put(weir, { id: 'a', value: 'poison' });
    const { reason } = await eventuallyIs(() => status(weir), ({ state }) => state === 'blocked');
    assert.match(reason, /dead letter: queue letters\.fifo not found/);
    await sqsOf(weir).send(new CreateQueueCommand({ QueueName: 'letters.fifo', Attributes: { FifoQueue: 'true' } }));
    await eventually(async () => (await count(weir, 'letters.fifo')) === 1);
    for (let i = 0; i < 3; i++) {
      assert.equal(dlq(weir, 'redrive', 'copy'), '1 given, 0 stale; 1 letter remains\n', 'a letter that comes again is no duplicate');
    }
    await weir.docs.send(new DeleteCommand({ TableName: 'source', Key: { id: 'a' } }));
    assert.match(dlq(weir, 'redrive', 'copy', '--key', '{"id":"a"}', '--error', 'twice: no such overload'), /^0 given, 1 stale/);
  } finally {
    await weir.close();
  }
});
