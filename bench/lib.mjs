// What the benchmarks share: starting servers in folders of their own, requests, load, results.
//
//   WEIR_BIN         the program; else build/weir
//   WEIR_BENCH_BUILD the build folder with the benchmark programs; else build/release
//   WEIR_BENCH_DATA  where data folders are made; else build/bench

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync, closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync,
  writeFileSync, writeSync,
} from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { loadavg } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = path.join(ROOT, 'build/bench');
const BUILD = path.resolve(ROOT, process.env.WEIR_BENCH_BUILD ?? 'build/release');
const BIN = path.resolve(ROOT, process.env.WEIR_BIN ?? 'build/weir');
const DATA = path.resolve(ROOT, process.env.WEIR_BENCH_DATA ?? 'build/bench');

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

// --- numbers ---------------------------------------------------------------------------

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

const round = (number, digits = 1) => Number(number.toFixed(digits));

export function table(title, columns, rows) {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number'
    ? (Math.abs(cell) >= 1000 ? Math.round(cell).toLocaleString('en-US') : String(round(cell, 2))) : cell ?? '')));
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((row) => row[i].length)));
  const line = (row) => row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  ');
  console.log(`\n${title}\n${line(columns)}`);
  cells.forEach((row) => console.log(line(row)));
}

// Print a result as a line of JSON and keep it.
export function result(bench, values) {
  const rounded = Object.fromEntries(Object.entries(values)
    .map(([name, value]) => [name, typeof value === 'number' ? round(value, 3) : value]));
  const text = JSON.stringify({ bench, ...rounded, load: round(loadavg()[0], 2), at: new Date().toISOString() });
  console.log(text);
  mkdirSync(OUT, { recursive: true });
  appendFileSync(path.join(OUT, 'results.jsonl'), `${text}\n`);
}

// --- folders and programs ----------------------------------------------------------------

export function folder() {
  mkdirSync(DATA, { recursive: true });
  return mkdtempSync(path.join(DATA, 'run-'));
}

export function remove(dir) {
  rmSync(dir, { recursive: true, force: true });
}

// What the disk takes for one write of 800 bytes that is made durable, in microseconds: the median
// of many into a file that is filled ahead. No durable write on one connection can be quicker.
export function syncMicroseconds(dir) {
  const file = path.join(dir, 'sync');
  writeFileSync(file, Buffer.alloc(1 << 20));
  const fd = openSync(file, 'r+');
  fdatasyncSync(fd);
  const bytes = Buffer.alloc(800, 1);
  const times = Array.from({ length: 200 }, (_, n) => {
    const began = performance.now();
    writeSync(fd, bytes, 0, bytes.length, n * bytes.length);
    fdatasyncSync(fd);
    return (performance.now() - began) * 1000;
  });
  closeSync(fd);
  rmSync(file);
  return median(times);
}

// Processor time that a program has used so far, all its threads, in microseconds. Unlike rates it
// hardly depends on what else the machine does.
export function processorMicroseconds(pid) {
  return readdirSync(`/proc/${pid}/task`)
    .map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1000)
    .reduce((sum, microseconds) => sum + microseconds, 0);
}

export function program(name) {
  execFileSync('ninja', ['-C', BUILD, `bench/${name}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  return path.join(BUILD, 'bench', name);
}

// The median over rounds of one figure, and of its ratio to another server's in the same round.
export const middle = (rounds, field) => median(rounds.map((measure) => measure[field]));
export const ratio = (mine, other, field) => median(mine.map((measure, n) => measure[field] / other[n][field]));

export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// A program that serves: started, with the address that its output names.
export class Server {
  constructor(command, args, address) {
    this.began = performance.now();
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this.child);
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
    this.ready = new Promise((resolve, reject) => {
      let text = '';
      this.child.stderr.on('data', (bytes) => {
        text += bytes;
      });
      this.child.stdout.on('data', (bytes) => {
        text += bytes;
        const match = address.exec(text);
        if (match) {
          this.port = Number(match[1]);
          resolve(this);
        }
      });
      this.child.on('error', reject);
      this.child.on('exit', (code, signal) => {
        running.delete(this.child);
        reject(new Error(`${command} ended (${signal ?? code}): ${text}`));
      });
    });
  }

  get endpoint() {
    return `http://127.0.0.1:${this.port}`;
  }

  fetch(method, where, headers = {}, body = '') {
    return new Promise((resolve, reject) => {
      const request = http.request({ port: this.port, method, path: where, headers, agent: this.agent }, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => resolve({ status: answer.statusCode, text: Buffer.concat(chunks).toString() }));
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  async call(operation, input) {
    const { status, text } = await this.fetch('POST', '/', {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `DynamoDB_20120810.${operation}`,
      'x-amz-date': '20260101T000000Z',
      authorization: 'AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/dynamodb/aws4_request, '
        + `SignedHeaders=host;x-amz-date;x-amz-target, Signature=${'0'.repeat(64)}`,
    }, JSON.stringify(input));
    if (status !== 200) {
      throw new Error(`${operation}: ${status} ${text}`);
    }
    return JSON.parse(text);
  }

  // Write items (DynamoDB JSON) by BatchWriteItem, `width` requests at once.
  async load(name, items, width = 16) {
    let at = 0;
    await Promise.all(Array.from({ length: width }, async () => {
      while (at < items.length) {
        const part = items.slice(at, at + 25);
        at += part.length;
        const { UnprocessedItems } = await this.call('BatchWriteItem',
          { RequestItems: { [name]: part.map((Item) => ({ PutRequest: { Item } })) } });
        if (UnprocessedItems && Object.keys(UnprocessedItems).length) {
          throw new Error('unprocessed items');
        }
      }
    }));
  }

  async status() {
    return JSON.parse((await this.fetch('GET', '/v1/status')).text);
  }

  async stop() {
    this.agent.destroy();
    const exit = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    this.ready.catch(() => {});
    await exit;
  }
}

// A port that is free now, for servers that do not choose one themselves.
export async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  await once(listener, 'close');
  return port;
}

// weir on a configuration and a folder, listening on a free port.
export async function startWeir(dir, config = 'tables: {}\n') {
  const file = path.join(dir, 'weir.yaml');
  writeFileSync(file, config);
  const server = new Server(BIN, ['serve', '-c', file, '--listen', '127.0.0.1:0', '--data', path.join(dir, 'data')],
    /listening on http:\/\/[^:]+:(\d+)\n/);
  return server.ready;
}

// --- load -----------------------------------------------------------------------------------

// Run wrk with a script of this folder; gives requests a second, latencies and the server's
// processor time for a request in microseconds.
export function wrk(server, { script, args = [], connections, seconds }) {
  return new Promise((resolve, reject) => {
    const before = processorMicroseconds(server.child.pid);
    const child = spawn('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', path.join(ROOT, 'bench', script),
      server.endpoint, '--', ...args.map(String)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (bytes) => {
      text += bytes;
    });
    child.on('close', () => {
      const line = text.split('\n').find((candidate) => candidate.startsWith('{'));
      if (!line) {
        reject(new Error(`wrk said nothing: ${text}`));
        return;
      }
      const measured = JSON.parse(line);
      if (measured.errors) {
        reject(new Error(`wrk: ${measured.errors} failed requests: ${text}`));
        return;
      }
      const used = processorMicroseconds(server.child.pid) - before;
      resolve({ ...measured, cpu_us: used / (measured.rate * seconds) });
    });
  });
}

export function read(file) {
  return readFileSync(path.resolve(ROOT, file), 'utf8');
}
