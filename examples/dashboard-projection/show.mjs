// Shows the dashboard as its users would ask for it: by day, by tag, by sentiment.
//
//   node show.mjs

import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { connect, pages } from './clients.mjs';
import { DAYS } from './news.mjs';
import { DASHBOARD } from './rules.mjs';

const SENTIMENTS = ['positive', 'neutral', 'negative'];
const { docs } = connect();

async function query(input) {
  const items = [];
  for await (const page of pages(docs, QueryCommand, { TableName: DASHBOARD, ...input })) {
    items.push(...page.Items);
  }
  return items;
}

// Rows of cells in columns; numbers to the right.
function table(title, head, rows) {
  const widths = head.map((name, at) => Math.max(name.length, ...rows.map((row) => String(row[at]).length)));
  const line = (row) => row.map((cell, at) => (typeof rows[0]?.[at] === 'number' || /^[\d.]+$/.test(String(rows[0]?.[at]))
    ? String(cell).padStart(widths[at]) : String(cell).padEnd(widths[at]))).join('  ').trimEnd();
  console.log(`\n${title}\n${line(head)}\n${widths.map((width) => '-'.repeat(width)).join('  ')}`);
  rows.forEach((row) => console.log(line(row)));
}

const mean = (items) => (items.reduce((sum, { score }) => sum + score, 0) / (items.length || 1)).toFixed(2);
const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

// The days up to today: the base items of a day are those without a tag.
const byDay = [];
const tags = new Set();
for (let back = DAYS; back >= 0; back--) {
  const day = new Date(Date.now() - back * 24 * 3600 * 1000).toISOString().slice(0, 10);
  const items = await query({
    KeyConditionExpression: 'day_partition = :day', FilterExpression: 'attribute_not_exists(tag)',
    ExpressionAttributeValues: { ':day': day } });
  items.forEach(({ matched_tags }) => [...matched_tags].forEach((tag) => tags.add(tag)));
  byDay.push([day, items.length, ...SENTIMENTS.map((name) => items.filter(({ sentiment }) => sentiment === name).length),
    mean(items)]);
}
const busiest = Math.max(1, ...byDay.map(([, count]) => count));
byDay.forEach((row) => row.push('#'.repeat(Math.round((30 * row[1]) / busiest))));
table('By day', ['day', 'items', ...SENTIMENTS, 'score', ''], byDay);

const byTag = [];
for (const tag of [...tags].sort()) {
  const items = await query({
    IndexName: 'by_tag', KeyConditionExpression: 'tag = :tag', ScanIndexForward: false,
    ExpressionAttributeValues: { ':tag': tag } });
  byTag.push([tag, items.length, ...SENTIMENTS.map((name) => items.filter(({ sentiment }) => sentiment === name).length),
    mean(items), cut(items[0].text_snippet, 48)]);
}
table('By tag', ['tag', 'items', ...SENTIMENTS, 'score', 'latest'], byTag.sort((a, b) => b[1] - a[1]));

for (const sentiment of SENTIMENTS) {
  const { Items } = await docs.send(new QueryCommand({
    TableName: DASHBOARD, IndexName: 'by_sentiment', KeyConditionExpression: 'sentiment = :sentiment',
    FilterExpression: 'attribute_not_exists(tag)', ScanIndexForward: false, Limit: 40,
    ExpressionAttributeValues: { ':sentiment': sentiment } }));
  table(`Latest ${sentiment}`, ['when', 'source', 'score', 'text'], Items.slice(0, 5).map((item) => [
    item.ingested_at.slice(0, 16).replace('T', ' '), item.source_id, item.sentiment_score_combined, cut(item.text_snippet, 56)]));
}
