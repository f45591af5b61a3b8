// Messages for remote queues: through the outbox, signed, in batches, whatever the remote does. The
// remote is another weir that verifies signatures, or a server that answers as SQS does when it
// refuses.

import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { DeleteMessageBatchCommand } from '@aws-sdk/client-sqs';
import { BatchWriteCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { receive, sqsOf } from './lib/queues.mjs';
import { Weir, elsewhere, eventually, startWeir } from './lib/weir.mjs';

const skip = elsewhere !== undefined;
const keys = { accessKeyId: 'AKIDREMOTE', secretAccessKey: 'a secret of the remote' };
process.env.WEIR_TEST_REMOTE_SECRET = keys.secretAccessKey;

const remoteConfig = `
queues:
  inbox: {}
  in-order.fifo: {}
credentials:
  - access_key_id: ${keys.accessKeyId}
    secret_access_key: !env WEIR_TEST_REMOTE_SECRET
`;

const localConfig = (url, rest = '', steps = '') => `
tables:
  orders: { key: { id: S }, stream: new_and_old_images }
queues:
  lost: {}
remotes:
  other:
    region: eu-west-1
    access_key_id: ${keys.accessKeyId}
    secret_access_key: !env WEIR_TEST_REMOTE_SECRET
pipelines:
  ship:
    source: { table: orders }
    steps:
      - id: out
        send:
          url: ${url}
          remote: other
          dead_letters: lost
          ${rest}
${steps}
`;

const put = (weir, Item) => weir.docs.send(new PutCommand({ TableName: 'orders', Item }));
const outbox = async (weir) =>
  (await weir.request({ method: 'GET', path: '/v1/status' })).json.outbox;
const delivered = (weir) => eventually(async () => (await outbox(weir)).length === 0,
  { what: 'an empty outbox', timeout: 60_000 });

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

test('messages reach a remote weir, signed, also when it was away', { skip }, async () => {
  let remote = await new Weir({ config: remoteConfig }).start();
  const { host } = new URL(remote.endpoint);
  const url = (name) => `http://${host}/000000000000/${name}`;
  const weir = await startWeir({ config: localConfig(url('inbox'),
    'body: { id: "${new.id}" }\n          attributes: { n: "${new.n}", kind: order }',
    `      - id: ordered
        send: { url: "${url('in-order.fifo')}", remote: other, body: "\${new.id}", group: all }`) });
  try {
    await put(weir, { id: 'a', n: 1 });
    await delivered(weir);
    let sqs = sqsOf(remote, { credentials: keys });
    const [first] = await drain(sqs, url('inbox'), 1);
    assert.deepEqual(JSON.parse(first.Body), { id: 'a' });
    assert.deepEqual(first.MessageAttributes, { kind: { DataType: 'String', StringValue: 'order' },
      n: { DataType: 'Number', StringValue: '1' } });

    // While the remote is away, the pipeline goes on and the messages wait, over a kill.
    await remote.kill();
    for (let at = 0; at < 50; at += 25) {
      await weir.docs.send(new BatchWriteCommand({ RequestItems: { orders:
        Array.from({ length: 25 }, (_, i) => ({ PutRequest: { Item: { id: `b${at + i}`, n: at + i } } })) } }));
    }
    const lanes = await eventually(async () => {
      const all = await outbox(weir);
      return all.length === 2 && all.every(({ state, pending }) => state === 'blocked' && pending === 50) && all;
    }, { what: 'two blocked lanes', timeout: 60_000 });
    assert.deepEqual(lanes.map(({ kind, target }) => [kind, target]).sort(),
      [['sqs', url('in-order.fifo')], ['sqs', url('inbox')]]);
    await weir.kill();
    remote.args = ['--listen', host];
    remote = await remote.start();
    await weir.start();
    await delivered(weir);
    sqs = sqsOf(remote, { credentials: keys });
    const rest = (await drain(sqs, url('inbox'), 50)).map(({ Body }) => JSON.parse(Body).id);
    assert.deepEqual([...new Set(rest)].sort(), Array.from({ length: 50 }, (_, i) => `b${i}`).sort());
    const ordered = (await drain(sqs, url('in-order.fifo'), 51)).map(({ Body }) => Body);
    assert.equal(new Set(ordered).size, 51);
    assert.equal(ordered[0], 'a');
    assert.ok(!weir.output.includes(keys.secretAccessKey));
  } finally {
    await weir.close();
    await remote.close();
  }
});

// A server that answers SendMessageBatch as `answer(entries)` says, with what it was asked.
async function fakeSqs(answer) {
  const asked = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (data) => { body += data; });
    request.on('end', () => {
      const { QueueUrl, Entries } = JSON.parse(body);
      asked.push(Entries.map(({ MessageBody }) => MessageBody));
      assert.equal(request.headers['x-amz-target'], 'AmazonSQS.SendMessageBatch');
      assert.match(request.headers.authorization, /Credential=AKIDREMOTE\/\d+\/eu-west-1\/sqs\/aws4_request/);
      assert.match(QueueUrl, /\/q$/);
      const { status = 200, json } = answer(Entries, asked.length);
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(JSON.stringify(json));
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { asked, url: `http://127.0.0.1:${server.address().port}/1/q`,
    close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }) };
}

