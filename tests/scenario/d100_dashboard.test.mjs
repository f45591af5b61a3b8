// The dashboard projection, by its own weir.yaml: thousands of news items go in through the SDK, and
// the dashboard holds exactly what the rules make of them.
//
//   WEIR_DASHBOARD_ITEMS  how many (4,000)

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { after, before } from 'node:test';
import {
  BatchWriteCommand, DeleteCommand, PutCommand, QueryCommand, ScanCommand, UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { news } from '../../examples/dashboard-projection/news.mjs';
import {
  DASHBOARD, dashboardKey, differences, Fold, KEEP_SECONDS, SOURCE,
} from '../../examples/dashboard-projection/rules.mjs';
import { elsewhere, eventually, ROOT, startWeir } from './lib/weir.mjs';
import { allItems, parallel } from './lib/tables.mjs';

const COUNT = Number(process.env.WEIR_DASHBOARD_ITEMS ?? 4000);
const CATCH_UP = { timeout: 120_000, what: 'the dashboard catching up' };

// The rules applied to what this test writes; times are not compared through it.
const expected = new Fold();
let weir;
let began;

before(async () => {
  if (elsewhere) {
    return;
  }
  const example = await readFile(path.join(ROOT, 'examples/dashboard-projection/weir.yaml'), 'utf8');
  weir = await startWeir({ config: example.replace(/window: \w+/, 'window: 0s') });
  began = Math.floor(Date.now() / 1000);
});
after(() => weir?.close());

const epoch = () => Math.floor(Date.now() / 1000);

async function put(Item) {
  await weir.docs.send(new PutCommand({ TableName: SOURCE, Item }));
  expected.change('INSERT', Item, 0);
}

// The dashboard's items by key, after checking each one's time to live.
async function dashboard() {
  const found = new Map();
  for (const item of await allItems(weir.docs, ScanCommand, { TableName: DASHBOARD })) {
    assert.ok(!found.has(dashboardKey(item)), `${dashboardKey(item)} twice in one scan`);
    assert.ok(Number.isInteger(item.expires_at) && item.expires_at >= began + KEEP_SECONDS
      && item.expires_at <= epoch() + 1 + KEEP_SECONDS, `expires_at of ${dashboardKey(item)} is ${item.expires_at}`);
    found.set(dashboardKey(item), item);
  }
  return found;
}

async function dashboardSize() {
  let size = 0;
  let ExclusiveStartKey;
  do {
    const page = await weir.docs.send(new ScanCommand({ TableName: DASHBOARD, Select: 'COUNT', ExclusiveStartKey }));
    size += page.Count;
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
  return size;
}

// Once the dashboard has as many items as the rules say, it must come to be exactly theirs.
async function assertExact() {
  const wanted = expected.dashboard();
  await eventually(async () => (await dashboardSize()) === wanted.size, CATCH_UP);
  await eventually(async () => {
    const lines = differences(wanted, await dashboard(), ['expires_at']);
    assert.deepEqual(lines.slice(0, 10), [], `${lines.length} differences`);
    return true;
  }, CATCH_UP);
}

const one = (changes) => ({
  source_id: 'one', ingested_at: '2025-11-25T12:00:00.000Z', status: 'analyzed', sentiment: 'neutral', score: 0.5,
  ...changes,
});
const byItem = (item) => allItems(weir.docs, QueryCommand, {
  TableName: DASHBOARD, KeyConditionExpression: 'day_partition = :d AND begins_with(item_id, :i)',
  ExpressionAttributeValues: { ':d': item.ingested_at.slice(0, 10), ':i': `${item.ingested_at}#${item.source_id}` } });

// The same, of what the dashboard has of one item.
async function assertExactOf(item) {
  const wanted = [...expected.dashboard()].filter(([, { source_id }]) => source_id === item.source_id);
  await eventually(async () => {
    const found = (await byItem(item)).filter(({ source_id }) => source_id === item.source_id);
    const lines = differences(new Map(wanted), new Map(found.map((one) => [dashboardKey(one), one])), ['expires_at']);
    assert.deepEqual(lines, []);
    return true;
  }, CATCH_UP);
}

test(`${COUNT} items make exactly the dashboard that the rules say`, { skip: elsewhere }, async () => {
  const lives = news({ count: COUNT, seed: 100, until: Date.UTC(2025, 10, 25, 15, 30), maxTags: 5 });
  const firsts = lives.map(([first]) => first);
  const groups = Array.from({ length: Math.ceil(COUNT / 25) }, (_, at) => firsts.slice(at * 25, at * 25 + 25));
  await parallel(groups, 8, async (group) => {
    const answer = await weir.docs.send(new BatchWriteCommand({
      RequestItems: { [SOURCE]: group.map((Item) => ({ PutRequest: { Item } })) } }));
    assert.deepEqual(answer.UnprocessedItems ?? {}, {});
    group.forEach((item) => expected.change('INSERT', item, 0));
  });
  // Later versions: scored, faulty, pending again, without a tag. Those of one item in order.
  await parallel(lives, 16, async (versions) => {
    for (let at = 1; at < versions.length; at++) {
      const { source_id, ingested_at } = versions[at - 1];
      if (versions[at] === 'removed') {
        await weir.docs.send(new DeleteCommand({ TableName: SOURCE, Key: { source_id, ingested_at } }));
      } else {
        await put(versions[at]);
      }
    }
  });
  await assertExact();
});

test('a day, a tag and a sentiment are queried in order and in pages', { skip: elsewhere }, async () => {
  const all = [...expected.dashboard().values()];
  const keys = (items) => items.map(dashboardKey);
  const order = (name) => (a, b) => (a[name] < b[name] ? -1 : 1);
  for (const day of [...new Set(all.map(({ day_partition }) => day_partition))].slice(0, 3)) {
    const found = await allItems(weir.docs, QueryCommand, {
      TableName: DASHBOARD, KeyConditionExpression: 'day_partition = :d', ExpressionAttributeValues: { ':d': day }, Limit: 333 });
    assert.deepEqual(keys(found), keys(all.filter((item) => item.day_partition === day).sort(order('item_id'))));
  }
  for (const [IndexName, attribute, value] of [['by_tag', 'tag', 'latency'], ['by_tag', 'tag', 'edge'],
    ['by_sentiment', 'sentiment', 'negative']]) {
    const found = await allItems(weir.docs, QueryCommand, {
      TableName: DASHBOARD, IndexName, KeyConditionExpression: '#a = :v', ScanIndexForward: false, Limit: 250,
      ExpressionAttributeNames: { '#a': attribute }, ExpressionAttributeValues: { ':v': value } });
    const wanted = all.filter((item) => item[attribute] === value);
    assert.ok(wanted.length > 250, 'more than one page');
    assert.deepEqual(keys(found).sort(), keys(wanted).sort());
    assert.deepEqual(found.map(({ ingested_at }) => ingested_at), wanted.map(({ ingested_at }) => ingested_at).sort().reverse());
  }
});

test('a dropped tag takes its item along', { skip: elsewhere }, async () => {
  await put(one({ matched_tags: new Set(['a', 'b', 'c']) }));
  await eventually(async () => (await byItem(one())).length === 4, CATCH_UP);
  await weir.docs.send(new UpdateCommand({
    TableName: SOURCE, Key: { source_id: 'one', ingested_at: one().ingested_at }, UpdateExpression: 'DELETE matched_tags :t',
    ExpressionAttributeValues: { ':t': new Set(['b']) } }));
  expected.change('MODIFY', one({ matched_tags: new Set(['a', 'c']) }), 0);
  await eventually(async () => (await byItem(one())).length === 3, CATCH_UP);
  const items = await byItem(one());
  assert.deepEqual(items.map(({ tag }) => tag), [undefined, 'a', 'c']);
  assert.ok(items.every(({ matched_tags }) => matched_tags.size === 2), 'the others know that it is gone');
});

test('a pending version in between changes nothing, and a dropped tag in it is noticed later', { skip: elsewhere }, async () => {
  await put(one({ status: 'pending', sentiment: 'positive', matched_tags: new Set(['z']) }));
  // A marker in the same lane of records: when it has arrived, the pending version has been passed.
  await put({ ...one(), source_id: 'marker-1' });
  await assertExactOf({ ...one(), source_id: 'marker-1' });
  assert.deepEqual((await byItem(one())).map(({ sentiment }) => sentiment), ['neutral', 'neutral', 'neutral']);
  await put(one({ score: 0.25, matched_tags: new Set(['c']) }));
  await assertExactOf(one());
  assert.deepEqual((await byItem(one())).map(({ tag, sentiment_score_combined }) => [tag, sentiment_score_combined]),
    [[undefined, 'neutral#0.25'], ['c', 'neutral#0.25']]);
});

test('a REMOVE is ignored', { skip: elsewhere }, async () => {
  await weir.docs.send(new DeleteCommand({ TableName: SOURCE, Key: { source_id: 'one', ingested_at: one().ingested_at } }));
  await put({ ...one(), source_id: 'marker-2' });
  await assertExactOf({ ...one(), source_id: 'marker-2' });
  assert.equal((await byItem(one())).length, 2);
});

test('records that break the rules are passed over, and the others of their batch arrive', { skip: elsewhere }, async () => {
  const wrong = [
    { ...one(), source_id: 'no-score', score: undefined },
    { ...one(), source_id: 'no-sentiment', sentiment: undefined },
    { ...one(), source_id: 'no-time', ingested_at: 'yesterday' },
    { ...one(), source_id: 'bad-time', ingested_at: '2025-13-45T99:00:00Z' },
  ];
  const right = Array.from({ length: 20 }, (_, i) => ({ ...one(), source_id: `beside-${i}` }));
  const batch = [...right.slice(0, 10), ...wrong, ...right.slice(10)];
  await weir.docs.send(new BatchWriteCommand({
    RequestItems: { [SOURCE]: batch.map((Item) => ({ PutRequest: { Item } })) } }));
  batch.forEach((item) => expected.change('INSERT', item, 0));
  await assertExact();
});

test('optional attributes have their defaults', { skip: elsewhere }, async () => {
  await put({ ...one(), source_id: 'bare' });
  await assertExactOf({ ...one(), source_id: 'bare' });
  const [item, ...more] = await byItem({ ...one(), source_id: 'bare' });
  assert.deepEqual(more, []);
  assert.deepEqual({ ...item, expires_at: 0 }, {
    day_partition: '2025-11-25', item_id: '2025-11-25T12:00:00.000Z#bare', ingested_at: '2025-11-25T12:00:00.000Z',
    source_id: 'bare', source_type: '', sentiment: 'neutral', score: 0.5, sentiment_score_combined: 'neutral#0.50',
    matched_tags: [], text_snippet: '', source_url: '', expires_at: 0,
  });
});

test('a restart changes nothing, and the pipeline goes on', { skip: elsewhere }, async () => {
  await weir.restart();
  await put({ ...one(), source_id: 'after-restart', matched_tags: new Set(['t']) });
  await assertExact();
});
