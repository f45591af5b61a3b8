// The older generation of SDKs, by boto3 of Debian.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { elsewhere, startWeir } from './lib/weir.mjs';

// Debian's own Python has Debian's boto3; another python3 may stand before it on the PATH.
const python = ['/usr/bin/python3', 'python3']
  .find((name) => spawnSync(name, ['-c', 'import boto3']).status === 0);

test('boto3 puts, updates, queries, batches and reads the stream',
  { skip: python ? false : 'no boto3 here' }, async () => {
    const weir = await startWeir();
    const script = fileURLToPath(new URL('lib/boto3_smoke.py', import.meta.url));
    const child = spawn(python, [script, weir.endpoint, ...(elsewhere ? ['--no-streams'] : [])]);
    let output = '';
    child.stdout.on('data', (bytes) => { output += bytes; });
    child.stderr.on('data', (bytes) => { output += bytes; });
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 0, output);
    await weir.close();
  });
