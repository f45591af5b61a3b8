// More work for the crash tests (crash.mjs): pipelines whose batches fail, are tried again, halved
// and given up; that park what is behind a failed record; whose views are made anew; that put
// events off.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DeleteCommand, PutCommand, QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { LIMIT_MS, Stream } from './crash_life.mjs';
import { HANDLERS } from './functions.mjs';
import { allItems } from './tables.mjs';
import { eventually } from './weir.mjs';

const everything = (weir, TableName) => allItems(weir.docs, ScanCommand, { TableName, ConsistentRead: true });

const lettersOf = (docs, TableName, pipeline) => allItems(docs, QueryCommand, { TableName, ConsistentRead: true,
  KeyConditionExpression: 'pipeline = :p', ExpressionAttributeValues: { ':p': pipeline } });

async function pipelineOf(weir, wanted) {
  const { json } = await weir.request({ method: 'GET', path: '/v1/status' });
  return json.pipelines.find(({ name }) => name === wanted);
}

// --- calls -------------------------------------------------------------------------------------

// A function that fails: with poison always, with what is flaky once in each of its processes.
export const CALLS = {
  tables: `  calls: { key: { id: S }, stream: new_image }
  calls-done: { key: { id: S }, stream: new_image }
  calls-letters: { key: { pipeline: S, sequence: S } }
`,
  pipelines: `  calls:
    source: { table: calls, batch: 8, window: 20ms, concurrency: 2 }
    steps:
      - invoke: { function: unsteady, report_failures: true }
      - put: { table: calls-done, item: { id: "\${new.id}", at: "\${clock()}" } }
    retry: { retries: 2, backoff: [5ms] }
    on_failure: { table: calls-letters }
`,
};

export class Calls {
  constructor(random) {
    this.random = random;
    this.ordinal = 0;
    this.open = new Map(); // id -> { kind, sure }, not seen in the end yet
    this.ended = new Set(); // done or a letter: never asked about again
    this.last = new Map(); // id -> when the function was asked about it last
    this.read = 0; // characters of the file
    this.folder = mkdtempSync(path.join(os.tmpdir(), 'weir-calls-'));
    this.stream = new Stream('calls-done');
    this.letters = 0;
  }

  get file() {
    return path.join(this.folder, 'calls');
  }

  functions() {
    return `functions:
  unsteady: { runtime: node, handler: stream.unsteady, dir: "${HANDLERS}", timeout: 30s, env: { CALLS: "${this.file}" } }
`;
  }

  kind() {
    const chance = this.random();
    return chance < 0.08 ? 'throws' : chance < 0.14 ? 'reported' : chance < 0.2 ? 'flaky' : 'plain';
  }

  async write(life) {
    while (!life.over) {
      const id = `call-${this.ordinal++}`;
      const call = { kind: this.kind(), sure: false };
      const poison = ['throws', 'reported'].includes(call.kind);
      this.open.set(id, call);
      const answer = await life.send(life.docs, new PutCommand({ TableName: 'calls',
        Item: { id, ...(poison && { poison: call.kind }), ...(call.kind === 'flaky' && { flaky: true }) } }));
      if (!answer) {
        return;
      }
      call.sure = true;
      life.acknowledged();
    }
  }

  work(life) {
    return [this.write(life), this.write(life), this.write(life)];
  }

  // What the function was asked since the last look.
  takeCalls() {
    const text = existsSync(this.file) ? readFileSync(this.file, 'utf8') : '';
    const whole = text.slice(this.read, text.lastIndexOf('\n') + 1);
    this.read += whole.length;
    for (const line of whole.split('\n').filter(Boolean)) {
      const { ids, at } = JSON.parse(line);
      for (const id of ids) {
        assert.ok(!this.ended.has(id), `the function was asked about ${id}, whose batch had been committed`);
        this.last.set(id, at);
      }
    }
  }

  async look(weir, done) {
    const letters = (await lettersOf(weir.docs, 'calls-letters', 'calls')).map(({ keys }) => keys.id);
    assert.equal(new Set(letters).size, letters.length, 'two letters of one record');
    this.letters = letters.length;
    for (const { eventName, dynamodb } of await this.stream.readOn(weir)) {
      const { id, at } = unmarshall(dynamodb.NewImage);
      assert.equal(eventName, 'INSERT', `${id} was done twice`);
      done.set(id, Date.parse(at));
    }
    return new Set(letters);
  }

