// The README's first pipeline, word for word: its weir.yaml, its commands, what it promises.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { ROOT, Weir, eventually, program } from './lib/weir.mjs';

const readme = await readFile(path.join(ROOT, 'README.md'), 'utf8');
const tutorial = readme.slice(readme.indexOf('## Your first pipeline'));
const blocks = [...tutorial.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, kind, text]) => ({ kind, text }));
const config = blocks.find(({ kind }) => kind === 'yaml').text;
const commands = blocks.filter(({ kind }) => kind === 'sh').flatMap(({ text }) => text.trim().split('\n'));

async function run(weir, line) {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain);
  assert.equal(words.shift(), 'weir');
  const { stdout } = await promisify(execFile)(program(), words, {
    cwd: weir.folder,
    env: { ...process.env, WEIR_ENDPOINT: weir.endpoint },
  });
  return stdout;
}

test('the first pipeline of the README does what it says', async () => {
  const weir = await new Weir({ config }).start();
  try {
    assert.match(await run(weir, commands.find((line) => line === 'weir check')), /^/);
    const [first, second, scan, third, query] = commands.filter((line) => / (put|scan|query) /.test(line));
    await run(weir, first);
    await run(weir, second);
    await eventually(async () => {
      const shown = await run(weir, scan);
      assert.match(shown, /o-1/);
      assert.match(shown, /o-2/);
      return true;
    });
    await run(weir, third);
    await eventually(async () => {
      const shown = await run(weir, query);
      assert.doesNotMatch(shown, /o-1/);
      assert.match(shown, /o-2/);
      return true;
    });
  } finally {
    await weir.close();
  }
});
