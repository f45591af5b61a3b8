// Queues through the older generation of SDKs, by boto3 of Debian: forms and XML.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { elsewhere, startWeir } from './lib/weir.mjs';

// Debian's own Python has Debian's boto3, which still speaks the query protocol.
const python = '/usr/bin/python3';
const old = spawnSync(python, ['-c', 'import boto3, sys; sys.exit(boto3.__version__ > "1.28")']);
const skip = elsewhere || old.status !== 0 ? 'needs a weir of its own and an older boto3' : false;

test('boto3 makes queues, sends, receives, deletes and batches', { skip }, async () => {
  const weir = await startWeir();
  const script = fileURLToPath(new URL('lib/boto3_queues.py', import.meta.url));
  const child = spawn(python, [script, weir.endpoint]);
  let output = '';
  child.stdout.on('data', (bytes) => { output += bytes; });
  child.stderr.on('data', (bytes) => { output += bytes; });
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(code, 0, output);
  await weir.close();
});