  assertEnd(id, kind, done, letters) {
    assert.ok(done.has(id) !== letters.has(id), `${id} is ${done.has(id) ? 'done and a letter' : 'lost'}`);
    assert.ok(this.last.has(id), `the function was never asked about ${id}`);
    assert.ok(kind !== 'plain' || done.has(id), `${id} is a letter`);
    assert.ok(kind === 'plain' || kind === 'flaky' || letters.has(id), `${id} is poison, and done`);
    assert.ok(!done.has(id) || this.last.get(id) <= done.get(id), `the function was asked about ${id} again`);
  }

  async check(weir) {
    const there = new Set((await everything(weir, 'calls')).map(({ id }) => id));
    for (const [id, { sure }] of this.open) {
      assert.ok(there.has(id) || !sure, `${id} was acknowledged and is not there`);
      if (!there.has(id)) {
        this.open.delete(id);
      }
    }
    const done = new Map();
    const letters = await eventually(async () => {
      const found = await this.look(weir, done);
      const left = [...this.open.keys()].filter((id) => !done.has(id) && !found.has(id));
      assert.deepEqual(left.slice(0, 5), [], `${left.length} calls are neither done nor letters`);
      return found;
    }, { timeout: LIMIT_MS, what: 'the calls' });
    this.takeCalls();
    for (const [id, { kind }] of this.open) {
      this.assertEnd(id, kind, done, letters);
      this.ended.add(id);
      this.last.delete(id);
    }
    this.open.clear();
  }

  close() {
    rmSync(this.folder, { recursive: true });
  }

  summary() {
    return `${this.ordinal} calls, ${this.letters} of them letters`;
  }
}

// --- orders ------------------------------------------------------------------------------------

// What is behind a failed record is parked, until its letter is skipped, or redriven under the
// mended weir.yaml. The stream of `orders-made` tells what was made, that of `orders-last` the order
// (records of one transaction may be one change there).
export const ORDERS = {
  tables: `  orders: { key: { id: S }, stream: new_image }
  orders-made: { key: { id: S, n: N }, stream: new_image }
  orders-last: { key: { id: S }, stream: new_image }
  orders-letters: { key: { pipeline: S, sequence: S } }
`,
  pipelines: (mended) => `  orders:
    source: { table: orders, batch: 10, window: 0s, concurrency: 2 }
    steps:
${mended ? '' : '      - require: ["!has(new.bad)"]\n'}      - { id: made, put: { table: orders-made, item: { id: "\${new.id}", n: "\${new.n}", at: "\${clock()}" } } }
      - { id: last, put: { table: orders-last, item: { id: "\${new.id}", n: "\${new.n}", at: "\${clock()}" } } }
    on_failure: { table: orders-letters }
    quarantine: key
`,
};

const ORDER_KEYS = 6;
const WRITES_BETWEEN = 4; // redrives, skips, rebuilds

export class Orders {
  constructor(random) {
    this.random = random;
    this.keys = Array.from({ length: ORDER_KEYS }, (_, i) => (
      { id: `order-${i}`, n: 0, there: [], acknowledged: 0, skipped: new Set(), made: new Set(), last: 0 }));
    this.made = new Stream('orders-made');
    this.last = new Stream('orders-last');
    this.writes = 0;
    this.skips = 0;
    this.redriven = 0;
  }

  async mend(life) {
    const answer = await life.admin('/v1/redrive?pipeline=orders');
    if (answer) {
      assert.equal(answer.status, 200, answer.text);
      this.redriven += answer.json.given;
    }
  }

  async skip(life) {
    const answer = await life.send(life.docs, new QueryCommand({ TableName: 'orders-letters', Limit: 1,
      ConsistentRead: true, KeyConditionExpression: 'pipeline = :p', ExpressionAttributeValues: { ':p': 'orders' } }));
    const letter = answer?.Items[0];
    if (letter) {
      this.keys.find(({ id }) => id === letter.keys.id).skipped.add(numberOf(letter));
      const skipped = await life.admin(`/v1/dead-letters/remove?pipeline=orders&sequence=${letter.sequence}`);
      assert.ok(!skipped || skipped.status === 200, skipped?.text);
      this.skips++;
    }
  }

