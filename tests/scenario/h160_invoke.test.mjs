// Pipelines that invoke functions: what handlers get, what becomes of their answers, and failures.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { BatchWriteCommand, GetCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { HANDLERS } from './lib/functions.mjs';
import { elsewhere, eventually, eventuallyIs, startWeir } from './lib/weir.mjs';

const skip = elsewhere;

// A weir with a function `f` and one pipeline; calls() is what the function got so far.
async function start(handler, pipeline, { functions = '', tables = '' } = {}) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'weir-invoke-'));
  const file = path.join(folder, 'calls');
  const weir = await startWeir({ config: `
tables:
  orders: { key: { id: S }, stream: new_and_old_images, shards: 1 }
  out: { key: { id: S } }
  letters: { key: { pipeline: S, sequence: S } }
${tables}
functions:
  f: { runtime: node, handler: stream.${handler}, dir: "${HANDLERS}", timeout: 5s, env: { CALLS: "${file}" } }
${functions}
pipelines:
  p:
${pipeline}
` });
  const close = async () => {
    await weir.close();
    rmSync(folder, { recursive: true });
  };
  const calls = () => (existsSync(file)
    ? readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line)) : []);
  const put = (Item) => weir.docs.send(new PutCommand({ TableName: 'orders', Item }));
  const putMany = (items) => weir.docs.send(new BatchWriteCommand({
    RequestItems: { orders: items.map((Item) => ({ PutRequest: { Item } })) } }));
  const get = async (TableName, Key) => (await weir.docs.send(new GetCommand({ TableName, Key }))).Item;
  const scan = async (TableName) => (await weir.docs.send(new ScanCommand({ TableName }))).Items;
  const status = async () => (await weir.request({ method: 'GET', path: '/v1/status' })).json.pipelines[0];
  const idle = () => eventually(async () => (await status()).at_end, { timeout: 60_000 });
  return { weir, file, close, calls, put, putMany, get, scan, status, idle };
}

