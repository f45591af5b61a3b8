// Tumbling windows: a function that keeps a state for each window of each shard, and is told its end.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateEventSourceMappingCommand, DeleteEventSourceMappingCommand, GetEventSourceMappingCommand, LambdaClient,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda';
import { DynamoDBStreamsClient, DescribeStreamCommand } from '@aws-sdk/client-dynamodb-streams';
import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { HANDLERS } from './lib/functions.mjs';
import { receive, sqsOf } from './lib/queues.mjs';
import { fails } from './lib/tables.mjs';
import { elsewhere, eventually, eventuallyIs, startWeir } from './lib/weir.mjs';

const skip = elsewhere;

// A weir with a table and a function that adds up; calls() is what it got so far.
async function start({ shards = 1, pipelines = '' } = {}) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'weir-windows-'));
  const file = path.join(folder, 'calls');
  const weir = await startWeir({ config: `
tables:
  orders: { key: { id: S }, stream: new_image, shards: ${shards} }
  totals: { key: { id: S } }
queues:
  told.fifo: {}
functions:
  sum: { runtime: node, handler: stream.windows, dir: "${HANDLERS}", timeout: 5s, env: { CALLS: "${file}" } }
${pipelines}
` });
  const lambda = () => weir.client(LambdaClient);
  const { Table } = await weir.db.send(new DescribeTableCommand({ TableName: 'orders' }));
  const EventSourceArn = Table.LatestStreamArn;
  const get = (UUID) => lambda().send(new GetEventSourceMappingCommand({ UUID }));
  const enabled = (UUID) => eventually(async () => (await get(UUID)).State === 'Enabled', { what: 'Enabled' });
  const create = async (rest) => {
    const made = await lambda().send(new CreateEventSourceMappingCommand({
      EventSourceArn, FunctionName: 'sum', StartingPosition: 'TRIM_HORIZON', ...rest }));
    await enabled(made.UUID);
    return made;
  };
  const update = async (UUID, rest) => {
    const answer = await lambda().send(new UpdateEventSourceMappingCommand({ UUID, ...rest }));
    await enabled(UUID);
    return answer;
  };
  const put = (Item) => weir.docs.send(new PutCommand({ TableName: 'orders', Item }));
  const calls = () => (existsSync(file)
    ? readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line).event) : []);
  const ends = () => calls().filter((event) => event.isFinalInvokeForWindow);
  const close = async () => {
    await weir.close();
    rmSync(folder, { recursive: true });
  };
  return { weir, file, lambda, EventSourceArn, get, create, update, put, calls, ends, close };
}

// The sums at the ends of windows, of those that ended twice (a kill) once; both said the same.
function sumOf(ends) {
  const sums = new Map();
  for (const { shardId, window, state } of ends) {
    const name = `${shardId} ${window.start}`;
    assert.equal(sums.get(name) ?? state.sum, state.sum, name);
    sums.set(name, state.sum);
  }
  return [...sums.values()].reduce((a, b) => a + b, 0);
}

