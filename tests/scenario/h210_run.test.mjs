// weir run: a pipeline over records from standard input, in all the forms that a line may have.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { program } from './lib/weir.mjs';

const CONFIG = `tables:
  orders: { key: { id: S }, stream: new_and_old_images }
  copies: { key: { id: S } }
queues:
  mail: {}
functions:
  sum: { url: "http://127.0.0.1:9/" }
pipelines:
  copy:
    source: { table: orders, window: 5s, batch: 2, concurrency: 1 }
    filter: { dynamodb: { NewImage: { state: { S: [paid] } } } }
    steps:
      - put: { table: copies, item: { id: "\${keys.id}", total: "\${new.total}", at: "\${string(now)}" } }
      - send: { queue: mail, body: "order \${keys.id}" }
  view:
    source: { table: orders }
    steps:
      - project: { table: copies, items: [{ each: new.tags, as: tag, id: "\${tag}" }] }
  burst:
    source: { table: orders }
    steps:
      - debounce: { period: 15m }
      - send: { queue: mail, body: "\${burst.count}" }
  sums:
    source: { table: orders, start: oldest }
    steps:
      - invoke: { function: sum, window: 15m, result: answer }
      - each: { in: "event == 'WINDOW' ? [1] : []", as: n }
      - send: { queue: mail, body: "\${string(now)}" }
  errands:
    source: { queue: mail }
    steps:
      - put: { table: copies, item: { id: "\${message.id}" } }
`;

let folder;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'weir-run-'));
  await writeFile(path.join(folder, 'weir.yaml'), CONFIG);
});
after(() => rm(folder, { recursive: true }));

// Run `weir run ARGS` with lines as its input; code, out as objects, and err.
function run(args, lines) {
  return new Promise((resolve, reject) => {
    const child = spawn(program(), ['run', ...args], { cwd: folder });
    let out = '';
    let err = '';
    child.stdout.on('data', (bytes) => { out += bytes; });
    child.stderr.on('data', (bytes) => { err += bytes; });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, err, out: out.trim().split('\n').filter(Boolean).map(JSON.parse) }));
    child.stdin.on('error', () => {});
    child.stdin.end(lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'));
  });
}

const at = '2026-01-01T10:00:00Z';
const paid = (id, total) => ({ id: { S: id }, state: { S: 'paid' }, total: { N: String(total) } });
const record = (eventName, dynamodb) => ({
  eventName, dynamodb: { ApproximateCreationDateTime: Date.parse(at) / 1000, ...dynamodb },
});

test('plain items: what is written and sent, and when', async () => {
  const { code, out, err } = await run(['copy'], [
    { new: { id: 'a', state: 'paid', total: 1.5 }, at },
    { new: { id: 'b', state: 'open', total: 2 } },
    { new: { id: 'a', state: 'paid', total: 3 }, at: '2026-01-01T10:01:00Z' },
    { old: { id: 'a', state: 'paid', total: 3 } },
  ]);
  assert.deepEqual([code, err], [0, '']);
  assert.deepEqual(out, [
    { at: '2026-01-01T10:00:05.000Z', table: 'copies', put: { id: 'a', total: 1.5, at } },
    { at: '2026-01-01T10:01:05.000Z', table: 'copies', put: { id: 'a', total: 3, at: '2026-01-01T10:01:00Z' } },
    { at: '2026-01-01T10:00:05.000Z', queue: 'mail', send: { body: 'order a' } },
    { at: '2026-01-01T10:01:05.000Z', queue: 'mail', send: { body: 'order a' } },
  ]);
});

test('what is put off and the end of a window happen behind the last line', async () => {
  for (const [pipeline, made, body] of [['burst', '2026-01-01T10:15:01.000Z', '2'], ['sums', '2026-01-01T10:15:00.000Z', '2026-01-01T10:15:00Z']]) {
    const { code, out, err } = await run([pipeline], [
      { new: { id: 'a', n: 1 }, at },
      { new: { id: 'b', n: 2 }, at: '2026-01-01T10:00:01Z' },
    ]);
    assert.deepEqual([code, err], [0, '']);
    assert.equal(out.at(-1).send.body, body);
    assert.ok(Math.abs(Date.parse(out.at(-1).at) - Date.parse(made)) < 10, out.at(-1).at);
  }
});

