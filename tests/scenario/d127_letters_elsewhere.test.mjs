// Dead letters as lines of a file, and as POSTs.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { receive, sqsOf } from './lib/queues.mjs';
import { eventually, eventuallyIs, program, startWeir } from './lib/weir.mjs';

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

    const { status: code, json } = await weir.request({ method: 'GET', path: '/v1/dead-letters?pipeline=copy' });
    assert.equal(code, 400);
    assert.match(json.message, /the dead letters of pipeline 'copy' are lines of a file: .* `weir dlq` sends them/);
  } finally {
    await weir.close();
  }
});

test('weir dlq works on lines of a file; what is dealt with stays so', async () => {
  const write = (condition) => `
tables:
  source: { key: { id: S }, stream: new_and_old_images }
  out: { key: { id: S } }
pipelines:
  copy:
    source: { table: source }
    steps:
      - require: ["${condition}"]
      - put: { table: out, item: { id: "\${new.id}" } }
    on_failure: { file: letters.jsonl }
`;
  const COUNT = 40;
  const weir = await startWeir({ config: write('new.value > 0') });
  const file = path.join(weir.folder, 'letters.jsonl');
  const dlq = (...args) => {
    const { status: code, stdout, stderr } = spawnSync(program(), ['dlq', ...args], {
      encoding: 'utf8', env: { PATH: process.env.PATH, WEIR_ENDPOINT: weir.endpoint } });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, `weir dlq ${args.join(' ')}`);
    return stdout;
  };
  const list = (...args) => dlq('list', 'copy', '--json', ...args).split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const ids = () => list().map(({ keys }) => keys.id).sort();
  const named = (...numbers) => numbers.map((n) => `i${`${n}`.padStart(2, '0')}`).sort();
  const range = (from, to) => named(...Array.from({ length: to - from }, (_, i) => from + i));
  const out = async () => (await weir.docs.send(new ScanCommand({ TableName: 'out' }))).Items.map(({ id }) => id).sort();
  const restart = async (condition) => {
    await weir.kill();
    await writeFile(path.join(weir.folder, 'weir.yaml'), write(condition));
    await weir.start();
  };
  try {
    for (let i = 0; i < COUNT; i++) { // more than one page of the file
      await put(weir, { id: named(i)[0], value: -i, text: 'x'.repeat(100_000) });
    }
    await eventually(async () => (await status(weir)).at_end, { timeout: 60_000 });
    const lines = await linesOf(file);
    assert.equal(lines.length, COUNT);
    assert.deepEqual(ids(), range(0, COUNT));
    assert.deepEqual(list('--key', '{"id":"i33"}').map(({ keys }) => keys), [{ id: 'i33' }]);
    const last = lines.find(({ keys }) => keys.id.S === 'i39');
    assert.equal(JSON.parse(dlq('show', 'copy', last.sequence, '--json')).payload.Records[0].dynamodb.NewImage.text.S.length, 100_000);

    // What fails again has a new line, and is the only one of its record that counts.
    assert.match(dlq('redrive', 'copy', '--key', '{"id":"i39"}'), /^1 given, 0 stale; 40 letters remain/);
    assert.equal((await linesOf(file)).length, COUNT + 1);
    assert.deepEqual(ids(), range(0, COUNT));
    assert.equal(dlq('skip', 'copy', last.sequence), '1 deleted\n');
    await restart('new.value > -30');
    assert.deepEqual(ids(), range(0, COUNT - 1));
    assert.match(dlq('redrive', 'copy'), /^39 given, 0 stale; 9 letters remain/);
    assert.deepEqual(await out(), range(0, 30));
    assert.deepEqual(ids(), range(30, 39));

    // A copy of what is done, say of a backup, does not bring it back.
    await writeFile(file, (await readFile(file, 'utf8')) + lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    assert.deepEqual(ids(), range(30, 39));
    await restart('true');
    assert.match(dlq('redrive', 'copy', '--since', '1d'), /^9 given, 0 stale; no letter remains/);
    assert.deepEqual(await out(), range(0, 39));
    await restart('new.value > 0');
    await put(weir, { id: 'more', value: -1 });
    await eventually(async () => (await status(weir)).at_end && ids().length === 1);
    assert.equal(dlq('purge', 'copy', '--yes'), '1 deleted\n');
    assert.deepEqual(ids(), []);
    await restart('new.value > 0');
    assert.deepEqual(ids(), []);
    assert.equal((await linesOf(file)).length > COUNT, true);
  } finally {
    await weir.close();
  }
});

test('a file that cannot be written is waited for, and nothing is lost through a kill', async () => {
  const weir = await startWeir({ config: config('{ file: logs/letters.jsonl }') });
  const folder = path.join(weir.folder, 'logs');
  try {
    await put(weir, { id: 'a', value: -1 });
    const { reason } = await eventuallyIs(() => status(weir), ({ state }) => state === 'blocked');
    assert.match(reason, /dead letter: .*logs\/letters\.jsonl/);
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
    await eventually(() => got.length === 1);
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
