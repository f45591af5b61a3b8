// Two weeks of news, the same for the same seed: each news item with all the writes of its life.

const OUTLETS = [
  ['techwire', 'rss'], ['market-daily', 'rss'], ['civic-post', 'rss'], ['devforum', 'forum'],
  ['microblog', 'social'], ['vidcast', 'video'],
];
const TAGS = ['storage', 'streaming', 'latency', 'pricing', 'outage', 'security', 'hiring', 'open-source',
  'edge', 'databases'];
const OPENINGS = {
  positive: ['Users praise', 'Strong quarter for', 'Faster than ever:', 'A quiet success:'],
  neutral: ['What to know about', 'A look at', 'Notes on', 'This week in'],
  negative: ['Complaints about', 'Another setback for', 'Costs rise for', 'Hours of downtime at'],
};
const SUBJECTS = ['the new table engine', 'event pipelines', 'a regional cloud', 'the billing change',
  'on-device analytics', 'the failover drill', 'stream processing', 'a small team\'s database'];
const AUTHORS = ['R. Amsel', 'M. Okafor', 'J. Lindqvist', 'P. Varga', 'S. Ito', undefined];

export const DAYS = 14;

// Seeded numbers in [0, 1) (mulberry32).
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

// More by day than by night, fewer at weekends.
function moment(random, until) {
  for (;;) {
    const time = new Date(until - Math.floor(random() * DAYS * 24 * 3600 * 1000));
    const hour = time.getUTCHours();
    const busy = (hour >= 7 && hour < 20 ? 1 : 0.3) * (time.getUTCDay() % 6 === 0 ? 0.5 : 1);
    if (random() < busy) {
      return time;
    }
  }
}

function pick(random, list) {
  return list[Math.floor(random() * list.length)];
}

function scored(random, item) {
  const roll = random();
  const sentiment = roll < 0.42 ? 'positive' : roll < 0.73 ? 'neutral' : 'negative';
  // Three decimals, the last of them never a 5: rounding to two then has one answer everywhere.
  const thousandths = Math.floor(random() * 100) * 10 + pick(random, [0, 1, 2, 3, 4, 6, 7, 8, 9]);
  return {
    ...item,
    status: 'analyzed',
    sentiment,
    score: thousandths / 1000,
    model_version: 'sent-2.3',
    text_snippet: `${pick(random, OPENINGS[sentiment])} ${item.metadata.title}`,
  };
}

function arrival(random, number, until, tagCount) {
  const [name, source_type] = pick(random, OUTLETS);
  const ingested = moment(random, until);
  const title = pick(random, SUBJECTS);
  const tags = new Set();
  while (tags.size < tagCount) {
    tags.add(pick(random, TAGS));
  }
  return {
    source_id: `${name}:${String(number).padStart(6, '0')}`,
    ingested_at: ingested.toISOString(),
    source_type,
    ...(random() < 0.9 ? { source_url: `https://${name}.example/${number}` } : {}),
    ...(tags.size ? { matched_tags: tags } : {}),
    status: 'pending',
    metadata: {
      title,
      author: pick(random, AUTHORS),
      published_at: new Date(ingested.getTime() - 60_000 * Math.floor(random() * 600)).toISOString(),
      source_name: name,
    },
  };
}

// The versions of one news item, in order. The last of a list may be 'removed'.
function life(random, first) {
  const versions = [];
  let item = first;
  const next = (version) => {
    item = version;
    versions.push(item);
  };
  if (random() < 0.35) {
    next(item); // seen as pending before its score is there
  }
  if (random() < 0.04) {
    if (versions.length === 0) {
      next(item);
    }
    return versions; // never scored
  }
  next(scored(random, item));
  if (random() < 0.02) {
    const { score, ...broken } = item;
    next(broken); // a faulty writer: analyzed, but without a score
  }
  if (random() < 0.1) {
    next({ ...item, status: 'pending' }); // to be scored again
    next(scored(random, item));
  }
  if (random() < 0.12 && item.matched_tags?.size) {
    const tags = new Set(item.matched_tags);
    tags.delete([...tags][0]);
    const { matched_tags, ...rest } = item;
    next(tags.size ? { ...rest, matched_tags: tags } : rest); // a tag turns out wrong
  }
  if (random() < 0.05) {
    next({ ...item, status: 'pending' }); // a pending version at the end changes nothing
  }
  if (random() < 0.02) {
    versions.push('removed');
  }
  return versions;
}

// The lives of `count` news items that came in the DAYS before `until` (epoch milliseconds).
export function news({ count, seed = 1, until, maxTags = 4 }) {
  const random = seeded(seed);
  const lives = [];
  for (let number = 0; number < count; number++) {
    const item = arrival(random, number, until, Math.floor(random() * (maxTags + 1)));
    if (number % 50 === 49) {
      item.ingested_at = lives.at(-1)[0].ingested_at; // two articles in one millisecond
    }
    lives.push(life(random, item));
  }
  return lives;
}
