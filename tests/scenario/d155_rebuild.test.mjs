// weir rebuild and weir replay: views are right in the end, whatever is killed on the way.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import test, { after, before } from 'node:test';
import { BatchWriteCommand, DeleteCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { runCli } from './lib/cli.mjs';
import { allItems, parallel, seeded } from './lib/tables.mjs';
import { elsewhere, eventually, startWeir } from './lib/weir.mjs';

const skip = elsewhere;
const ITEMS = 4000;

const config = (rule) => `tables:
  orders: { key: { id: S }, stream: new_and_old_images }
  view: { key: { id: S } }
  seen: { key: { id: S } }
${rule ? `pipelines:
  view:
    source: { table: orders, batch: 20 }
    steps:
      - project:
          table: view
          items: [{ id: "${rule}-\${new.id}", n: "\${new.n}" }]
  seen:
    source: { table: orders, start: latest }
    steps:
      - put: { table: seen, item: { id: "\${new.id}", n: "\${new.n}" } }
` : ''}`;

const random = seeded(20251122);
const orders = new Map(); // what was acknowledged
let weir;

before(async () => {
  if (!elsewhere) {
    weir = await startWeir({ config: config() });
  }
});
after(() => weir?.close());

const run = (...args) => runCli(weir.endpoint, args);

async function done(...args) {
  const { code, out, err } = await run(...args);
  assert.deepEqual({ code, err }, { code: 0, err: '' }, args.join(' '));
  return out;
}

async function pipeline(name) {
  return JSON.parse(await done('status', '--json')).pipelines.find((p) => p.name === name);
}

const settled = (name = 'view') => eventually(async () => (await pipeline(name)).at_end,
  { what: `${name} being at its end`, timeout: 60_000 });

async function startWith(rule) {
  await weir.stop();
  await writeFile(weir.configFile, config(rule));
  await weir.start();
}

async function change(count) {
  for (let i = 0; i < count; i++) {
    const id = `o${Math.floor(random() * ITEMS)}`;
    if (random() < 0.3) {
      await weir.docs.send(new DeleteCommand({ TableName: 'orders', Key: { id } }));
      orders.delete(id);
    } else {
      const n = Math.floor(random() * 1e6);
      await weir.docs.send(new PutCommand({ TableName: 'orders', Item: { id, n } }));
      orders.set(id, n);
    }
  }
}

async function assertView(rule) {
  const items = await allItems(weir.docs, ScanCommand, { TableName: 'view' });
  const expected = [...orders].map(([id, n]) => [`${rule}-${id}`, n]);
  assert.deepEqual(items.map(({ id, n }) => [id, n]).sort(), expected.sort());
}

test('a new view has what its table held before there was a pipeline', { skip }, async () => {
  const numbers = Array.from({ length: ITEMS }, (_, n) => n);
  await parallel(numbers.filter((n) => n % 25 === 0), 4, (first) => weir.docs.send(new BatchWriteCommand({
    RequestItems: {
      orders: Array.from({ length: 25 }, (_, i) => ({ PutRequest: { Item: { id: `o${first + i}`, n: first + i } } })),
    },
  })));
  numbers.forEach((n) => orders.set(`o${n}`, n));
  await change(100);
  await startWith('a');
  await settled();
  await assertView('a');
});

test('a changed rule is shown, and a rebuild survives kills while writes go on', { skip }, async () => {
  await startWith('b');
  assert.equal((await pipeline('view')).rebuild_needed, true);
  assert.match(await done('status'), /view: its rule has changed since its views were made: weir rebuild view/);
  assert.equal(await done('rebuild', 'view'), 'the rebuild has begun; `weir status` shows how far it is\n');
  let kills = 0;
  for (let round = 0; round < 12; round++) {
    await change(10);
    const { job } = await pipeline('view');
    if (!job) {
      break;
    }
    assert.equal(job.kind, 'rebuild');
    assert.ok(job.progress >= 0 && job.progress <= 1);
    await weir.kill();
    await weir.start();
    kills++;
  }
  assert.ok(kills > 0);
  await change(50);
  await settled();
  await assertView('b');
  const { job, rebuild_needed, errors } = await pipeline('view');
  assert.deepEqual({ job, rebuild_needed, errors }, { job: undefined, rebuild_needed: undefined, errors: 0 });
});

test('a rebuild whose rule changes on the way begins again', { skip }, async () => {
  await startWith('c');
  let job;
  for (let tries = 0; !job; tries++) { // a quick machine may be through before we look
    assert.ok(tries < 20, 'no rebuild was ever seen at work');
    await done('rebuild', 'view');
    ({ job } = await eventually(async () => {
      const { json } = await weir.request({ method: 'GET', path: '/v1/status' });
      const view = json.pipelines.find(({ name }) => name === 'view');
      return (!view.job || view.job.progress > 0.25) && view; // some of it is written down
    }, { what: 'half of the scan' }));
  }
  await weir.kill();
  await writeFile(weir.configFile, config('d'));
  await weir.start();
  await settled();
  await assertView('d');
  assert.equal((await pipeline('view')).rebuild_needed, undefined);
});

test('a rebuild is written down when it is answered, and can be waited for', { skip }, async () => {
  await done('rebuild', 'view');
  await weir.kill();
  const before = weir.output.length;
  await weir.start();
  await eventually(() => weir.output.slice(before).includes('pipeline.rebuilt pipeline=view'), { what: 'the rebuild' });
  assert.equal(await done('rebuild', 'view', '--wait'), 'the rebuild has ended\n');
  assert.equal((await pipeline('view')).job, undefined);
  const waiting = run('rebuild', 'view', '--wait');
  await eventually(async () => (await weir.request({ path: '/v1/cancel?pipeline=view' })).status === 200,
    { what: 'a rebuild under way' });
  const { code, err } = await waiting;
  assert.equal(code, 1);
  assert.match(err, /the rebuild was cancelled on the way/);
});

test('records are replayed into one pipeline', { skip }, async () => {
  await settled('seen');
  const { records } = await pipeline('view');
  assert.match(await done('replay', 'seen', '--from', '1h', '--where', '{"dynamodb":{"Keys":{"id":{"S":["o1","o2"]}}}}'),
    /the replay has begun/);
  await settled('seen');
  const items = await allItems(weir.docs, ScanCommand, { TableName: 'seen' });
  for (const id of ['o1', 'o2'].filter((wanted) => orders.has(wanted))) {
    assert.equal(items.find((item) => item.id === id)?.n, orders.get(id));
  }
  assert.equal((await pipeline('view')).records, records, 'the other pipeline is left alone');
});

test('what cannot be done is refused, with the reason', { skip }, async () => {
  for (const [args, code, message] of [
    [['rebuild', 'seen'], 1, /^weir: invalid: pipeline 'seen' has no `project` step/],
    [['rebuild', 'nope'], 1, /^weir: not_found: there is no pipeline 'nope'/],
    [['rebuild', 'view', '--cancel'], 1, /^weir: not_found: no rebuild or replay of pipeline 'view' is under way/],
    [['replay', 'seen'], 2, /^weir: something is missing: weir replay PIPELINE --from PLACE/],
    [['replay', 'seen', '--from', '1h', '--to', '2h'], 1, /^weir: invalid: from is after to/],
    [['replay', 'seen', '--from', 'x'], 2, /^weir: --from is a time as in/],
    [['replay', 'seen', '--from', '1h', '--where', '{"a":1}'], 1, /^weir: invalid: where: /],
  ]) {
    const result = await run(...args);
    assert.equal(result.code, code, args.join(' '));
    assert.match(result.err, message);
  }
});
