// Dead letters as lines of a file, and as POSTs.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { receive, sqsOf } from './lib/queues.mjs';
import { eventually, program, startWeir } from './lib/weir.mjs';

const config = (place) => `
tables:
  source: { key: { id: S }, stream: new_and_old_images }
queues: { refused: {} }
pipelines:
  copy:
    source: { table: source }
    steps:
      - require: ["new.value > 0"]
    on_failure: ${place}
`;

const put = (weir, Item) => weir.docs.send(new PutCommand({ TableName: 'source', Item }));
const status = async (weir) => (await weir.request({ method: 'GET', path: '/v1/status' })).json.pipelines[0];
const linesOf = async (file) => (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean).map((line) => JSON.parse(line));
const idOf = ({ payload }) => payload.Records[0].dynamodb.NewImage.id.S;

test('letters are lines of a file before the pipeline goes on', async () => {
  const weir = await startWeir({ config: config('{ file: letters.jsonl }') });
  const file = path.join(weir.folder, 'letters.jsonl');
  const COUNT = 60;
  try {
    await Promise.all(Array.from({ length: COUNT }, (_, i) => put(weir, { id: `i${i}`, value: i % 2 ? 1 : -1 })));
    await eventually(async () => (await status(weir)).at_end);
    const letters = await linesOf(file);
    assert.equal(letters.length, COUNT / 2);
    assert.equal(new Set(letters.map(idOf)).size, COUNT / 2);
    assert.ok(letters.every(({ step, pipeline, requestContext }) => step === 'require' && pipeline === 'copy' && requestContext.condition === 'RecordRejected'));
    assert.deepEqual((await status(weir)).dead_letters, { file });

    // Whoever moves the file away gets a new one; a line that was cut off does not spoil the next.
    await rename(file, `${file}.1`);
    await writeFile(file, '{"cut');
    await put(weir, { id: 'after', value: -1 });
    await eventually(async () => (await readFile(file, 'utf8')).includes('after'));
    const [cut, line] = (await readFile(file, 'utf8')).split('\n');
    assert.equal(cut, '{"cut');
    assert.equal(idOf(JSON.parse(line)), 'after');

    const { status: code, stderr } = spawnSync(program(), ['dlq', 'list', 'copy', '-e', weir.endpoint], { encoding: 'utf8' });
    assert.equal(code, 1);
    assert.match(stderr, /the dead letters of pipeline 'copy' are lines of a file, which weir does not read/);
  } finally {
    await weir.close();
  }
});

test('a file that cannot be written is waited for, and nothing is lost through a kill', async () => {
  const weir = await startWeir({ config: config('{ file: logs/letters.jsonl }') });
  const folder = path.join(weir.folder, 'logs');
  try {
    await put(weir, { id: 'a', value: -1 });
    await eventually(async () => (await status(weir)).state === 'blocked');
    assert.match((await status(weir)).reason, /dead letter: .*logs\/letters\.jsonl/);
    await weir.kill();
    await mkdir(folder);
    await weir.start();
    await put(weir, { id: 'b', value: -1 });
    await eventually(async () => (await linesOf(path.join(folder, 'letters.jsonl'))).length === 2 && (await status(weir)).at_end);
    assert.deepEqual((await linesOf(path.join(folder, 'letters.jsonl'))).map(idOf).sort(), ['a', 'b']);
    await weir.stop();
    await weir.start();
    await eventually(async () => (await status(weir)).at_end);
    assert.equal((await linesOf(path.join(folder, 'letters.jsonl'))).length, 2, 'what was written is not written again');
  } finally {
    await weir.close();
  }
});

test('letters are POSTed until the server takes them, and go to a queue when it refuses', async () => {
  const got = [];
  let failures = 2;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (bytes) => { body += bytes; });
    request.on('end', () => {
      const letter = JSON.parse(body);
      if (idOf(letter) === 'refused') {
        response.writeHead(422).end();
      } else if (failures > 0) {
        failures -= 1;
        response.writeHead(500).end();
      } else {
        got.push({ letter, key: request.headers['idempotency-key'], path: request.url });
        response.writeHead(204).end();
      }
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  const weir = await startWeir({ config: config(`{ http: "http://127.0.0.1:${port}/letters?x=1", queue: refused }`) });
  try {
    await put(weir, { id: 'a', value: -1 });
    await put(weir, { id: 'refused', value: -1 });
    await put(weir, { id: 'fine', value: 1 });
    await eventually(() => got.length === 1, { timeout: 30_000 });
    assert.equal(idOf(got[0].letter), 'a');
    assert.equal(got[0].path, '/letters?x=1');
    assert.equal(got[0].key, got[0].letter.requestContext.requestId);
    let messages = [];
    await eventually(async () => {
      messages = await receive(sqsOf(weir), `${weir.endpoint}/000000000000/refused`);
      return messages.length === 1;
    });
    const { error, requestPayload } = JSON.parse(messages[0].Body);
    assert.match(error, /answered with status 422/);
    assert.equal(idOf(JSON.parse(requestPayload.body)), 'refused');
    assert.equal((await status(weir)).at_end, true);
  } finally {
    await weir.close();
    server.close();
  }
});

test('check says what is missing', async () => {
  for (const [place, message] of [
    ['{ http: "http://127.0.0.1/" }', /letters that the server refuses need a place: add `queue: NAME` beside http/],
    ['{ http: "ftp://x/", queue: refused }', /error: .*ftp/],
    ['{ file: x, table: source }', /on_failure is one place: \{ queue: NAME \}, \{ table: NAME \}, \{ file: PATH \} or \{ http: URL, queue: NAME \}/],
    ['{}', /on_failure is one place/],
    ['{ queue: refuzed }', /warning: no queue 'refuzed' in this file: .*did you mean 'refused'\?/],
  ]) {
    const folder = await mkdtemp(path.join(tmpdir(), 'weir-test-'));
    const file = path.join(folder, 'weir.yaml');
    await writeFile(file, config(place));
    const { stdout, stderr } = spawnSync(program(), ['check', '-c', file], { encoding: 'utf8' });
    assert.match(stdout + stderr, message);
    await rm(folder, { recursive: true });
  }
});
