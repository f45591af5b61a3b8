// A pipeline that is blocked until the log's bound: the bound holds, others go on, what is lost is told
// exactly, and nobody forgets it before it is acknowledged.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { BatchWriteCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { runCli } from './lib/cli.mjs';
import { createTable } from './lib/tables.mjs';
import { elsewhere, eventually, startWeir } from './lib/weir.mjs';

const skip = elsewhere;
const MIB = 1024 * 1024;
const BOUND = 256 * MIB;

const config = `log: { max_bytes: 256MiB }
tables:
  source: { key: { id: S }, stream: new_and_old_images }
  copies: { key: { id: S } }
  letters: { key: { pipeline: S, sequence: S } }
pipelines:
  blocked:
    source: { table: source, batch: 5, concurrency: 1 }
    steps:
      - put: { table: missing, item: { id: "\${new.id}" } }
    on_failure: { table: letters }
  copies:
    source: { table: source, batch: 5 }
    steps:
      - put: { table: copies, item: { id: "\${new.id}" } }
`;

let weir;
let written = 0;

before(async () => {
  if (!elsewhere) {
    weir = await startWeir({ config });
  }
});
after(() => weir?.close());

const run = (...args) => runCli(weir.endpoint, args);

async function status(...options) {
  const { code, out, err } = await run('status', '--json', ...options);
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

const pipeline = async (name, ...options) => (await status(...options)).pipelines.find((p) => p.name === name);

async function write(count) {
  const filler = 'x'.repeat(390_000);
  for (let i = 0; i < count; i += 25) {
    await weir.docs.send(new BatchWriteCommand({
      RequestItems: {
        source: Array.from({ length: 25 }, () => ({
          PutRequest: { Item: { id: `i${written++}`, filler } },
        })),
      },
    }));
  }
}

test('how far behind it is, what it is stuck at, and how long there is room', { skip }, async () => {
  await pipeline('copies'); // from here on the log's growth is measured
  await write(100);
  await eventually(async () => (await pipeline('copies')).at_end, { what: 'the copies' });
  const { records_behind, records_behind_least, state, reason, stuck, log_room, lanes } =
    await eventually(async () => {
      const found = await pipeline('blocked', '--lanes');
      return found.stuck && found.log_room.seconds !== undefined && found;
    }, { what: 'the pipeline being stuck, and the growth of a second' });
  assert.equal(records_behind, 100);
  assert.equal(records_behind_least, 100);
  assert.equal(state, 'blocked');
  assert.match(reason, /missing/);
  assert.match(stuck.keys.id.S, /^i\d+$/);
  assert.match(stuck.next_attempt, /^20.*Z$/);
  assert.equal(stuck.reason, reason);
  assert.equal(log_room.bound_bytes, BOUND);
  assert.equal(log_room.half_used, false);
  assert.ok(log_room.seconds >= 0);
  assert.ok(lanes.some((lane) => lane.phase === 'blocked' && lane.stuck.keys.id.S));
  const page = (await run('status')).out;
  assert.match(page, /blocked: stuck at record \d{21} of source, keys \{"id":\{"S":"i\d+"\}\}, since 20/);
  assert.doesNotMatch(page, /WARNING/);
  const metrics = (await weir.request({ method: 'GET', path: '/metrics' })).text;
  assert.match(metrics, /^weir_pipeline_records_behind\{pipeline="blocked"\} 100$/m);
  assert.match(metrics, /^weir_pipeline_log_room_bytes\{pipeline="blocked"\} \d+$/m);
  assert.match(metrics, /^weir_pipeline_log_room_seconds\{pipeline="copies"\} \d+$/m);
});

test('at the bound it is trimmed, and everything else goes on', { skip }, async () => {
  let warned = false;
  for (let found = {}; !found.trimmed; found = await pipeline('blocked')) {
    if (found.log_room?.half_used && !warned) {
      warned = true;
      assert.match((await run('status')).out,
        /blocked: WARNING: the log keeps only [\d.]+ [KMG]iB more for it: you lose data in /);
      assert.match(weir.output, /pipeline.log_half_used/);
    }
    assert.ok(written < 3000, 'the log was never trimmed');
    await write(100);
    const { log } = await status();
    assert.ok(log.bytes <= BOUND + 2 * 64 * MIB, `the log has ${log.bytes} bytes`);
  }
  assert.ok(warned, 'it is told before that records will be lost');
  await eventually(async () => (await pipeline('copies')).at_end, { what: 'the copies' });
  assert.equal((await pipeline('copies')).records, written);
  assert.equal((await pipeline('copies')).trimmed, undefined);
});

let lost;

test('what is lost is told exactly', { skip }, async () => {
  await createTable(weir.db, { name: 'missing', key: { id: 'S' } });
  await eventually(async () => (await pipeline('blocked')).at_end, { what: 'the rest being processed', timeout: 60000 });
  const { Items: letters } = await weir.docs.send(new ScanCommand({ TableName: 'letters' }));
  const { Items: copies } = await weir.docs.send(new ScanCommand({ TableName: 'missing' }));
  assert.ok(letters.length > 0);
  lost = 0;
  for (const letter of letters) {
    const { gap } = letter;
    assert.equal(letter.requestContext.condition, 'RecordsLost');
    assert.equal(letter.pipeline, 'blocked');
    assert.equal(letter.table, 'source');
    assert.ok(gap.from_sequence < gap.to_sequence);
    assert.match(gap.to_time, /^20.*Z$/);
    assert.equal(gap.records_least, gap.records_most);
    lost += gap.records_least;
  }
  assert.ok(lost > 0);
  assert.equal(copies.length + lost, written);
  const { state, trimmed } = await pipeline('blocked');
  assert.equal(state, 'trimmed');
  assert.equal(trimmed.records_least, lost);
  assert.equal(trimmed.records_most, lost);
  assert.match((await run('status')).out, new RegExp(`blocked: TRIMMED: ${lost} records were lost`));
});

test('it is known after a kill, and until the letters are acknowledged', { skip }, async () => {
  await weir.kill();
  await weir.start();
  const { trimmed } = await pipeline('blocked');
  assert.equal(trimmed.records_most, lost);
  const redriven = await run('dlq', 'redrive', 'blocked');
  assert.equal(redriven.code, 0, redriven.err);
  const letter = trimmed.gaps[0].letter;
  const refused = await run('dlq', 'redrive', 'blocked', letter);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /lost/);
  const list = await run('dlq', 'list', 'blocked');
  assert.match(list.out, /went with the log at its bound/);
  assert.equal((await run('dlq', 'skip', 'blocked', letter)).code, 0);
  assert.equal((await pipeline('blocked')).trimmed?.gaps.length ?? 0, trimmed.gaps.length - 1);
  assert.equal((await run('dlq', 'purge', 'blocked', '--yes')).code, 0);
  assert.equal((await pipeline('blocked')).trimmed, undefined);
  assert.equal((await pipeline('blocked')).state, 'running');
  await weir.restart();
  assert.equal((await pipeline('blocked')).trimmed, undefined);
});
