// What the crash tests share: work for a weir that dies in the middle of it, and what must hold
// when it is back, whenever it died. Acknowledged is there; what was on its way is there wholly or
// not at all; what pipelines and queues make of it is neither lost nor doubled.
//
// A World is kinds of work with what is known of each:
//   Items     writes to a few items; their stream, the dashboard made of it, its dead letters
//   Jobs      a pipeline whose letters are processed again under a mended weir.yaml
//   Messages  a queue with a dead-letter queue, and a FIFO queue
// and those of crash_pipelines.mjs: Calls, Orders, Stock.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DeleteMessageBatchCommand, DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { DeleteCommand, PutCommand, QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import {
  canonical, DASHBOARD, dashboardKey, differences, Fold, SOURCE, sourceKey, valid,
} from '../../../examples/dashboard-projection/rules.mjs';
import { LIMIT_MS, Life, Stream } from './crash_life.mjs';
import { CALLS, Calls, ORDERS, Orders, STOCK, Stock } from './crash_pipelines.mjs';
import { attributesOf, receive, sqsOf } from './queues.mjs';
import { allItems, seeded } from './tables.mjs';
import { eventually, ROOT, Weir } from './weir.mjs';

const queueUrl = (weir, queue) => `${weir.endpoint}/000000000000/${queue}`;

// Take all that a queue has to give now, each message once; whether it is empty then.
async function drain(sqs, QueueUrl, take) {
  for (const end = performance.now() + LIMIT_MS; ;) {
    assert.ok(performance.now() < end, `${QueueUrl} gives messages without an end`);
    const messages = await receive(sqs, QueueUrl, { VisibilityTimeout: 600, WaitTimeSeconds: 0 });
    if (!messages.length) {
      break;
    }
    messages.forEach(take);
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl,
      Entries: messages.map(({ MessageId, ReceiptHandle }) => ({ Id: MessageId, ReceiptHandle })) }));
  }
  const counts = await attributesOf(sqs, QueueUrl);
  return counts.ApproximateNumberOfMessages === '0' && counts.ApproximateNumberOfMessagesNotVisible === '0';
}

// --- items ----------------------------------------------------------------------------------

const WRITERS = 8;
const KEYS_PER_WRITER = 10;
const TAGS = ['a', 'b', 'c', 'd', 'e'];
const LETTERS = 'dashboard-dead-letters';

// What is known of one source item: the last acknowledged version (undefined: absent), and, while a
// write is on its way, the version that it may have become.
class Known {
  constructor(key) {
    this.key = key;
    this.version = 0;
    this.acknowledged = undefined;
    this.pending = undefined; // { item } of the write on its way
  }

  next(random) {
    this.version++;
    if (random() < 0.15) {
      return { item: undefined };
    }
    const tags = TAGS.filter(() => random() < 0.4);
    return { item: {
      ...this.key,
      status: random() < 0.75 ? 'analyzed' : 'pending',
      sentiment: ['positive', 'neutral', 'negative'][Math.floor(random() * 3)],
      ...(random() < 0.05 ? {} : { score: Math.floor(random() * 100) / 100 }),
      ...(tags.length ? { matched_tags: new Set(tags) } : {}),
      version: this.version,
      text_snippet: 'x'.repeat(Math.floor(random() * 3000)),
    } };
  }
}

class Items {
  constructor(random) {
    this.random = random;
    this.known = Array.from({ length: WRITERS * KEYS_PER_WRITER }, (_, i) => new Known(
      { source_id: `source-${i}`, ingested_at: `2025-11-${String(10 + (i % 15)).padStart(2, '0')}T08:00:00.000Z` }));
    this.stream = new Stream(SOURCE);
    this.images = new Map(); // source key -> its image after the last record
    this.fold = new Fold();
    this.failed = []; // sequence numbers of records that belong to the dead letters, not checked yet
    this.records = 0;
  }

