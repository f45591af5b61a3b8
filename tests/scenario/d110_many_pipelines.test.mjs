// Many pipelines on one table: their filters are matched together, and each gets its own records.

import assert from 'node:assert/strict';
import test from 'node:test';
import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { Weir, eventually } from './lib/weir.mjs';

const kinds = Array.from({ length: 70 }, (_, i) => `kind-${i}`); // more than one word of results
const pipeline = (kind, filter) => `
  ${kind}:
    source: { table: source, concurrency: 1 }
    filter: ${filter}
    steps:
      - put: { table: target, item: { kind: ${kind}, id: "\${new.id}" } }
`;
const config = `
tables:
  source: { key: { id: S }, stream: new_and_old_images }
  target: { key: { kind: S, id: S } }
pipelines:
${kinds.map((kind) => pipeline(kind, `{ dynamodb: { NewImage: { kind: { S: [${kind}] } } } }`)).join('')}
${pipeline('large', '{ item: { new: { size: [{ numeric: [">", 90] }] } } }')}
${pipeline('two', '[{ dynamodb: { NewImage: { kind: { S: [kind-1] } } } }, { dynamodb: { NewImage: { kind: { S: [kind-2] } } } }]')}
`;

test('each pipeline gets the records of its filter, and no others', async () => {
  const weir = await new Weir({ config }).start();
  try {
    const items = Array.from({ length: 300 }, (_, i) => ({ id: `i${i}`, kind: kinds[i % kinds.length], size: i % 100 }));
    await Promise.all(items.map((Item) => weir.docs.send(new PutCommand({ TableName: 'source', Item }))));
    const expected = items.flatMap(({ id, kind, size }) => [
      `${kind} ${id}`,
      ...(size > 90 ? [`large ${id}`] : []),
      ...(kind === 'kind-1' || kind === 'kind-2' ? [`two ${id}`] : []),
    ]).sort();
    const found = async () => (await weir.docs.send(new ScanCommand({ TableName: 'target' }))).Items
      .map(({ kind, id }) => `${kind} ${id}`).sort();
    await eventually(async () => (await found()).length >= expected.length);
    assert.deepEqual(await found(), expected);
  } finally {
    await weir.close();
  }
});
