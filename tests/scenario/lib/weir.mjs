// Starts the real program for the scenario tests, and talks to it with unmodified AWS clients.
//
//   WEIR_BIN       the program; else the one of build/asan, else build/weir
//   WEIR_ENDPOINT  run the tests against this endpoint instead and start nothing: to compare with
//                  another DynamoDB. Tests that need a configuration or a restart are skipped.
//   WEIR_KEEP      keep the data folders
//
// Nothing here waits by the clock: a start ends with the line that names the port, a stop with the
// process's exit.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const elsewhere = process.env.WEIR_ENDPOINT;

const START_LIMIT_MS = 60_000;
const EPITAPH_LIMIT_MS = 2_000;
const STOP_LIMIT_MS = 60_000;
const SANITIZER = /ERROR: (Address|Leak|Memory)Sanitizer|WARNING: ThreadSanitizer|runtime error: /;

const running = new Map(); // processes, and whose they are
process.on('exit', () => [...running.keys()].forEach((child) => child.kill('SIGKILL')));

// So run_tests.py ends what takes too long.
process.on('SIGABRT', () => {
  running.forEach(({ endpoint, output }) => console.error(`weir at ${endpoint} said last:\n${output.slice(-4000)}`));
  process.exit(1);
});

export function program() {
  const candidates = [process.env.WEIR_BIN, 'build/asan/weir', 'build/asan/src/cli/weir',
    'build/weir'];
  const found = candidates.filter(Boolean).map((name) => path.resolve(ROOT, name))
    .find((name) => existsSync(name));
  assert.ok(found, `no weir program: build it, or set WEIR_BIN (looked for ${candidates.join(', ')})`);
  return found;
}

