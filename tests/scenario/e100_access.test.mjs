// Who may talk to weir: with credentials only who signs, without them only this machine.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test, { after, before } from 'node:test';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { Weir, program } from './lib/weir.mjs';

const config = `
tables:
  things:
    key: { id: S }
    stream: new_image
credentials:
  - access_key_id: AKIDEXAMPLE
    secret_access_key: !env WEIR_TEST_SECRET
`;

let weir;
before(async () => {
  process.env.WEIR_TEST_SECRET = 'a secret of the test';
  weir = await new Weir({ config }).start();
});
after(() => weir.close());

const list = (accessKeyId, secretAccessKey) => weir.client(DynamoDBClient, {
  credentials: { accessKeyId, secretAccessKey } }).send(new ListTablesCommand({}));

test('who signs with the configured key is served', async () => {
  assert.deepEqual((await list('AKIDEXAMPLE', 'a secret of the test')).TableNames, ['things']);
});

test('another secret and another key are refused', async () => {
  await assert.rejects(list('AKIDEXAMPLE', 'wrong'), { name: 'InvalidSignatureException' });
  await assert.rejects(list('AKIDOTHER', 'wrong'), { name: 'UnrecognizedClientException' });
});

test('clients of SQS are told so in their own way, in both protocols', async () => {
  const queues = (accessKeyId, secretAccessKey) => weir.client(SQSClient, {
    credentials: { accessKeyId, secretAccessKey } }).send(new ListQueuesCommand({}));
  await assert.rejects(queues('AKIDEXAMPLE', 'wrong'), { name: 'InvalidSignatureException', message: /signature/i });
  await assert.rejects(queues('AKIDOTHER', 'wrong'), { name: 'UnrecognizedClientException' });
  const form = await weir.request({ body: 'Action=ListQueues',
    headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: '' } });
  assert.equal(form.status, 400);
  assert.match(form.text, /<Error><Type>Sender<\/Type><Code>MissingAuthenticationTokenException<\/Code><Message>\w/);
});

test('health and metrics are open, the rest is not', async () => {
  const status = async (path) => (await weir.request({ method: 'GET', path, headers: { authorization: '' } })).status;
  assert.equal(await status('/healthz'), 200);
  assert.equal(await status('/metrics'), 200);
  assert.equal(await status('/v1/status'), 400);
  assert.equal(await status('/v1/tail?table=things'), 400);
});

test('the secret is in no output', async () => {
  assert.doesNotMatch(weir.output, /a secret of the test/);
  assert.doesNotMatch((await weir.request({ method: 'GET', path: '/metrics' })).text, /a secret/);
});

test('without credentials other addresses and foreign pages are refused', async () => {
  const open = spawnSync(program(), ['serve', '--listen', '0.0.0.0:0', '--data', 'memory'], { encoding: 'utf8', cwd: '/' });
  assert.notEqual(open.status, 0);
  assert.match(open.stderr, /0\.0\.0\.0 is reachable from other machines: configure `credentials`/);
  const plain = await new Weir({ config: 'tables: {}\n' }).start();
  try {
    const foreign = await plain.request({ target: 'DynamoDB_20120810.ListTables', body: '{}', headers: { origin: 'https://example.com' } });
    assert.equal(foreign.status, 403);
    const rebound = await plain.request({ target: 'DynamoDB_20120810.ListTables', body: '{}', headers: { host: 'attacker.example' } });
    assert.equal(rebound.status, 403);
  } finally {
    await plain.close();
  }
});