test('a handler gets the batch as Lambda hands it over', { skip }, async () => {
  const { close, calls, put, idle } = await start('handler', `
    source: { table: orders }
    steps: [invoke: { function: f }]`);
  try {
    await put({ id: 'a', n: 1.5, tags: new Set(['x']) });
    await idle();
    const [{ event }] = calls();
    assert.deepEqual(Object.keys(event), ['Records']);
    const [record] = event.Records;
    assert.match(record.eventID, /^[0-9a-f]{32}$/);
    assert.match(record.eventSourceARN, /^arn:aws:dynamodb:us-east-1:000000000000:table\/orders\/stream\//);
    assert.deepEqual({ ...record, eventID: 0, eventSourceARN: 0, dynamodb: 0 }, { eventID: 0, eventName: 'INSERT',
      eventVersion: '1.1', eventSource: 'aws:dynamodb', awsRegion: 'us-east-1', dynamodb: 0, eventSourceARN: 0 });
    assert.match(record.dynamodb.SequenceNumber, /^\d{21}$/);
    assert.deepEqual(record.dynamodb.NewImage, { id: { S: 'a' }, n: { N: '1.5' }, tags: { SS: ['x'] } });
    assert.equal(record.dynamodb.StreamViewType, 'NEW_AND_OLD_IMAGES');
  } finally {
    await close();
  }
});

test('the answer goes on as one event of the batch', { skip }, async () => {
  const { close, calls, putMany, get, idle } = await start('handler', `
    source: { table: orders, window: 200ms, concurrency: 1 }
    steps:
      - invoke: { function: f, result: answer }
      - put: { table: out, item: { id: "\${answer.ids[0]}", count: "\${answer.count}", ids: "\${answer.ids}" } }`);
  try {
    await putMany([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    await idle();
    const { ids } = await get('out', { id: calls()[0].event.Records[0].dynamodb.NewImage.id.S });
    assert.deepEqual([...ids].sort(), ['a', 'b', 'c']);
  } finally {
    await close();
  }
});

test('an answer that a later step cannot use fails all its records, each with a letter', { skip }, async () => {
  const { close, calls, putMany, scan, idle } = await start('handler', `
    source: { table: orders, window: 300ms, concurrency: 1 }
    steps:
      - invoke: { function: f, result: answer }
      - put: { table: out, item: { id: "\${answer.nothing}" } }
    on_failure: { table: letters }`);
  try {
    await putMany([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    await idle();
    const letters = (await scan('letters')).sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
    const batches = new Map(letters.map(({ batch }) => [JSON.stringify(batch), batch]));
    const sizes = calls().map(({ event }) => event.Records.length);
    assert.equal(letters.length, 3);
    assert.deepEqual([...batches.values()].map((batch) => batch?.records ?? 1), sizes);
    for (const { requestContext, responseContext } of letters) {
      assert.equal(requestContext.condition, 'RecordRejected');
      assert.equal(responseContext, undefined);
    }
  } finally {
    await close();
  }
});

test('with a payload each event is an invocation with an answer of its own', { skip }, async () => {
  const { close, calls, putMany, get, idle } = await start('doubles', `
    source: { table: orders, concurrency: 1 }
    steps:
      - invoke: { function: f, payload: { n: "\${new.n}" }, result: answer }
      - put: { table: out, item: { id: "\${new.id}", twice: "\${answer.twice}" } }`);
  try {
    await putMany([{ id: 'a', n: 1 }, { id: 'b', n: 2 }, { id: 'c', n: 3 }]);
    await idle();
    assert.deepEqual(calls().map(({ n }) => n).sort(), [1, 2, 3]);
    assert.deepEqual(await get('out', { id: 'c' }), { id: 'c', twice: 6 });
  } finally {
    await close();
  }
});

test('poison is found by halving, and the rest goes on', { skip }, async () => {
  const { close, calls, putMany, scan, status, idle } = await start('handler', `
    source: { table: orders, window: 300ms, concurrency: 1 }
    steps:
      - invoke: { function: f }
      - put: { table: out, item: { id: "\${new.id}" } }
    retry: { retries: 1, backoff: [20ms] }
    on_failure: { table: letters }`);
  try {
    await putMany([...Array(16)].map((_, i) => ({ id: `${i}`, ...(i === 11 && { poison: true }) })));
    await idle();
    assert.equal((await scan('out')).length, 15);
    const [letter] = await scan('letters');
    assert.match(letter.error, /function f: .*this is poison/);
    assert.deepEqual(letter.keys, { id: '11' });
    assert.ok((await status()).retries >= 2);
    const last = calls().filter(({ event }) => event.Records.some((r) => r.dynamodb.NewImage.poison)).at(-1);
    assert.equal(last.event.Records.length, 1);
  } finally {
    await close();
  }
});

test('a report of failures is the new start of the batch', { skip }, async () => {
  const { close, calls, putMany, scan, idle } = await start('reports', `
    source: { table: orders, window: 300ms, concurrency: 1 }
    steps: [invoke: { function: f, report_failures: true }]
    retry: { retries: 2, backoff: [20ms] }
    on_failure: { table: letters }`);
  try {
    await putMany([...Array(10)].map((_, i) => ({ id: `${i}`, ...(i === 4 && { poison: true }) })));
    await idle();
    assert.deepEqual((await scan('letters')).map(({ keys }) => keys.id), ['4']);
    const seen = calls().flatMap(({ event }) => event.Records.map((r) => r.dynamodb.NewImage.id.S));
    const order = calls()[0].event.Records.map((r) => r.dynamodb.NewImage.id.S);
    const before = order.slice(0, order.indexOf('4'));
    for (const id of before) {
      assert.equal(seen.filter((s) => s === id).length, 1, `${id} came before the failed one, and is done`);
    }
    assert.equal(seen.filter((s) => s === '4').length, 3);
  } finally {
    await close();
  }
});

test('a report that names nobody fails the whole batch', { skip }, async () => {
  const { close, put, scan, idle } = await start('wrongReport', `
    source: { table: orders }
    steps: [invoke: { function: f, report_failures: true }]
    retry: { retries: 0 }
    on_failure: { table: letters }`);
  try {
    await put({ id: 'a' });
    await idle();
    const [letter] = await scan('letters');
    assert.match(letter.error, /itemIdentifier is no sequence number of the batch/);
    assert.equal(letter.responseContext.functionError, null); // it did answer
  } finally {
    await close();
  }
});

test('a function that fails for a while is asked until it answers', { skip }, async () => {
  const { close, file, put, status, calls, idle } = await start('handler', `
    source: { table: orders }
    steps: [invoke: { function: f }]
    retry: { backoff: [50ms] }`);
  try {
    writeFileSync(`${file}.fail`, '');
    await put({ id: 'a' });
    const { reason } = await eventuallyIs(status, ({ state, stuck }) => state === 'retrying' && stuck?.attempt > 3);
    assert.match(reason, /this is poison/);
    rmSync(`${file}.fail`);
    await idle();
    assert.ok(calls().length > 3);
  } finally {
    await close();
  }
});

test('with concurrency 1 there is never a second run', { skip }, async () => {
  const { close, calls, put, idle } = await start('slow', `
    source: { table: orders, concurrency: 1, batch: 2 }
    steps: [invoke: { function: f }]`, { functions: '' });
  try {
    await Promise.all([...Array(12)].map((_, i) => put({ id: `${i}` })));
    await idle();
    calls().forEach((call, i) => assert.ok(i % 2 === 0 ? call.began : call.ended, JSON.stringify(calls())));
  } finally {
    await close();
  }
});

test('a batch in flight when weir is killed is asked again', { skip }, async () => {
  const { weir, close, calls, put, idle } = await start('slow', `
    source: { table: orders, concurrency: 1 }
    steps: [invoke: { function: f }]`);
  try {
    await put({ id: 'a' });
    await eventually(() => calls().length >= 1);
    await weir.kill();
    await weir.restart();
    await idle();
    assert.ok(calls().filter(({ began }) => began).length >= 1);
    assert.ok(calls().some(({ ended }) => ended));
  } finally {
    await close();
  }
});
