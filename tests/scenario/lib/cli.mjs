// The command line, run to its end.

import { spawn } from 'node:child_process';
import { program } from './weir.mjs';

// What `weir ARGS` gives: its exit code or signal, and its two outputs. The environment names the
// endpoint and nothing else of this machine but its programs.
export function runCli(endpoint, args, { env = {}, input } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program(), args, { env: { PATH: process.env.PATH, WEIR_ENDPOINT: endpoint, ...env } });
    let out = '';
    let err = '';
    child.stdout.on('data', (bytes) => { out += bytes; });
    child.stderr.on('data', (bytes) => { err += bytes; });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: signal ?? code, out, err }));
    child.stdin.end(input);
  });
}