// Fail a promise that takes too long; a limit, never a wait.
function within(limitMs, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${limitMs} ms`)), limitMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Weir {
  constructor({ config = 'tables: {}\n', configFile, args = [] } = {}) {
    this.config = config;
    this.configFile = configFile;
    this.args = args;
    this.env = {}; // besides this process's own
    this.output = '';
    this.clients = [];
  }

  async start() {
    if (elsewhere) {
      return this.connect(elsewhere);
    }
    if (!this.folder) {
      this.folder = await mkdtemp(path.join(tmpdir(), 'weir-test-'));
      this.data = path.join(this.folder, 'data');
      if (!this.configFile) {
        this.configFile = path.join(this.folder, 'weir.yaml');
        await writeFile(this.configFile, this.config);
      }
    }
    this.child = spawn(program(), ['serve', '-c', this.configFile, '--listen', '127.0.0.1:0',
      '--data', this.data, ...this.args],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.env } });
    const child = this.child;
    running.set(child, this);
    this.exited = new Promise((resolve) => {
      child.on('error', (error) => resolve({ error }));
      child.on('close', (code, signal) => {
        running.delete(child);
        resolve({ code, signal });
      });
    });
    return this.connect(await within(START_LIMIT_MS, 'the start', this.address(child)));
  }

  // The address that the program says it listens on.
  address(child) {
    return new Promise((resolve, reject) => {
      let lines = '';
      child.stdout.on('data', (bytes) => {
        this.output += bytes;
        lines += bytes;
        const match = /listening on (http:\/\/[\d.]+:\d+)/.exec(lines);
        if (match) {
          resolve(match[1]);
        }
      });
      child.stderr.on('data', (bytes) => {
        this.output += bytes;
      });
      this.exited.then(({ code, signal, error }) =>
        reject(error ?? new Error(`weir ended (${signal ?? code}) before it listened:\n${this.output}`)));
    });
  }

  connect(endpoint) {
    this.endpoint = endpoint;
    this.db = this.client(DynamoDBClient);
    this.streams = this.client(DynamoDBStreamsClient);
    this.docs = DynamoDBDocumentClient.from(this.db, { marshallOptions: { removeUndefinedValues: true } });
    return this;
  }

  client(Client, options = {}) {
    const client = new Client({
      endpoint: this.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      maxAttempts: 1,
      ...options,
    });
    this.clients.push(client);
    return client;
  }

  disconnect() {
    this.clients.splice(0).forEach((client) => client.destroy());
  }

  // End it in order, and assert that it ended well.
  async stop() {
    this.disconnect();
    if (this.child) {
      this.child.kill('SIGTERM');
      const { code, signal } = await within(STOP_LIMIT_MS, 'the stop', this.exited);
      this.child = undefined;
      assert.equal(signal ?? code, 0, `weir must exit with 0:\n${this.output.slice(-4000)}`);
      this.assertClean();
    }
  }

  // The process must be alive and must not have reported anything a sanitizer found.
  assertClean() {
    const at = this.output.search(SANITIZER);
    assert.equal(at, -1, `a sanitizer reports:\n${this.output.slice(at, at + 8000)}`);
    if (this.child) {
      assert.equal(this.child.exitCode ?? this.child.signalCode, null,
        `weir ended:\n${this.output.slice(-4000)}`);
    }
  }

  // What there is to say of a process that has ended though it should not; empty if it has not. Its
  // connections may end a moment before it does.
  async epitaph() {
    const end = await within(EPITAPH_LIMIT_MS, 'the end', this.exited).catch(() => undefined);
    return end ? `\nweir ended (${end.signal ?? end.code}):\n${this.output.slice(-8000)}` : '';
  }

  // Wait until it ends by itself; gives its exit code, or the signal that ended it.
  async ended() {
    const { code, signal } = await within(STOP_LIMIT_MS, 'the end', this.exited);
    this.child = undefined;
    this.disconnect();
    this.assertClean();
    return signal ?? code;
  }

  // As a power cut, as far as a process can have one.
  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
    this.child = undefined;
    this.disconnect();
    this.assertClean();
  }

  // Stop (unless it is down) and start again with the same data. Clients are new ones.
  async restart() {
    await this.stop();
    return this.start();
  }

  // Stop, and remove the data.
  async close() {
    try {
      await this.stop();
    } finally {
      if (this.folder && !process.env.WEIR_KEEP) {
        await rm(this.folder, { recursive: true, force: true });
      }
    }
  }

  // One request as raw bytes: for what no SDK would send. Unsigned unless headers sign it.
  request({ target, body = '', headers = {}, method = 'POST', path: where = '/' }) {
    const url = new URL(where, this.endpoint);
    return new Promise((resolve, reject) => {
      const request = http.request(url, {
        method,
        agent: false,
        headers: {
          'content-type': 'application/x-amz-json-1.0',
          authorization: 'AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/dynamodb/aws4_request, '
            + 'SignedHeaders=host;x-amz-date;x-amz-target, Signature=0',
          'x-amz-date': '20250101T000000Z',
          ...(target ? { 'x-amz-target': target } : {}),
          ...headers,
        },
      }, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          let json;
          try {
            json = JSON.parse(text);
          } catch {
            json = undefined;
          }
          resolve({ status: response.statusCode, headers: response.headers, text, json });
        });
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(body);
    });
  }
}

// Start a weir of its own for a test file.
export function startWeir(options) {
  return new Weir(options).start();
}

// The result of fn once it is truthy, or once it stops failing an assertion. Asks again with
// growing pauses: only for what cannot be waited for in any other way.
export async function eventually(fn, { timeout = 60_000, what = 'the condition' } = {}) {
  const end = performance.now() + timeout;
  for (let pause = 5; ; pause = Math.min(pause * 2, 200)) {
    let failure;
    try {
      const result = await fn();
      if (result) {
        return result;
      }
    } catch (error) {
      if (error.code !== 'ERR_ASSERTION') {
        throw error;
      }
      failure = error;
    }
    if (performance.now() > end) {
      throw failure ?? new Error(`${what} did not come true within ${timeout} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

// What `ask` gives once it is as wanted: in one look, for in the next it may be otherwise.
export function eventuallyIs(ask, wanted, options) {
  return eventually(async () => {
    const found = await ask();
    return wanted(found) && found;
  }, options);
}