  async write(life, keys) {
    while (!life.over) {
      const known = keys[Math.floor(this.random() * keys.length)];
      known.pending = known.next(this.random);
      const { item } = known.pending;
      const answer = await life.send(life.docs, item ? new PutCommand({ TableName: SOURCE, Item: item })
        : new DeleteCommand({ TableName: SOURCE, Key: known.key }));
      if (!answer) {
        return;
      }
      known.acknowledged = item;
      known.pending = undefined;
      life.acknowledged();
    }
  }

  work(life) {
    return Array.from({ length: WRITERS }, (_, w) => this.write(life,
      this.known.slice(w * KEYS_PER_WRITER, (w + 1) * KEYS_PER_WRITER)));
  }

  // Every item must be as acknowledged, or as the one write left it that was on its way.
  async checkSource(weir) {
    const found = new Map((await allItems(weir.docs, ScanCommand, { TableName: SOURCE, ConsistentRead: true }))
      .map((item) => [sourceKey(item), item]));
    for (const one of this.known) {
      const name = sourceKey(one.key);
      const item = found.get(name);
      found.delete(name);
      const may = [one.acknowledged, ...(one.pending ? [one.pending.item] : [])];
      const at = may.findIndex((version) => canonical(version ?? null) === canonical(item ?? null));
      assert.notEqual(at, -1, `${name} is ${canonical(item ?? null)?.slice(0, 300)}, but must be one of `
        + may.map((version) => canonical(version ?? null).slice(0, 300)).join(' or '));
      one.acknowledged = may[at];
      one.pending = undefined;
    }
    assert.deepEqual([...found.keys()], [], 'items that nobody wrote');
  }

  take(record) {
    const { dynamodb, eventName } = record;
    const name = sourceKey(unmarshall(dynamodb.Keys));
    const before = dynamodb.OldImage && unmarshall(dynamodb.OldImage);
    const after = dynamodb.NewImage && unmarshall(dynamodb.NewImage);
    assert.equal(canonical(before ?? null), canonical(this.images.get(name) ?? null),
      `the old image of ${name} must be the new image of the record before`);
    assert.equal(eventName, before ? (after ? 'MODIFY' : 'REMOVE') : 'INSERT');
    this.images.set(name, after);
    this.fold.record(record);
    if (after?.status === 'analyzed' && !valid(after)) {
      this.failed.push(dynamodb.SequenceNumber);
    }
    this.records++;
  }

  // The stream tells one consistent story, which ends with the items that are there.
  async checkStream(weir) {
    for (const record of await this.stream.readOn(weir)) {
      this.take(record);
    }
    for (const one of this.known) {
      const name = sourceKey(one.key);
      assert.equal(canonical(this.images.get(name) ?? null), canonical(one.acknowledged ?? null),
        `the stream must end with the item ${name}`);
    }
  }

  async checkDashboard(weir) {
    const wanted = this.fold.dashboard();
    await eventually(async () => {
      const items = await allItems(weir.docs, ScanCommand, { TableName: DASHBOARD, ConsistentRead: true });
      const found = new Map(items.map((item) => [dashboardKey(item), item]));
      assert.equal(found.size, items.length, 'a key twice in one scan');
      const lines = differences(wanted, found);
      assert.deepEqual(lines.slice(0, 5), [], `${lines.length} differences`);
      return true;
    }, { timeout: LIMIT_MS, what: 'the dashboard' });
  }

  // One letter for each record that cannot be processed, since the last look.
  async checkLetters(weir) {
    const sqs = sqsOf(weir);
    const found = [];
    await eventually(async () => await drain(sqs, queueUrl(weir, LETTERS),
      ({ Body }) => found.push(JSON.parse(Body).sequence)) && found.length >= this.failed.length,
    { timeout: LIMIT_MS, what: 'the dead letters' });
    assert.deepEqual(found.sort(), this.failed.sort(), 'dead letters');
    this.failed = [];
  }

  async check(weir) {
    await this.checkSource(weir);
    await this.checkStream(weir);
    await this.checkDashboard(weir);
    await this.checkLetters(weir);
  }
}

// --- jobs -----------------------------------------------------------------------------------