  async write(life) {
    while (!life.over) {
      const key = this.keys[Math.floor(this.random() * ORDER_KEYS)];
      const n = ++key.n;
      const bad = this.random() < 0.25;
      key.there.push(n);
      if (!await life.send(life.docs, new PutCommand({ TableName: 'orders', Item: { id: key.id, n, ...(bad && { bad }) } }))) {
        return;
      }
      key.acknowledged = n;
      life.acknowledged();
      if (++this.writes % WRITES_BETWEEN === 0) {
        await (life.mended ? this.mend(life) : this.skip(life));
      }
    }
  }

  work(life) {
    return [this.write(life)];
  }

  // The last write of a life may be there or not.
  async resolve(weir) {
    const now = new Map((await everything(weir, 'orders')).map(({ id, n }) => [id, n]));
    for (const key of this.keys) {
      const last = now.get(key.id) ?? 0;
      assert.ok(last >= key.acknowledged, `${key.id} is ${last}, and ${key.acknowledged} was acknowledged`);
      key.there = key.there.filter((n) => n <= last);
      key.acknowledged = last;
    }
  }

  async look(weir) {
    const letters = await lettersOf(weir.docs, 'orders-letters', 'orders');
    const first = new Map(letters.map((letter) => [letter.keys.id, numberOf(letter)]));
    assert.equal(first.size, letters.length, 'a letter of a record that must wait');
    for (const { eventName, dynamodb } of await this.made.readOn(weir)) {
      const { id, n } = unmarshall(dynamodb.NewImage);
      assert.equal(eventName, 'INSERT', `${id}, ${n} was made twice`);
      this.keys.find((key) => key.id === id).made.add(n);
    }
    for (const { dynamodb } of await this.last.readOn(weir)) {
      const { id, n } = unmarshall(dynamodb.NewImage);
      const key = this.keys.find((one) => one.id === id);
      assert.ok(n > key.last, `${id}: ${n} was made after ${key.last}`);
      key.last = n;
    }
    return first;
  }

  async check(weir) {
    await this.resolve(weir);
    await eventually(async () => {
      const letters = await this.look(weir);
      for (const { id, there, skipped, made } of this.keys) {
        const wanted = there.filter((n) => n < (letters.get(id) ?? Infinity));
        const lost = wanted.filter((n) => !made.has(n) && !skipped.has(n));
        assert.deepEqual(lost, [], `${id}: lost, with a letter of ${letters.get(id)}`);
        assert.deepEqual([...made].filter((n) => !wanted.includes(n)), [], `${id}: made before its turn`);
      }
      return true;
    }, { timeout: LIMIT_MS, what: 'the orders' });
  }

  // Under the mended weir.yaml: nothing fails, nothing is parked.
  async finish(weir) {
    const { status, text } = await weir.request({ path: '/v1/redrive?pipeline=orders' });
    assert.equal(status, 200, text);
    await eventually(async () => (await this.look(weir)).size === 0, { timeout: LIMIT_MS, what: 'no letters of orders' });
    await this.check(weir);
    await eventually(async () => ((await pipelineOf(weir, 'orders')).quarantine?.records ?? 0) === 0,
      { timeout: LIMIT_MS, what: 'nothing parked' });
  }

  summary() {
    return `${this.keys.reduce((sum, { n }) => sum + n, 0)} orders, ${this.skips} letters skipped, ${this.redriven} redriven`;
  }
}

const numberOf = ({ payload }) => unmarshall(JSON.parse(payload).Records[0].dynamodb.NewImage).n;

// --- stock -------------------------------------------------------------------------------------

// Three readers of a table: a view whose rule changes with weir.yaml and that is rebuilt, copies
// that are replayed, and what has been quiet for a while.
const PRESENT = 'filter: { eventName: [INSERT, MODIFY] }';