const ok = ({ Id }) => ({ Id, MessageId: 'm', MD5OfMessageBody: 'x' });

test('what a queue refuses of a batch is settled message by message', { skip }, async () => {
  const seen = new Map();
  const sqs = await fakeSqs((entries) => {
    const failed = [];
    const good = [];
    for (const entry of entries) {
      const times = (seen.get(entry.MessageBody) ?? 0) + 1;
      seen.set(entry.MessageBody, times);
      if (entry.MessageBody === 'bad') {
        failed.push({ Id: entry.Id, SenderFault: true, Code: 'InvalidMessageContents', Message: 'no good' });
      } else if (entry.MessageBody === 'later' && times === 1) {
        failed.push({ Id: entry.Id, SenderFault: false, Code: 'InternalError', Message: 'again please' });
      } else {
        good.push(ok(entry));
      }
    }
    return { json: { Successful: good, Failed: failed } };
  });
  const weir = await startWeir({ config: localConfig(sqs.url, 'body: "${new.id}"') });
  try {
    await weir.docs.send(new BatchWriteCommand({ RequestItems: { orders:
      ['good', 'bad', 'later', 'fine'].map((id) => ({ PutRequest: { Item: { id } } })) } }));
    await eventually(() => seen.get('later') === 2, { what: 'the second attempt', timeout: 60_000 });
    await delivered(weir);
    assert.deepEqual(Object.fromEntries(seen), { good: 1, bad: 1, later: 2, fine: 1 });
    assert.deepEqual(sqs.asked.at(-1), ['later'], 'retried alone');
    const [{ Body }] = await drain(sqsOf(weir), `${weir.endpoint}/000000000000/lost`, 1);
    const letter = JSON.parse(Body);
    assert.equal(letter.requestContext.condition, 'RetriesExhausted');
    assert.equal(letter.requestContext.target, sqs.url);
    assert.equal(letter.requestContext.approximateInvokeCount, 1);
    assert.equal(letter.error, 'InvalidMessageContents: no good');
    assert.equal(letter.requestPayload.MessageBody, 'bad');
  } finally {
    await weir.close();
    await sqs.close();
  }
});

test('a batch refused as a whole is sent message by message; denied and throttled wait', { skip }, async () => {
  const refusals = ['com.amazonaws.sqs#AccessDenied', 'com.amazonaws.sqs#RequestThrottled'];
  const sqs = await fakeSqs((entries) => {
    if (refusals.length > 0) {
      return { status: 400, json: { __type: refusals.shift(), message: 'not now' } };
    }
    return entries.some(({ MessageBody }) => MessageBody === 'bad')
      ? { status: 400, json: { __type: 'com.amazonaws.sqs#InvalidMessageContents', message: 'no good' } }
      : { json: { Successful: entries.map(ok), Failed: [] } };
  });
  const weir = await startWeir({ config: localConfig(sqs.url, 'body: "${new.id}"') });
  try {
    await weir.docs.send(new BatchWriteCommand({ RequestItems: { orders:
      ['a', 'bad', 'c'].map((id) => ({ PutRequest: { Item: { id } } })) } }));
    const [{ Body }] = await drain(sqsOf(weir), `${weir.endpoint}/000000000000/lost`, 1);
    assert.equal(JSON.parse(Body).requestPayload.MessageBody, 'bad');
    await delivered(weir);
    assert.match(weir.output, /outbox\.blocked .*AccessDenied: not now/);
    const { text } = await weir.request({ method: 'GET', path: '/metrics' });
    assert.match(text, /^weir_outbox_delivered_total\{kind="sqs",.*\} 2$/m);
    assert.match(text, /^weir_outbox_failed_total\{kind="sqs",.*\} 1$/m);
  } finally {
    await weir.close();
    await sqs.close();
  }
});