test('a mapping with windows: the events are Lambda\'s, and each window ends once', { skip }, async () => {
  const { weir, lambda, EventSourceArn, get, create, update, put, calls, ends, close } = await start();
  try {
    const made = await create({ TumblingWindowInSeconds: 2 });
    assert.equal(made.TumblingWindowInSeconds, 2);
    assert.equal((await get(made.UUID)).TumblingWindowInSeconds, 2);
    for (let n = 1; n <= 5; n++) {
      await put({ id: `i${n}`, n });
      await eventually(() => calls().some(({ Records }) => Records.some((r) => r.dynamodb.Keys.id.S === `i${n}`)));
    }
    await eventually(() => sumOf(ends()) === 15, { what: 'all windows to end' });

    const { StreamDescription } = await weir.client(DynamoDBStreamsClient).send(
      new DescribeStreamCommand({ StreamArn: EventSourceArn }));
    const [first] = calls();
    assert.deepEqual(Object.keys(first), ['Records', 'window', 'state', 'shardId', 'eventSourceARN',
      'isFinalInvokeForWindow', 'isWindowTerminatedEarly']);
    const { Records: [record], window, ...rest } = first;
    assert.deepEqual(rest, { state: {}, shardId: StreamDescription.Shards[0].ShardId, eventSourceARN: EventSourceArn,
      isFinalInvokeForWindow: false, isWindowTerminatedEarly: false });
    assert.match(window.start, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(Date.parse(window.end) - Date.parse(window.start), 2000);
    assert.equal(Date.parse(window.start) % 2000, 0);
    const created = record.dynamodb.ApproximateCreationDateTime * 1000;
    assert.ok(created >= Date.parse(window.start) && created < Date.parse(window.end));
    for (const end of ends()) {
      assert.deepEqual(end.Records, []);
      assert.equal(calls().filter(({ window: w, ...of }) => of.isFinalInvokeForWindow && w.start === end.window.start)
        .length, 1);
    }
    assert.equal(weir.output.includes('level=error'), false);

    const before = ends().length;
    assert.equal((await update(made.UUID, { TumblingWindowInSeconds: 1 })).TumblingWindowInSeconds, 1);
    await put({ id: 'later', n: 1 });
    await eventually(() => ends().length > before);
    const { window: later } = ends().at(-1);
    assert.equal(Date.parse(later.end) - Date.parse(later.start), 1000);

    const refused = (change, message) => fails(update(made.UUID, change), 'InvalidParameterValueException', message, 400);
    await refused({ ParallelizationFactor: 2 }, /^TumblingWindowInSeconds needs a ParallelizationFactor of 1/);
    await refused({ TumblingWindowInSeconds: 901 }, /umblingWindowInSeconds/);
    await lambda().send(new DeleteEventSourceMappingCommand({ UUID: made.UUID }));
    await eventually(async () => get(made.UUID).then(() => false, () => true));
  } finally {
    await close();
  }
});

test('kill -9 loses no window, and ends none with another state', { skip, timeout: 180_000 }, async () => {
  const { weir, create, put, calls, ends, close } = await start({ shards: 3 });
  const KILLS = 8;
  try {
    await create({ TumblingWindowInSeconds: 1, BatchSize: 3 });
    let sum = 0;
    for (let n = 1; n <= KILLS; n++) {
      for (let i = 0; i < 12; i++) {
        await put({ id: `i${n}-${i}`, n: i + 1 });
        sum += i + 1;
      }
      const seen = calls().length;
      if (n % 2) { // in the middle of batches; or when windows end
        await eventually(() => calls().length > seen);
      } else {
        await eventually(() => ends().length > 0 && sumOf(ends()) > 0 && calls().at(-1).isFinalInvokeForWindow);
      }
      await weir.kill();
      await weir.restart();
    }
    await eventually(() => sumOf(ends()) >= sum, { what: 'all windows to end' });
    assert.equal(sumOf(ends()), sum);
    const counts = {};
    for (const { shardId, window } of ends()) {
      counts[shardId + window.start] = (counts[shardId + window.start] ?? 0) + 1;
    }
    const again = Object.values(counts).reduce((all, count) => all + count - 1, 0);
    assert.ok(again <= KILLS * 3, `${again} ends were repeated by ${KILLS} kills of 3 shards`);
  } finally {
    await close();
  }
});

test('a state of more than a megabyte ends its window early', { skip }, async () => {
  const { weir, create, put, calls, ends, close } = await start();
  try {
    await create({ TumblingWindowInSeconds: 900 });
    await put({ id: 'a', n: 1 });
    await put({ id: 'b', n: 2, large: true });
    await eventually(() => ends().length === 1);
    const [{ state, isWindowTerminatedEarly, window, Records }] = ends();
    assert.deepEqual([state, isWindowTerminatedEarly, Records], [{ sum: 3, padding: 2 << 20 }, true, []]);
    const lanes = async () => (await weir.request({ method: 'GET', path: '/v1/status?lanes=true' })).json.pipelines[0].lanes;
    await eventually(async () => (await lanes()).every((lane) => lane.window === undefined));
    await put({ id: 'c', n: 4 });
    await eventually(async () => (await lanes()).some((lane) => Date.parse(lane.window?.end) === Date.parse(window.end)));
    await eventually(() => calls().at(-1).Records.length === 1);
    const last = calls().at(-1);
    assert.deepEqual([last.state, last.isWindowTerminatedEarly, last.window], [{}, false, window]);
  } finally {
    await close();
  }
});

test('in weir.yaml: totals by the answer to an end; one that fails holds its shard', { skip }, async () => {
  const { weir, file, put, calls, ends, close } = await start({ pipelines: `
pipelines:
  totals:
    source: { table: orders }
    steps:
      - invoke: { function: sum, window: 2s, result: answer }
      - send: { queue: told.fifo, body: "\${event}", group: all }
      - each: { in: answer.totals, as: total }
      - put: { table: totals, item: { id: "\${total.from}", sum: "\${total.sum}" } }` });
  try {
    writeFileSync(`${file}.fail`, '');
    await put({ id: 'a', n: 3 });
    const status = async () => (await weir.request({ method: 'GET', path: '/v1/status' })).json.pipelines[0];
    const { reason } = await eventuallyIs(status, ({ state }) => state === 'blocked');
    assert.match(reason, /^the end of the window of \S+Z: function sum: .*not now/);
    await put({ id: 'b', n: 4 });
    const before = ends().length;
    await eventually(() => ends().length > before);
    assert.equal(calls().filter(({ Records }) => Records.length).length, 1);
    rmSync(`${file}.fail`);
    const scan = async () => (await weir.docs.send(new ScanCommand({ TableName: 'totals' }))).Items;
    await eventually(async () => (await scan()).length === 2);
    assert.deepEqual((await scan()).map(({ sum }) => sum).sort(), [3, 4]);
    const told = await receive(sqsOf(weir), `${weir.endpoint}/000000000000/told.fifo`, { MaxNumberOfMessages: 10 });
    assert.deepEqual(told.map(({ Body }) => Body), ['INSERT', 'WINDOW', 'INSERT', 'WINDOW']);
  } finally {
    await close();
  }
});