// Records with `bad` fail until weir.yaml says otherwise. The time in what is made of a job shows
// when one is processed twice: its item would change.
const JOBS = {
  tables: `  jobs: { key: { id: S }, stream: new_image }
  jobs-done: { key: { id: S }, stream: new_image }
  jobs-letters: { key: { pipeline: S, sequence: S } }
`,
  pipelines: (mended) => `  jobs:
    source: { table: jobs, window: 0s, concurrency: 4 }
    steps:
${mended ? '' : '      - require: ["!has(new.bad)"]\n'}      - put: { table: jobs-done, item: { id: "\${new.id}", at: "\${clock()}" } }
    on_failure: { table: jobs-letters }
`,
};

class Jobs {
  constructor(random) {
    this.random = random;
    this.ordinal = 0;
    this.open = new Map(); // id -> { bad, sure }, not done when it was looked at last
    this.done = new Set();
    this.twice = []; // what was done again
    this.stream = new Stream('jobs-done');
    this.redriven = 0;
  }

  async write(life) {
    while (!life.over) {
      const id = `job-${this.ordinal++}`;
      const job = { bad: this.random() < 0.2, sure: false };
      this.open.set(id, job);
      const answer = await life.send(life.docs,
        new PutCommand({ TableName: 'jobs', Item: { id, ...(job.bad ? { bad: true } : {}) } }));
      if (!answer) {
        return;
      }
      job.sure = true;
      life.acknowledged();
    }
  }

  // All letters once more, while new jobs come.
  async redrive(life) {
    const answer = await life.weir.request({ path: '/v1/redrive?pipeline=jobs' }).catch(() => undefined);
    if (answer) {
      assert.equal(answer.status, 200, answer.text);
      this.redriven += answer.json.given;
    }
  }

  work(life) {
    return [this.write(life), this.write(life), ...(life.mended ? [this.redrive(life)] : [])];
  }

  async letters(weir) {
    const items = await allItems(weir.docs, QueryCommand, {
      TableName: 'jobs-letters', ConsistentRead: true, KeyConditionExpression: 'pipeline = :p',
      ExpressionAttributeValues: { ':p': 'jobs' } });
    const ids = items.map(({ keys }) => keys.id);
    assert.equal(new Set(ids).size, ids.length, 'two letters of one job');
    return new Set(ids);
  }

  async takeDone(weir) {
    for (const { eventName, dynamodb } of await this.stream.readOn(weir)) {
      const { id } = unmarshall(dynamodb.Keys);
      this.twice.push(...(eventName === 'INSERT' ? [] : [id]));
      this.done.add(id);
    }
  }

  // A job is done, or it is a letter, or it waits: and then it is one of the two before long.
  async check(weir) {
    const there = new Set((await allItems(weir.docs, ScanCommand, { TableName: 'jobs', ConsistentRead: true }))
      .map(({ id }) => id));
    for (const [id, job] of this.open) {
      assert.ok(there.has(id) || !job.sure, `${id} was acknowledged and is not there`);
      if (!there.has(id)) {
        this.open.delete(id);
      }
    }
    await eventually(async () => {
      const letters = await this.letters(weir); // before what is done: one may become the other
      await this.takeDone(weir);
      for (const [id, { bad }] of this.open) {
        assert.ok(letters.has(id) || this.done.has(id), `${id} is neither done nor a letter`);
        assert.ok(bad || !letters.has(id), `${id} failed`);
      }
      return true;
    }, { timeout: LIMIT_MS, what: 'the jobs' });
    assert.deepEqual(this.twice, [], 'jobs that were done twice');
    const letters = await this.letters(weir);
    for (const [id] of this.open) {
      assert.ok(letters.has(id) !== this.done.has(id), `${id} is done and a letter`);
      if (this.done.has(id)) {
        this.open.delete(id);
      }
    }
    assert.equal([...letters].every((id) => this.open.has(id)), true, 'a letter of a job that is done');
  }

