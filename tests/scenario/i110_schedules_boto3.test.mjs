// Schedules by boto3 of Debian, whose requests differ in their paths and dates.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { elsewhere, startWeir } from './lib/weir.mjs';

const python = '/usr/bin/python3';
const found = spawnSync(python, ['-c', 'import boto3']);
const skip = elsewhere || found.status !== 0 ? 'needs a weir of its own and boto3' : false;

test('boto3 makes, changes, lists and deletes schedules and groups', { skip }, async () => {
  const weir = await startWeir();
  const script = fileURLToPath(new URL('lib/boto3_schedules.py', import.meta.url));
  const child = spawn(python, [script, weir.endpoint]);
  let output = '';
  child.stdout.on('data', (bytes) => { output += bytes; });
  child.stderr.on('data', (bytes) => { output += bytes; });
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(code, 0, output);
  await weir.close();
});
