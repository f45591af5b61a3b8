// Kill -9 at random moments under concurrent writes. After every restart each acknowledged write is
// there, an unacknowledged one is wholly there or not at all, the stream tells one consistent story,
// and the dashboard is what that story makes it: nothing lost, nothing doubled.
//
//   WEIR_CRASH_RUNS  how many kills (20)
//   WEIR_SEED        repeats a run's choices, though not its timing

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, DynamoDBDocumentClient, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import {
  canonical, DASHBOARD, dashboardKey, differences, Fold, SOURCE, sourceKey,
} from '../../examples/dashboard-projection/rules.mjs';
import { elsewhere, eventually, ROOT, Weir } from './lib/weir.mjs';
import { allItems, iteratorOf, recordsFrom, seeded, shardsOf } from './lib/tables.mjs';

const RUNS = Number(process.env.WEIR_CRASH_RUNS ?? 20);
const SEED = Number(process.env.WEIR_SEED ?? 20251125);
const WRITERS = 8;
const KEYS_PER_WRITER = 10;
const TAGS = ['a', 'b', 'c', 'd', 'e'];

const random = seeded(SEED);
const below = (n) => Math.floor(random() * n);

// What is known of one source item: the last acknowledged version (undefined: absent), and, while a
// write is on its way, the version that it may have become.
class Known {
  constructor(key) {
    this.key = key;
    this.version = 0;
    this.acknowledged = undefined;
    this.pending = undefined; // { item } of the write on its way
  }

  next() {
    this.version++;
    if (random() < 0.15) {
      return { item: undefined };
    }
    const tags = TAGS.filter(() => random() < 0.4);
    return { item: {
      ...this.key,
      status: random() < 0.75 ? 'analyzed' : 'pending',
      sentiment: ['positive', 'neutral', 'negative'][below(3)],
      ...(random() < 0.05 ? {} : { score: below(100) / 100 }),
      ...(tags.length ? { matched_tags: new Set(tags) } : {}),
      version: this.version,
      text_snippet: 'x'.repeat(below(3000)),
    } };
  }
}

// Write to its keys, one write at a time, until the connection breaks.
async function writer(docs, keys, acknowledged) {
  for (;;) {
    const known = keys[below(keys.length)];
    known.pending = known.next();
    const { item } = known.pending;
    try {
      await docs.send(item ? new PutCommand({ TableName: SOURCE, Item: item })
        : new DeleteCommand({ TableName: SOURCE, Key: known.key }));
    } catch (error) {
      if (error.$metadata?.httpStatusCode) {
        throw error; // an answer that is no success: nothing here may fail so
      }
      return; // killed: this write may or may not have happened
    }
    known.acknowledged = item;
    known.pending = undefined;
    acknowledged();
  }
}

// Write until a number of writes is acknowledged, then kill in the middle of the others.
async function writeAndKill(weir, known, writes) {
  const docs = DynamoDBDocumentClient.from(weir.client(DynamoDBClient));
  let left = writes;
  let killed;
  const acknowledged = () => {
    left--;
    if (left === 0) {
      killed = weir.kill();
    }
  };
  const shares = Array.from({ length: WRITERS },
    (_, w) => known.slice(w * KEYS_PER_WRITER, (w + 1) * KEYS_PER_WRITER));
  await Promise.all(shares.map((keys) => writer(docs, keys, acknowledged)));
  await killed;
}