  // Under the mended weir.yaml: redrive what is left, and all jobs are done.
  async finish(weir) {
    const { status, text } = await weir.request({ path: '/v1/redrive?pipeline=jobs' });
    assert.equal(status, 200, text);
    await eventually(async () => (await this.letters(weir)).size === 0, { timeout: LIMIT_MS, what: 'no letters' });
    await this.takeDone(weir);
    assert.deepEqual(this.twice, [], 'jobs that were done twice');
    assert.deepEqual([...this.open.keys()].filter((id) => !this.done.has(id)), [], 'redriven, and not done');
  }
}

// --- messages -----------------------------------------------------------------------------------

const QUEUES = `
  work: { visibility_timeout: 100ms, redrive: { queue: work-failed, after: 3 } }
  work-failed: {}
  orders.fifo: {}`;
const GROUPS = 2;

class Messages {
  constructor(random) {
    this.random = random;
    this.ordinal = 0;
    this.moved = 0; // to the dead-letter queue
    this.orders = Array.from({ length: GROUPS }, () => []); // bodies in order, by group
    this.forget();
  }

  // After a check all queues are empty.
  forget() {
    this.sent = new Map(); // body -> whether that was acknowledged
    this.deleted = new Map(); // body -> whether that was acknowledged
    this.orders.forEach((group) => group.splice(0));
    this.unsureOrders = [];
  }

  async send(life) {
    while (!life.over) {
      const body = `message-${this.ordinal++}`;
      this.sent.set(body, false);
      if (!await life.send(life.sqs, new SendMessageCommand({ QueueUrl: life.url('work'), MessageBody: body }))) {
        return;
      }
      this.sent.set(body, true);
      life.acknowledged();
    }
  }

  // Delete some of what comes; some is left to come back, and some comes back at once, so that it
  // goes to the dead-letter queue soon.
  async consume(life) {
    while (!life.over) {
      const peek = this.random() < 0.5;
      const answer = await life.send(life.sqs, new ReceiveMessageCommand({ QueueUrl: life.url('work'),
        MaxNumberOfMessages: 3, WaitTimeSeconds: 1, ...(peek ? { VisibilityTimeout: 0 } : {}) }));
      for (const { Body, ReceiptHandle } of answer?.Messages ?? []) {
        assert.notEqual(this.deleted.get(Body), true, `${Body} was deleted, and is back`);
        if (!peek && this.random() < 0.6) {
          // Nobody else receives, so the receipt is the last one and this deletes.
          this.deleted.set(Body, false);
          const done = await life.send(life.sqs, new DeleteMessageCommand({ QueueUrl: life.url('work'), ReceiptHandle }));
          this.deleted.set(Body, Boolean(done));
        }
      }
    }
  }

  order(weir, body, group) {
    return new SendMessageCommand({ QueueUrl: queueUrl(weir, 'orders.fifo'), MessageBody: body, MessageGroupId: `group-${group}`,
      MessageDeduplicationId: body });
  }

  async sendOrders(life, group) {
    while (!life.over) {
      const body = `order-${this.ordinal++}`;
      this.orders[group].push(body);
      if (!await life.send(life.sqs, this.order(life.weir, body, group))) {
        this.unsureOrders.push([body, group]);
        return;
      }
      life.acknowledged();
    }
  }

  work(life) {
    return [this.send(life), this.consume(life), ...this.orders.map((_, group) => this.sendOrders(life, group))];
  }

  async checkWork(weir, sqs) {
    const found = [];
    const take = (message) => found.push(message);
    // What is hidden now may come back, or move to the other queue.
    await eventually(async () => await drain(sqs, queueUrl(weir, 'work'), take)
      && drain(sqs, queueUrl(weir, 'work-failed'), take), { timeout: LIMIT_MS, what: 'empty queues' });
    const seen = new Set();
    for (const { Body, Attributes } of found) {
      assert.ok(this.sent.has(Body), `${Body} was never sent`);
      assert.ok(!seen.has(Body), `${Body} is there twice`);
      assert.notEqual(this.deleted.get(Body), true, `${Body} was deleted, and is back`);
      seen.add(Body);
      this.moved += Attributes.DeadLetterQueueSourceArn ? 1 : 0;
    }
    for (const [body, sure] of this.sent) {
      assert.ok(seen.has(body) || !sure || this.deleted.has(body), `${body} was acknowledged and is not there`);
    }
  }