test('records as Lambda and GetRecords have them, alone and in events', async () => {
  const { code, out } = await run(['copy', '--format', 'records'], [
    record('INSERT', { Keys: { id: { S: 'a' } }, NewImage: paid('a', 1) }),
    { Records: [
      record('MODIFY', { Keys: { id: { S: 'a' } }, NewImage: paid('a', 2), OldImage: paid('a', 1) }),
      { ...record('INSERT', { Keys: { id: { S: 'b' } }, NewImage: paid('b', 3) }),
        eventSourceARN: 'arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026-01-01T00:00:00.000' },
    ] },
    record('REMOVE', { Keys: { id: { S: 'b' } }, OldImage: paid('b', 3) }),
  ]);
  assert.equal(code, 0);
  const seen = out.map(({ eventName, dynamodb: { Keys, NewImage, OldImage } }) => (
    [eventName, Keys.id.S, NewImage?.total.N, OldImage?.total.N]));
  assert.deepEqual(seen.sort(), [
    ['INSERT', 'a', '1', undefined], ['INSERT', 'b', '3', undefined], ['MODIFY', 'a', '2', '1'],
  ]);
});

test('batches as the events that a function would get', async () => {
  const lines = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ new: { id: `one-${id}`, state: 'paid', total: 1 }, at }));
  const { code, out } = await run(['copy', '--format', 'lambda'], lines);
  assert.equal(code, 0);
  assert.equal(out.reduce((sum, event) => sum + event.Records.length, 0), 5);
  assert.ok(out.every(({ Records }) => Records.length <= 2 && Records[0].eventSource === 'aws:dynamodb'));
});

test('a projection writes, and takes away what a later version drops', async () => {
  const { out } = await run(['view'], [
    { new: { id: 'a', tags: ['x', 'y'] }, at }, { new: { id: 'a', tags: ['x'] } },
  ]);
  assert.deepEqual(out.map(({ put, delete: gone }) => [put?.id, gone?.id]).sort(),
    [['x', undefined], ['y', undefined], [undefined, 'y']].sort());
});

test('items as DynamoDB JSON', async () => {
  const { out } = await run(['copy', '--ddb'], [{ new: { id: 'a', state: 'paid', total: 1 }, at }]);
  assert.deepEqual(out[0].put, { id: { S: 'a' }, total: { N: '1' }, at: { S: at } });
});

test('what is wrong is told with the line, and the rest goes on', async () => {
  const { code, out, err } = await run(['copy'], [
    'not json',
    { new: { id: 'a', state: 'paid', total: 1 }, at },
    { new: { id: 'b', state: 'paid' } },
    '',
    { new: { id: 5 } },
    { new: { id: 'a' }, table: 'nope' },
    { news: {} },
    { eventName: 'INSERT', dynamodb: [] },
    '[]',
    { at: 'noon', new: { id: 'a' } },
  ]);
  assert.equal(code, 1);
  assert.equal(out.length, 2);
  const told = Object.fromEntries([...err.matchAll(/^weir: line (\d+): (.*)$/gm)].map(([, line, text]) => [line, text]));
  assert.deepEqual(Object.keys(told), ['1', '3', '5', '6', '7', '8', '9', '10']);
  assert.match(told[3], /total: no such key 'total'/);
  assert.match(told[5], /Type mismatch for key/);
  assert.match(told[6], /Table: nope not found/);
  assert.match(told[7], /'news' is not expected here.*at byte/);
  assert.match(told[10], /'noon' is no time/);
});

test('what is wrong with the call', async () => {
  assert.match((await run(['copi'], [])).err, /there is no pipeline 'copi'; did you mean 'copy'\?/);
  assert.equal((await run(['copi'], [{ new: { id: 'a' } }])).code, 1);
  assert.equal((await run(['copy', '--format', 'xml'], [])).code, 2);
  assert.match((await run(['copy', '-c', 'nowhere.yaml'], [])).err, /nowhere\.yaml/);
  const errands = await run(['errands'], []);
  assert.deepEqual([errands.code, /'errands' reads a queue/.test(errands.err)], [1, true], errands.err);
  assert.deepEqual((await run(['copy'], [])).out, []);
});