export const STOCK = {
  tables: `  stock: { key: { id: S }, stream: new_and_old_images }
  stock-view: { key: { id: S } }
  stock-copies: { key: { id: S } }
  stock-quiet: { key: { id: S } }
`,
  pipelines: (mended) => `  stock-view:
    source: { table: stock, batch: 5, window: 0s }
    steps:
      - project: { table: stock-view, items: [{ id: "${ruleOf(mended)}-\${new.id}", n: "\${new.n}" }] }
  stock-copies:
    source: { table: stock, window: 0s }
    ${PRESENT}
    steps:
      - put: { table: stock-copies, item: { id: "\${new.id}", n: "\${new.n}" } }
  stock-quiet:
    source: { table: stock, window: 0s }
    ${PRESENT}
    steps:
      - debounce: { period: 30ms, key: "new.id" }
      - put: { table: stock-quiet, item: { id: "\${new.id}", n: "\${new.n}" } }
`,
};

function ruleOf(mended) {
  return mended ? 'mended' : 'first';
}

const STOCK_KEYS = 60;
const REPLAYED_MS = 3000;

export class Stock {
  constructor(random) {
    this.random = random;
    this.n = 0;
    this.known = Array.from({ length: STOCK_KEYS }, (_, i) => ({ id: `stock-${i}`, now: undefined, may: [] }));
    this.writes = 0;
    this.jobs = 0;
  }

  async beginJob(life) {
    const from = new Date(Date.now() - REPLAYED_MS).toISOString();
    const answer = await life.admin(this.writes % (2 * WRITES_BETWEEN) === 0
      ? `/v1/rebuild?pipeline=stock-view${this.random() < 0.5 ? '&prune=true' : ''}`
      : `/v1/replay?pipeline=stock-copies&from=${from}`);
    if (answer) {
      assert.ok(answer.status === 200 || /is under way/.test(answer.text), answer.text);
      this.jobs += answer.status === 200 ? 1 : 0;
    }
  }

  async write(life) {
    while (!life.over) {
      const one = this.known[Math.floor(this.random() * STOCK_KEYS)];
      const n = this.random() < 0.2 ? undefined : ++this.n;
      one.may = [n];
      const answer = await life.send(life.docs, n ? new PutCommand({ TableName: 'stock', Item: { id: one.id, n } })
        : new DeleteCommand({ TableName: 'stock', Key: { id: one.id } }));
      if (!answer) {
        return;
      }
      one.now = n;
      one.may = [];
      life.acknowledged();
      if (++this.writes % WRITES_BETWEEN === 0) {
        await this.beginJob(life);
      }
    }
  }

  work(life) {
    return [this.write(life)];
  }

  async resolve(weir) {
    const found = new Map((await everything(weir, 'stock')).map(({ id, n }) => [id, n]));
    for (const one of this.known) {
      const n = found.get(one.id);
      assert.ok([one.now, ...one.may].includes(n), `${one.id} is ${n}, and not ${one.now} or ${one.may}`);
      one.now = n;
      one.may = [];
    }
    return [...found].sort();
  }

  // Whether the view is made by the rule of now; if nobody does that yet, begin.
  async rebuilt(weir) {
    const { job, rebuild_needed: needed } = await pipelineOf(weir, 'stock-view');
    if (needed && !job) {
      const { status, text } = await weir.request({ path: '/v1/rebuild?pipeline=stock-view' });
      assert.equal(status, 200, text);
    }
    return !needed && !job;
  }

  async check(weir, mended) {
    const stock = await this.resolve(weir);
    await eventually(() => this.rebuilt(weir), { timeout: LIMIT_MS, what: 'the rebuild' });
    await eventually(async () => {
      const view = (await everything(weir, 'stock-view')).map(({ id, n }) => [id, n]).sort();
      assert.deepEqual(view, stock.map(([id, n]) => [`${ruleOf(mended)}-${id}`, n]), 'the view');
      for (const table of ['stock-copies', 'stock-quiet']) {
        const made = new Map((await everything(weir, table)).map(({ id, n }) => [id, n]));
        assert.deepEqual(stock.map(([id]) => [id, made.get(id)]), stock, table);
      }
      return true;
    }, { timeout: LIMIT_MS, what: 'what is made of the stock' });
  }

  summary() {
    return `${this.n} changes of the stock, ${this.jobs} rebuilds and replays`;
  }
}