  // Sending again what was not acknowledged makes it certain, and doubles nothing.
  async checkOrders(weir, sqs) {
    for (const [body, group] of this.unsureOrders) {
      await sqs.send(this.order(weir, body, group));
    }
    const found = this.orders.map(() => []);
    await eventually(() => drain(sqs, queueUrl(weir, 'orders.fifo'),
      ({ Body, Attributes }) => found[Number(Attributes.MessageGroupId.split('-')[1])].push(Body)),
    { timeout: LIMIT_MS, what: 'an empty FIFO queue' });
    assert.deepEqual(found, this.orders, 'orders, in order');
  }

  async check(weir) {
    const sqs = sqsOf(weir);
    await this.checkWork(weir, sqs);
    await this.checkOrders(weir, sqs);
    this.forget();
  }
}

// --- all of it --------------------------------------------------------------------------------

export class World {
  constructor(seed) {
    this.random = seeded(seed);
    this.items = new Items(this.random);
    this.jobs = new Jobs(this.random);
    this.messages = new Messages(this.random);
    this.calls = new Calls(this.random);
    this.orders = new Orders(this.random);
    this.stock = new Stock(this.random);
    this.parts = [this.items, this.jobs, this.messages, this.calls, this.orders, this.stock];
    this.mended = false;
    this.weir = new Weir({ config: this.config() });
  }

  below(n) {
    return Math.floor(this.random() * n);
  }

  // Little memory, so that the state is flushed often.
  config() {
    return `${readFileSync(path.join(ROOT, 'examples/dashboard-projection/weir.yaml'), 'utf8')
      .replace(/window: \w+/, 'window: 0s')
      .replace('tables:\n', `tables:\n${JOBS.tables}${CALLS.tables}${ORDERS.tables}${STOCK.tables}`)
      .replace('queues:', `queues:${QUEUES}`)
      .replace('pipelines:\n', `pipelines:\n${JOBS.pipelines(this.mended)}${CALLS.pipelines}${ORDERS.pipelines(this.mended)}${STOCK.pipelines(this.mended)}`)}
${this.calls.functions()}server: { memory: 16MiB }
`;
  }

  // Start; now and then with the other weir.yaml, under which all jobs can be done.
  async start(mended = this.random() < 0.4) {
    this.mended = mended;
    if (this.weir.configFile) {
      await writeFile(this.weir.configFile, this.config());
    } else {
      this.weir.config = this.config();
    }
    await this.weir.start();
  }

  // Work until so many writes are acknowledged, then call `end`, and go on until `over` or until the
  // process dies; gives whether it did.
  async load(writes, end) {
    const life = new Life(this.weir, writes, end);
    life.mended = this.mended;
    await Promise.all(this.parts.flatMap((part) => part.work(life)));
    return life.died;
  }

  // Work, and be killed in the middle of it.
  async loadAndKill(writes) {
    let killed;
    await this.load(writes, () => {
      killed = this.weir.kill();
    });
    await killed;
  }

  // What must hold for a weir that is back.
  async check(what) {
    try {
      for (const part of this.parts) {
        await part.check(this.weir, this.mended);
      }
    } catch (error) {
      error.message = `${what}, data in ${this.weir.data}: ${error.message}${await this.weir.epitaph()}`;
      throw error;
    }
  }

  // Once more, in the end: under the mended weir.yaml everything can be finished.
  async finish(what) {
    await this.start(true);
    await this.check(what);
    await this.jobs.finish(this.weir);
    await this.orders.finish(this.weir);
    await this.weir.close();
    this.calls.close();
  }

  summary() {
    return `${this.items.records} records, ${this.items.fold.dashboard().size} dashboard items, `
      + `${this.jobs.ordinal} jobs, ${this.jobs.redriven} letters redriven, ${this.messages.ordinal} messages, `
      + `${this.messages.moved} of them moved, ${this.calls.summary()}, ${this.orders.summary()}, ${this.stock.summary()}`;
  }
}
