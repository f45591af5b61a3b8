// The projection's rules once more, in plain JavaScript: what a version of a news item stands for,
// and what is left after a sequence of changes. weir itself works by weir.yaml; this is what its
// result is checked against.

import { unmarshall } from '@aws-sdk/util-dynamodb';

export const SOURCE = 'sentiment-items-primary';
export const DASHBOARD = 'sentiment-items-dashboard';
export const KEEP_SECONDS = 7 * 24 * 3600;

const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

// Whether a version takes part: analyzed, and with all that the dashboard needs.
export function accepted(item) {
  return item.status === 'analyzed' && valid(item);
}

export function valid(item) {
  return item.source_id !== undefined && item.ingested_at !== undefined && item.sentiment !== undefined
    && item.score !== undefined && RFC3339.test(item.ingested_at) && !Number.isNaN(Date.parse(item.ingested_at));
}

// The dashboard's items for one version, committed at `now` (epoch seconds).
export function derive(item, now) {
  const tags = item.matched_tags ?? [];
  const base = {
    day_partition: item.ingested_at.slice(0, 10),
    item_id: `${item.ingested_at}#${item.source_id}`,
    ingested_at: item.ingested_at,
    source_id: item.source_id,
    source_type: item.source_type ?? '',
    sentiment: item.sentiment,
    score: item.score,
    sentiment_score_combined: `${item.sentiment}#${item.score.toFixed(2)}`,
    matched_tags: tags,
    text_snippet: item.text_snippet ?? '',
    source_url: item.source_url ?? '',
    expires_at: now + KEEP_SECONDS,
  };
  return [base, ...[...tags].map((tag) => ({ ...base, item_id: `${base.item_id}#${tag}`, tag }))];
}

export const sourceKey = (item) => `${item.source_id} ${item.ingested_at}`;
export const dashboardKey = (item) => `${item.day_partition} ${item.item_id}`;

// What changes leave behind. Feed it the changes of each news item in their order.
export class Fold {
  constructor() {
    this.produced = new Map(); // source key -> its dashboard items
  }

  change(eventName, image, now) {
    if (eventName !== 'REMOVE' && accepted(image)) {
      this.produced.set(sourceKey(image), derive(image, now));
    }
  }

  // A record as the Streams API gives it.
  record({ eventName, dynamodb }) {
    const image = dynamodb.NewImage && unmarshall(dynamodb.NewImage);
    this.change(eventName, image, Math.floor(dynamodb.ApproximateCreationDateTime.getTime() / 1000));
  }

  // The dashboard by key.
  dashboard() {
    const items = [...this.produced.values()].flat();
    return new Map(items.map((item) => [dashboardKey(item), item]));
  }

  // How many dashboard items each day has.
  countByDay() {
    const days = new Map();
    for (const items of this.produced.values()) {
      const day = items[0].day_partition;
      days.set(day, (days.get(day) ?? 0) + items.length);
    }
    return days;
  }
}

// An item as text in which equal items are equal: names sorted, sets too.
export function canonical(item) {
  return JSON.stringify(item, (_, value) => {
    if (value instanceof Set) {
      return { set: [...value].sort() };
    }
    if (value && typeof value === 'object' && !Array.isArray(value)) {
      return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
    }
    return value;
  });
}

// The differences between two maps of dashboard items, as lines; none when they are equal.
// `tolerate` names attributes that may differ.
export function differences(expected, actual, tolerate = []) {
  const plain = (item) => canonical(Object.fromEntries(
    Object.entries(item).filter(([name]) => !tolerate.includes(name))));
  const lines = [];
  for (const [key, item] of expected) {
    if (!actual.has(key)) {
      lines.push(`missing  ${key}`);
    } else if (plain(item) !== plain(actual.get(key))) {
      lines.push(`differs  ${key}\n  expected ${plain(item)}\n  found    ${plain(actual.get(key))}`);
    }
  }
  for (const key of actual.keys()) {
    if (!expected.has(key)) {
      lines.push(`too many ${key}`);
    }
  }
  return lines;
}
