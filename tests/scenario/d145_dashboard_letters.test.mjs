// The dashboard's dead-letter queue, by its own weir.yaml: driven with both generations of SDKs, told
// by metrics and alarms, and redriven.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { ChangeMessageVisibilityCommand } from '@aws-sdk/client-sqs';
import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { DASHBOARD, SOURCE } from '../../examples/dashboard-projection/rules.mjs';
import { receive, sqsOf } from './lib/queues.mjs';
import { elsewhere, eventually, program, ROOT, startWeir } from './lib/weir.mjs';

const skip = elsewhere;
const python = '/usr/bin/python3';
const old = spawnSync(python, ['-c', 'import boto3, sys; sys.exit(boto3.__version__ > "1.28")']);

const item = (n, rest) => ({
  source_id: `source-${n}`, ingested_at: '2025-11-25T08:00:00.000Z', status: 'analyzed', sentiment: 'neutral', score: 0.5, ...rest });

function weirRuns(weir, ...args) {
  const { status, stdout, stderr } = spawnSync(program(), [...args, '-e', weir.endpoint], { encoding: 'utf8' });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  return stdout;
}

async function metric(weir, name) {
  const { text } = await weir.request({ method: 'GET', path: '/metrics' });
  return Number(new RegExp(`^${name}\\{pipeline="dashboard"\\} (\\d+)$`, 'm').exec(text)?.[1]);
}

test('dead letters of the dashboard are received, redriven, counted and alarmed of', { skip }, async () => {
  const example = await readFile(path.join(ROOT, 'examples/dashboard-projection/weir.yaml'), 'utf8');
  const weir = await startWeir({ config: example.replace(/window: \w+/, 'window: 0s').replace(
    /(metric: weir_pipeline_dead_letters\n.*\n.*\n +period: )60s/, '$11s') });
  const put = (Item) => weir.docs.send(new PutCommand({ TableName: SOURCE, Item }));
  try {
    assert.equal(await metric(weir, 'weir_pipeline_dead_letters'), 0);
    await put(item(1));
    await put(item(2, { sentiment: undefined }));
    await put(item(3, { ingested_at: 'yesterday' }));
    await put(item(4, { score: 'high' }));
    await eventually(async () => (await metric(weir, 'weir_pipeline_dead_letters')) === 3);
    assert.equal(await metric(weir, 'weir_pipeline_dead_letters_total'), 3);
    assert.ok((await metric(weir, 'weir_pipeline_oldest_dead_letter_seconds')) < 60);
    const alarm = async () => (await weir.request({ method: 'GET', path: '/v1/alarms' })).json.alarms.find(({ name }) => name === 'dashboard-dead-letters');
    await eventually(async () => (await alarm()).state === 'ALARM');

    const groups = weirRuns(weir, 'dlq', 'list', 'dashboard', '--group', '--json').trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(groups.map(({ step, letters }) => ({ step, letters })).sort((a, b) => a.step.localeCompare(b.step)), [
      { step: 'project', letters: 1 }, { step: 'require', letters: 1 }, { step: 'require', letters: 1 }]);

    // Somebody looks, and gives back.
    const sqs = sqsOf(weir);
    const QueueUrl = `${weir.endpoint}/000000000000/dashboard-dead-letters`;
    const messages = [];
    await eventually(async () => messages.push(...await receive(sqs, QueueUrl)) && messages.length === 3);
    const ids = messages.map(({ Body }) => JSON.parse(Body).payload.Records[0].dynamodb.NewImage.source_id.S);
    assert.deepEqual(ids.sort(), ['source-2', 'source-3', 'source-4']);
    for (const { ReceiptHandle } of messages) {
      await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
    }
    await eventually(() => /^3 given, 0 stale; 3 letters remain\n/.test(weirRuns(weir, 'dlq', 'redrive', 'dashboard')), { what: 'letters that are not mended to remain' });
    assert.equal(await metric(weir, 'weir_pipeline_dead_letters_total'), 6);

    if (old.status === 0) {
      const script = fileURLToPath(new URL('lib/boto3_letters.py', import.meta.url));
      const child = spawn(python, [script, weir.endpoint]);
      let output = '';
      child.stdout.on('data', (bytes) => { output += bytes; });
      child.stderr.on('data', (bytes) => { output += bytes; });
      assert.equal(await new Promise((resolve) => child.on('close', resolve)), 0, output);
      assert.deepEqual(output.trim().split('\n').sort(), ids);
    } else {
      weirRuns(weir, 'dlq', 'purge', 'dashboard', '--yes');
    }
    await eventually(async () => (await metric(weir, 'weir_pipeline_dead_letters')) === 0);
    await eventually(async () => (await alarm()).state === 'OK');
    const { Items } = await weir.docs.send(new ScanCommand({ TableName: DASHBOARD }));
    assert.deepEqual(Items.map(({ source_id: id }) => id), ['source-1'], 'and the others went on');
  } finally {
    await weir.close();
  }
});
