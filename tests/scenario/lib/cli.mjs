// The command line.

import { spawn } from 'node:child_process';
import { program } from './weir.mjs';

// Start `weir ARGS`. The environment names the endpoint, if there is one, and nothing else of this
// machine but its programs.
export function startCli(endpoint, args, { env = {}, cwd } = {}) {
  return spawn(program(), args, { cwd, env: { PATH: process.env.PATH, WEIR_ENDPOINT: endpoint ?? '', ...env } });
}

// What `weir ARGS` gives when it has ended: its exit code or signal, and its two outputs.
export function runCli(endpoint, args, { input, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = startCli(endpoint, args, options);
    let out = '';
    let err = '';
    child.stdout.on('data', (bytes) => { out += bytes; });
    child.stderr.on('data', (bytes) => { err += bytes; });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: signal ?? code, out, err }));
    child.stdin.on('error', () => {}); // it may end without reading
    child.stdin.end(input);
  });
}
