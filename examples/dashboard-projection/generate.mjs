// Writes two weeks of news into the source table with the AWS SDK, and waits for the dashboard.
//
//   node generate.mjs [--items 5000] [--seed 1] [--width 64]
//
// The endpoint is AWS_ENDPOINT_URL, or http://127.0.0.1:8000.

import { BatchWriteCommand, DeleteCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { connect, ENDPOINT, option, pages, parallel } from './clients.mjs';
import { news } from './news.mjs';
import { DASHBOARD, Fold, SOURCE } from './rules.mjs';

const BATCH = 25;

// The UpdateItem that turns one version into the next.
function updateFrom(before, after) {
  const names = {};
  const values = {};
  const set = [];
  const remove = [];
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (before[name] === after[name]) {
      continue;
    }
    names[`#${name}`] = name;
    if (after[name] === undefined) {
      remove.push(`#${name}`);
    } else {
      values[`:${name}`] = after[name];
      set.push(`#${name} = :${name}`);
    }
  }
  return new UpdateCommand({
    TableName: SOURCE,
    Key: { source_id: after.source_id, ingested_at: after.ingested_at },
    UpdateExpression: [set.length ? `SET ${set.join(', ')}` : '', remove.length ? `REMOVE ${remove.join(', ')}` : '']
      .filter(Boolean).join(' '),
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: set.length ? values : undefined,
  });
}

// A bar that redraws itself on a terminal, and says nothing elsewhere.
function progress(label, total) {
  let done = 0;
  let drawn = -1;
  return (step) => {
    done += step;
    const percent = Math.floor((100 * done) / total);
    if (process.stderr.isTTY && percent !== drawn) {
      drawn = percent;
      const filled = Math.round(percent / 2.5);
      process.stderr.write(`\r${label.padEnd(10)} [${'#'.repeat(filled)}${' '.repeat(40 - filled)}] ${percent}%`
        + (percent === 100 ? '\n' : ''));
    }
  };
}

async function writeFirst(docs, lives, width) {
  const groups = [];
  for (let at = 0; at < lives.length; at += BATCH) {
    groups.push(lives.slice(at, at + BATCH));
  }
  const advance = progress('arrivals', lives.length);
  await parallel(groups, width, async (group) => {
    let requests = { [SOURCE]: group.map(([first]) => ({ PutRequest: { Item: first } })) };
    while (Object.keys(requests).length) {
      const answer = await docs.send(new BatchWriteCommand({ RequestItems: requests }));
      requests = answer.UnprocessedItems ?? {};
    }
    advance(group.length);
  });
}

// The later versions: those of one news item one after the other, the items side by side.
async function writeRest(docs, lives, width) {
  const advance = progress('updates', lives.reduce((sum, versions) => sum + versions.length - 1, 0));
  await parallel(lives, width, async (versions) => {
    for (let at = 1; at < versions.length; at++) {
      const before = versions[at - 1];
      if (versions[at] === 'removed') {
        await docs.send(new DeleteCommand({ TableName: SOURCE,
          Key: { source_id: before.source_id, ingested_at: before.ingested_at } }));
      } else {
        await docs.send(updateFrom(before, versions[at]));
      }
      advance(1);
    }
  });
}

async function countOf(docs, day) {
  let count = 0;
  for await (const page of pages(docs, QueryCommand, {
    TableName: DASHBOARD, Select: 'COUNT', KeyConditionExpression: 'day_partition = :day',
    ExpressionAttributeValues: { ':day': day } })) {
    count += page.Count;
  }
  return count;
}

// Ask for the days that are not complete yet, until there are none.
async function caughtUp(docs, expected, limitMs = 120_000) {
  const open = new Map(expected);
  const end = performance.now() + limitMs;
  const total = [...expected.values()].reduce((sum, count) => sum + count, 0);
  const advance = progress('dashboard', total);
  while (open.size) {
    for (const [day, count] of open) {
      if (await countOf(docs, day) === count) {
        open.delete(day);
        advance(count);
      }
    }
    if (open.size && performance.now() > end) {
      throw new Error(`the dashboard did not catch up on ${[...open.keys()].join(', ')} within ${limitMs / 1000} s`);
    }
    if (open.size) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function main() {
  const count = option('items', 5000);
  const width = option('width', 64);
  const lives = news({ count, seed: option('seed', 1), until: Date.now() });
  const expected = new Fold();
  for (const versions of lives) {
    versions.filter((version) => version !== 'removed').forEach((version) => expected.change('INSERT', version, 0));
  }
  const writes = lives.reduce((sum, versions) => sum + versions.length, 0);
  const days = expected.countByDay();
  const derived = [...days.values()].reduce((sum, items) => sum + items, 0);

  console.log(`${count} news items with ${writes} writes to ${ENDPOINT}`);
  const { docs } = connect();
  const start = performance.now();
  await writeFirst(docs, lives, Math.max(1, Math.floor(width / 4)));
  await writeRest(docs, lives, width);
  const written = performance.now();
  await caughtUp(docs, days);
  const done = performance.now();

  const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
  console.log(`written            ${writes} writes in ${seconds(written - start)}, ${Math.round(writes / ((written - start) / 1000))} a second`);
  console.log(`derived            ${derived} dashboard items`);
  console.log(`dashboard complete ${seconds(done - written)} after the last write`);
}

await main();
