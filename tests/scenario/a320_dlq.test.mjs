// weir dlq: dead letters are listed, shown, processed again and deleted from the command line.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import test, { after, before } from 'node:test';
import { BatchWriteCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { runCli } from './lib/cli.mjs';
import { elsewhere, eventually, startWeir } from './lib/weir.mjs';

const skip = elsewhere;

// What a restart with a changed file changes.
const config = (twice, target = 'target') => `tables:
  source: { key: { id: S }, stream: new_and_old_images }
  target: { key: { id: S } }
  letters: { key: { pipeline: S, sequence: S } }
pipelines:
  totals:
    source: { table: source }
    steps:
      - require: [new.value]
      - put: { table: ${target}, item: { id: "\${new.id}", twice: "\${${twice}}" } }
    on_failure: { table: letters }
  plain:
    source: { table: source }
    steps:
      - log: "\${new.id}"
  adrift:
    source: { table: source }
    filter: { eventName: [REMOVE] }
    steps:
      - log: "\${new.id}"
    on_failure: { table: nowhere }
`;
const BROKEN = 'new.value * 2';
const MENDED = 'new.value + new.value';

let weir;

before(async () => {
  if (!elsewhere) {
    weir = await startWeir({ config: config(BROKEN) });
  }
});
after(() => weir?.close());

const run = (args, env) => runCli(weir.endpoint, ['dlq', ...args], { env });

// Run, and want it to go well without a word on standard error; its output.
async function done(...args) {
  const { code, out, err } = await run(args);
  assert.deepEqual({ code, err }, { code: 0, err: '' }, `weir dlq ${args.join(' ')}`);
  return out;
}

async function fails(args, expected, message, env) {
  const { code, out, err } = await run(args, env);
  assert.deepEqual({ code, out }, { code: expected, out: '' }, `weir dlq ${args.join(' ')}\n${err}`);
  assert.match(err, message);
}

const put = (Item) => weir.docs.send(new PutCommand({ TableName: 'source', Item }));
const all = async (TableName) => (await weir.docs.send(new ScanCommand({ TableName }))).Items;
const list = async (...args) => (await done('list', 'totals', '--json', ...args)).split('\n').filter(Boolean).map((line) => JSON.parse(line));
const letterOf = async (id) => (await list()).find(({ keys }) => keys.id === id);

async function restart(...changed) {
  await weir.stop();
  await writeFile(weir.configFile, config(...changed));
  await weir.start();
}

// What the tests below begin with: two that cannot be multiplied, and one without a value. A write
// that changes nothing makes no record, so each round is another.
let round = 0;
async function fill() {
  await done('purge', 'totals', '--yes');
  round += 1;
  await put({ id: 'a', value: 'one', round });
  await put({ id: 'b', value: 'two\u001b[31m', round });
  await put({ id: 'c', round });
  await eventually(async () => (await list()).length === 3);
}

test('letters are listed by the order of their changes, and counted by kind', { skip }, async () => {
  assert.equal(await done('list', 'totals'), 'no dead letters\n');
  assert.equal(await done('list', 'totals', '--json'), '');
  await fill();
  const letters = await list();
  assert.deepEqual(letters.map(({ keys }) => keys.id), ['a', 'b', 'c']);
  assert.ok(letters.every(({ payload, pipeline, table }) => payload === undefined && pipeline === 'totals' && table === 'source'));
  const [a, b, c] = letters;
  assert.equal(a.fingerprint, b.fingerprint);
  assert.notEqual(a.fingerprint, c.fingerprint);

  const text = await done('list', 'totals');
  assert.match(text, /^3 dead letters\n\nSEQUENCE +FAILED AT +EVENT +KEYS +ERROR\n/);
  assert.ok(text.includes(`\n${a.sequence}  ${a.timestamp}  INSERT  {"id":"a"}  ${a.error}\n`), text);
  assert.match(text, new RegExp(`\n\nFINGERPRINT +LETTERS +LATEST +ERROR\n${a.fingerprint} +2 .*\n${c.fingerprint} +1 .*\n$`));
  assert.ok(!text.includes('\u001b'), 'nothing of a record steers the terminal');

  const first = await done('list', 'totals', '-n1');
  assert.match(first, /^3 dead letters, the first 1:\n/);
  assert.match(first, new RegExp(`\n${a.fingerprint} +2 `), 'the kinds are those of all letters');
  assert.ok(!first.includes(b.sequence));

  const ids = async (...args) => (await list(...args)).map(({ keys }) => keys.id);
  assert.deepEqual(await ids('--fingerprint', c.fingerprint), ['c']);
  assert.deepEqual(await ids('--error', 'twice: '), ['a', 'b']);
  assert.deepEqual(await ids('--error', 'no such error'), []);
  assert.deepEqual(await ids('--limit', '2'), ['a', 'b']);
  assert.deepEqual(await ids('--since', '1h'), ['a', 'b', 'c']);
  assert.deepEqual(await ids('--since', b.timestamp.slice(0, 10)), ['a', 'b', 'c']);
  assert.deepEqual(await ids('--since', '2999-01-01T00:00:00Z'), []);
  const latest = [a, b, c].map(({ timestamp: at }) => at).sort().at(-1);
  assert.deepEqual(await ids('--since', latest), letters.filter(({ timestamp: at }) => at === latest).map(({ keys }) => keys.id));
});

test('a letter is shown whole', { skip }, async () => {
  await fill();
  const letter = await letterOf('a');
  const shown = JSON.parse(await done('show', 'totals', letter.sequence, '--json'));
  const { payload, ...rest } = shown;
  assert.deepEqual(rest, letter);
  const { Records: [record] } = payload;
  assert.equal(record.dynamodb.SequenceNumber, letter.sequence);
  assert.deepEqual(record.dynamodb.NewImage, { id: { S: 'a' }, value: { S: 'one' }, round: { N: `${round}` } });
  const text = await done('show', 'totals', letter.sequence);
  assert.match(text, /^\{\n +"pipeline": "totals",\n/);
  assert.deepEqual(JSON.parse(text), shown);
  const b = await letterOf('b');
  assert.ok(!(await done('show', 'totals', b.sequence)).includes('\u001b'), 'nothing of a record steers the terminal');
  await weir.docs.send(new PutCommand({ TableName: 'letters', Item: { pipeline: 'totals', sequence: '7', payload: '{"a', more: [1] } }));
  assert.match(await done('show', 'totals', '7', '--json'), /"sequence":"7"/);
  await fails(['redrive', 'totals', '7'], 1, /dead letter 7 cannot be processed: the pipeline does not read its table '' now/);
  assert.equal(await done('skip', 'totals', '7'), '1 deleted\n');
});

test('letters are chosen by what failed, when, and for which item', { skip }, async () => {
  await fill();
  const [a, b, c] = await list();
  const ids = async (...args) => (await list(...args)).map(({ keys }) => keys.id);
  assert.deepEqual(await ids('--error', a.fingerprint), ['a', 'b'], 'a fingerprint stands for its errors');
  assert.deepEqual(await ids('--key', '{"id":"b"}'), ['b']);
  assert.deepEqual(await ids('--key', '{"id":"b"}', '--error', 'require'), []);
  assert.deepEqual(await ids('--until', a.timestamp), []);
  assert.deepEqual(await ids('--until', '2999-01-01'), ['a', 'b', 'c']);
  assert.deepEqual(await ids('--until', '1h'), []);
  const groups = (await done('list', 'totals', '--group', '--json')).split('\n').filter(Boolean).map((line) => JSON.parse(line));
  assert.deepEqual(groups.map(({ fingerprint, letters, step }) => ({ fingerprint, letters, step })), [
    { fingerprint: a.fingerprint, letters: 2, step: 'put' }, { fingerprint: c.fingerprint, letters: 1, step: 'require' }]);
  const text = await done('list', 'totals', '--group');
  assert.match(text, /^3 dead letters\n\nFINGERPRINT/);
  assert.ok(!text.includes(b.sequence));
  assert.equal(await done('redrive', 'totals', '--key', '{"id":"a"}'), '1 given, 0 stale; 3 letters remain\n');
  assert.equal(await done('purge', 'totals', '--error', 'twice: ', '--yes'), '2 deleted\n');
  assert.deepEqual(await ids(), ['c']);
  await fails(['purge', 'totals', '--key', '{"id":"a"}', '--yes'], 1, /pipeline 'totals' has no such dead letter/);
  await fails(['list', 'totals', '--key', '{"id"'], 2, /--key is not JSON/);
});

test('letters are processed again: one, those of a kind, all, and the stale ones', { skip }, async () => {
  await fill();
  const [a, , c] = await list();
  assert.equal(await done('redrive', 'totals'), '3 given, 0 stale; 3 letters remain\n');
  assert.ok((await list()).every(({ timestamp: at }) => at >= c.timestamp), 'they have failed again');
  await restart(MENDED);
  assert.equal(await done('redrive', 'totals', a.sequence), '1 given, 0 stale; 2 letters remain\n');
  assert.ok((await all('target')).some(({ id, twice }) => id === 'a' && twice === 'oneone'));
  await put({ id: 'b', value: 'three' });
  assert.equal(await done('redrive', 'totals', '--fingerprint', a.fingerprint),
    '0 given, 1 stale; 2 letters remain\nstale: the item has changed since; --stale processes the old version all the same\n');
  assert.deepEqual(JSON.parse(await done('redrive', 'totals', '--json')), { given: 1, stale: 1, left_alone: 0, remaining: 2, at_end: true });
  assert.equal(await done('redrive', 'totals', '--stale'), '2 given, 0 stale; 1 letter remains\n');
  assert.deepEqual((await list()).map(({ keys }) => keys.id), ['c']);
  await restart(BROKEN);
});

test('more letters than one call takes are each given once', { skip }, async () => {
  await done('purge', 'totals', '--yes');
  const COUNT = 2100;
  for (let i = 0; i < COUNT; i += 25) {
    await weir.docs.send(new BatchWriteCommand({ RequestItems: { source: Array.from({ length: 25 }, (_, k) => ({
      PutRequest: { Item: { id: `many-${i + k}`, value: `v${i + k}` } } })) } }));
  }
  await eventually(async () => (await list()).length === COUNT, { timeout: 60_000 });
  assert.equal(await done('redrive', 'totals'), `${COUNT} given, 0 stale; ${COUNT} letters remain\n`);
  await restart(MENDED);
  assert.equal(await done('redrive', 'totals'), `${COUNT} given, 0 stale; no letter remains\n`);
  assert.equal((await all('target')).filter(({ id }) => id.startsWith('many-')).length, COUNT);
  assert.equal(await done('redrive', 'totals'), '0 given, 0 stale; no letter remains\n');
  await restart(BROKEN);
});

test('letters are deleted one by one, by kind, and all', { skip }, async () => {
  await fill();
  const [a, b, c] = await list();
  assert.equal(await done('skip', 'totals', a.sequence), '1 deleted\n');
  await fails(['skip', 'totals', a.sequence], 1, /^weir: pipeline 'totals' has no dead letter \d+\n$/);
  await fails(['purge', 'totals'], 2, /this deletes 2 dead letters of pipeline 'totals' for good: say so with --yes/);
  await fails(['purge', 'totals', '--fingerprint', b.fingerprint], 2, /this deletes 1 dead letter of /);
  assert.equal((await list()).length, 2);
  assert.equal(await done('purge', 'totals', '--fingerprint', b.fingerprint, '--yes', '--json'), '{"deleted":1}\n');
  assert.deepEqual((await list()).map(({ keys }) => keys.id), ['c']);
  await fails(['purge', 'totals', '--fingerprint', b.fingerprint, '--yes'], 1, /no dead letter with fingerprint [0-9a-f]{16}\n/);
  await fails(['redrive', 'totals', '--fingerprint', b.fingerprint], 1, /no dead letter with fingerprint/);
  // Another pipeline's letters in the same table stay, and a purge has many pages of requests.
  for (let i = 0; i < 75; i += 25) {
    await weir.docs.send(new BatchWriteCommand({ RequestItems: { letters: Array.from({ length: 25 }, (_, k) => ({
      PutRequest: { Item: { pipeline: i < 50 ? 'totals' : 'others', sequence: `${i + k}` } } })) } }));
  }
  assert.equal(await done('purge', 'totals', '--yes'), '51 deleted\n');
  assert.deepEqual(new Set((await all('letters')).map(({ pipeline }) => pipeline)), new Set(['others']));
  assert.equal(await done('purge', 'totals'), '0 deleted\n');
  assert.equal(await done('redrive', 'totals'), '0 given, 0 stale; no letter remains\n');
  assert.ok(c.sequence > b.sequence);
});

test('what is wrong is said', { skip }, async () => {
  for (const [args, code, message] of [
    [['list', 'total'], 1, /^weir: there is no pipeline 'total'; did you mean 'totals'\?\n$/],
    [['list', 'x&y=%'], 1, /^weir: there is no pipeline 'x&y=%'; `weir status` lists them\n$/],
    [['list', 'plain'], 1, /keeps no dead letters: it has no on_failure; add\n.* on_failure: \{ queue: dead-letters \}\n/],
    [['redrive', 'adrift'], 1, /in table 'nowhere', which is not there; its key is \{ pipeline: S, sequence: S \}/],
    [['show', 'totals', '12'], 1, /^weir: pipeline 'totals' has no dead letter 12\n$/],
    [['redrive', 'totals', '12'], 1, /^weir: not_found: pipeline totals has no dead letter 12\n$/],
    [['lits', 'totals'], 2, /weir dlq does not know 'lits'; did you mean 'list'\?/],
    [['list'], 2, /something is missing: weir dlq list\|show/],
    [['show', 'totals'], 2, /something is missing: weir dlq show PIPELINE SEQUENCE/],
    [['skip', 'totals', '1&stale=true'], 2, /a sequence is digits, as `weir dlq list` shows, not '1&stale=true'/],
    [['list', 'totals', '12'], 2, /weir dlq list takes no argument '12': weir dlq list PIPELINE/],
    [['purge', 'totals', '12', '--yes'], 2, /weir dlq purge takes no argument '12'/],
    [['skip', 'totals', '12', '--since', '1h'], 2, /a sequence or --since, not both/],
    [['purge', 'totals', '--yes', '--group'], 2, /weir dlq purge takes no --group/],
    [['redrive', 'totals', '--limit', '3'], 2, /weir dlq redrive takes no --limit/],
    [['redrive', 'totals', '1', '--fingerprint', '0123456789abcdef'], 2, /a sequence or --fingerprint, not both/],
    [['list', 'totals', '--fingerprint', 'abc'], 2, /--fingerprint is 16 hexadecimal digits/],
    [['list', 'totals', '--since', '2025-22-11'], 2, /--since is a time as in 2025-11-22 .* not '2025-22-11'/],
    [['list', 'totals', '--since', '1y'], 2, /not '1y'/],
  ]) {
    await fails(args, code, message);
  }
  await fails(['list', 'totals'], 3, /is `weir serve` running there\?/, { WEIR_ENDPOINT: 'http://127.0.0.1:1' });
});

test('a pipeline that is blocked is not waited for', { skip }, async () => {
  await fill();
  await restart(MENDED, 'absent');
  const { code, out, err } = await run(['redrive', 'totals']);
  assert.deepEqual({ code, out }, { code: 1, out: '3 given, 0 stale; 3 letters remain\n' });
  assert.match(err, /^weir: pipeline 'totals' is blocked, and goes on once this is mended: .*absent/);
});
