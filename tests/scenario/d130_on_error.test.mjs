// What a value that cannot be evaluated means is the pipeline's to say.

import assert from 'node:assert/strict';
import test from 'node:test';
import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { Weir, eventually } from './lib/weir.mjs';

const config = `
tables:
  news: { key: { id: S }, stream: new_and_old_images }
  headlines: { key: { id: S } }
pipelines:
  headlines:
    source: { table: news }
    steps:
      - put:
          table: headlines
          item:
            id: \${new.id}
            title: { $value: "\${new.title.upperAscii()}", $default: "untitled \${new.id}" }
            day: { $value: "\${timestamp(new.at).getDate()}", $on_error: skip }
            size: \${new.size}
`;

test('a default stands in, skip leaves out quietly, anything else fails', async () => {
  const weir = await new Weir({ config }).start();
  try {
    const at = '2026-11-21T00:00:00Z';
    for (const Item of [
      { id: 'whole', title: 'a', at, size: 1 },
      { id: 'no-title', at, size: 1 },
      { id: 'no-time', title: 'a', size: 1 },
      { id: 'no-size', title: 'a', at },
    ]) {
      await weir.docs.send(new PutCommand({ TableName: 'news', Item }));
    }
    const status = async () => (await weir.request({ method: 'GET', path: '/v1/status' })).json.pipelines[0];
    await eventually(async () => (await status()).records === 4);
    const { errors, filtered } = await status();
    assert.deepEqual({ errors, filtered }, { errors: 1, filtered: 1 });
    const { Items } = await weir.docs.send(new ScanCommand({ TableName: 'headlines' }));
    assert.deepEqual(Items.sort((a, b) => a.id.localeCompare(b.id)), [
      { id: 'no-title', title: 'untitled no-title', day: 21, size: 1 },
      { id: 'whole', title: 'A', day: 21, size: 1 },
    ]);
    assert.match(weir.output, /pipeline\.record_failed .*no-size/);
    assert.doesNotMatch(weir.output, /no-time/);
  } finally {
    await weir.close();
  }
});