// Every source item must be as acknowledged, or as the one write left it that was on its way.
async function checkSource(weir, known) {
  const found = new Map((await allItems(weir.docs, ScanCommand, { TableName: SOURCE, ConsistentRead: true }))
    .map((item) => [sourceKey(item), item]));
  for (const one of known) {
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

// Reads on in the stream where it stopped the last time, and holds the story against itself.
class Story {
  constructor(arn) {
    this.arn = arn;
    this.positions = new Map(); // shard -> sequence number of the last record seen
    this.images = new Map(); // source key -> its image after the last record
    this.fold = new Fold();
    this.eventIds = new Set();
    this.records = 0;
  }

  async readOn(weir) {
    for (const { ShardId } of await shardsOf(weir.streams, this.arn)) {
      const last = this.positions.get(ShardId);
      const iterator = last ? await iteratorOf(weir.streams, this.arn, ShardId, 'AFTER_SEQUENCE_NUMBER', last)
        : await iteratorOf(weir.streams, this.arn, ShardId, 'TRIM_HORIZON');
      for (const record of await recordsFrom(weir.streams, iterator)) {
        this.take(ShardId, record);
      }
    }
  }

  take(shard, record) {
    const { dynamodb, eventName, eventID } = record;
    const number = dynamodb.SequenceNumber;
    const last = this.positions.get(shard);
    assert.ok(last === undefined || BigInt(number) > BigInt(last), 'sequence numbers go on after a crash');
    this.positions.set(shard, number);
    assert.ok(!this.eventIds.has(eventID), `record ${eventID} twice`);
    this.eventIds.add(eventID);
    const name = sourceKey(unmarshall(dynamodb.Keys));
    const before = dynamodb.OldImage && unmarshall(dynamodb.OldImage);
    const after = dynamodb.NewImage && unmarshall(dynamodb.NewImage);
    assert.equal(canonical(before ?? null), canonical(this.images.get(name) ?? null),
      `the old image of ${name} must be the new image of the record before`);
    assert.equal(eventName, before ? (after ? 'MODIFY' : 'REMOVE') : 'INSERT');
    this.images.set(name, after);
    this.fold.record(record);
    this.records++;
  }

  // The story must end with the items that are there.
  check(known) {
    for (const one of known) {
      const name = sourceKey(one.key);
      assert.equal(canonical(this.images.get(name) ?? null), canonical(one.acknowledged ?? null),
        `the stream must end with the item ${name}`);
    }
  }
}

async function checkDashboard(weir, story) {
  const wanted = story.fold.dashboard();
  await eventually(async () => {
    const items = await allItems(weir.docs, ScanCommand, { TableName: DASHBOARD, ConsistentRead: true });
    const found = new Map(items.map((item) => [dashboardKey(item), item]));
    assert.equal(found.size, items.length, 'a key twice in one scan');
    const lines = differences(wanted, found);
    assert.deepEqual(lines.slice(0, 5), [], `${lines.length} differences`);
    return true;
  }, { timeout: 60_000, what: 'the dashboard' });
}

test(`${RUNS} kills lose nothing and double nothing (seed ${SEED})`, { skip: elsewhere }, async (t) => {
  const example = await readFile(path.join(ROOT, 'examples/dashboard-projection/weir.yaml'), 'utf8');
  const weir = await new Weir({ config: example.replace(/window: \w+/, 'window: 0s') }).start();
  const known = Array.from({ length: WRITERS * KEYS_PER_WRITER }, (_, i) => new Known(
    { source_id: `source-${i}`, ingested_at: `2025-11-${String(10 + (i % 15)).padStart(2, '0')}T08:00:00.000Z` }));
  const { Table } = await weir.db.send(new DescribeTableCommand({ TableName: SOURCE }));
  const story = new Story(Table.LatestStreamArn);
  let writes = 0;
  for (let run = 1; run <= RUNS; run++) {
    // Mostly soon, now and then late: a crash right after a start is as good as any.
    const count = 1 + below(random() < 0.3 ? 10 : 400);
    writes += count;
    await writeAndKill(weir, known, count);
    await weir.start();
    if (random() < 0.2) {
      await weir.kill(); // while it recovers its pipelines
      await weir.start();
    }
    try {
      await checkSource(weir, known);
      await story.readOn(weir);
      story.check(known);
      await checkDashboard(weir, story);
    } catch (error) {
      error.message = `run ${run}, seed ${SEED}, data in ${weir.data}: ${error.message}`;
      throw error;
    }
  }
  t.diagnostic(`${writes} acknowledged writes, ${story.records} records, ${story.fold.dashboard().size} dashboard items`);
  await weir.close();
});
