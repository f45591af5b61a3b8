// Pools of functions: concurrency, waiting, idle instances, and nothing left running at the end.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { after } from 'node:test';
import { HANDLERS, isAlive, lambdaOf, mostAtOnce, resultOf } from './lib/functions.mjs';
import { fails } from './lib/tables.mjs';
import { elsewhere, eventually, startWeir } from './lib/weir.mjs';

const skip = elsewhere;
const node = (handler, rest = '') => `{ runtime: node, handler: ${handler}, dir: "${HANDLERS}"${rest} }`;
const started = [];
after(() => Promise.all(started.map((weir) => weir.close())));

async function start(functions, rest = '') {
  const weir = await startWeir({ config: `functions:\n${functions}\n${rest}` });
  started.push(weir);
  const { invoke } = lambdaOf(weir, { requestHandler: { httpsAgent: { maxSockets: 50 } } });
  const status = async (name) => {
    const { json } = await weir.request({ method: 'GET', path: '/v1/status' });
    return json.functions.find((one) => one.name === name);
  };
  return { weir, invoke, result: resultOf(invoke), status };
}

test('no more instances than concurrency; what is too much waits', { skip }, async () => {
  const { weir, result, status } = await start(`  sleeps: ${node('index.sleeps', ', concurrency: 3')}`);
  const file = path.join(weir.folder, 'marks');
  const pids = await Promise.all(Array.from({ length: 12 }, () => result('sleeps', { ms: 500, file })));
  assert.equal(new Set(pids).size, 3);
  assert.equal(mostAtOnce(file), 3);
  assert.deepEqual(await status('sleeps').then(({ instances, waiting, running, cold_starts: starts }) => (
    { instances, waiting, running, starts })), { instances: 3, waiting: 0, running: 0, starts: 3 });
});

test('with concurrency 1 handlers run one after the other in one instance', { skip }, async () => {
  const { weir, result } = await start(`  sleeps: ${node('index.sleeps', ', concurrency: 1')}`);
  const file = path.join(weir.folder, 'marks');
  const pids = await Promise.all(Array.from({ length: 10 }, () => result('sleeps', { ms: 2, file })));
  assert.equal(new Set(pids).size, 1);
  assert.equal(mostAtOnce(file), 1);
});

test('a full queue is a TooManyRequestsException', { skip }, async () => {
  const { invoke, status } = await start(`  sleeps: ${node('index.sleeps', ', concurrency: 1, max_queue: 2')}`);
  const all = await Promise.allSettled(Array.from({ length: 8 }, () => invoke('sleeps', { ms: 300 })));
  const refused = all.filter((one) => one.status === 'rejected').map(({ reason }) => reason);
  assert.equal(refused.length, 6, 'two wait while the instance starts');
  await fails(Promise.reject(refused[0]), 'TooManyRequestsException', /runs 0 times at once and 2 invocations wait/, 429);
  assert.equal(refused[0].Reason, 'ReservedFunctionConcurrentInvocationLimitExceeded');
  assert.equal((await status('sleeps')).throttles, 6);
});

test('idle instances go, those to be kept warm stay and are there from the start', { skip }, async () => {
  const { weir, result, status } = await start(
    `  sleeps: ${node('index.sleeps', ', concurrency: 4, idle: 200ms, keep_warm: 1, timeout: 20s')}`);
  await eventually(async () => (await status('sleeps')).idle === 1, { what: 'the warm instance' });
  const pids = new Set(await Promise.all(Array.from({ length: 4 }, () => result('sleeps', { ms: 3000 }))));
  assert.equal(pids.size, 4);
  await eventually(async () => {
    const { instances, idle } = await status('sleeps');
    return instances === 1 && idle === 1;
  }, { what: 'the end of the others' });
  assert.equal([...pids].filter(isAlive).length, 1);
  assert.ok(pids.has(await result('sleeps', {})));
  weir.assertClean();
});

test('a stop in order waits for handlers that work, and ends those that are idle', { skip }, async () => {
  const { weir, invoke, result } = await start(`  sleeps: ${node('index.sleeps', ', concurrency: 2')}
  echo: ${node('index.echo')}`);
  const { pid } = await result('echo', {});
  const working = result('sleeps', { ms: 700 });
  await eventually(async () => {
    const { text } = await weir.request({ method: 'GET', path: '/metrics' });
    return /^weir_function_concurrent\{function="sleeps"\} 1$/m.test(text);
  });
  const { child } = weir;
  child.kill('SIGTERM');
  const sleeper = await working;
  await weir.exited;
  assert.ok(!isAlive(pid) && !isAlive(sleeper));
  await assert.rejects(invoke('echo', {}));
});

test('a killed weir leaves nothing running', { skip }, async () => {
  const { weir, invoke, result } = await start(`  spawns: ${node('index.spawns')}
  hangs: ${node('index.hangs', ', timeout: 1h')}
  shell: { command: [sh, -c, "sleep 1000 & sleep 1000"], dir: "${HANDLERS}", init_timeout: 1h }`);
  const pids = await result('spawns', {});
  const file = path.join(weir.folder, 'pid');
  const lost = [invoke('hangs', { file }), invoke('shell', {})].map((one) => one.catch(() => 'lost'));
  pids.push(Number(await eventually(() => readFile(file, 'utf8').catch(() => ''))));
  assert.equal(pids.length, 4);
  assert.ok(pids.every(isAlive), `${pids}`);
  const below = await descendants(weir.child.pid);
  assert.ok(pids.every((pid) => below.includes(pid)) && below.length >= 9, `${below}`);
  await weir.kill();
  assert.deepEqual(await Promise.all(lost), ['lost', 'lost']);
  await eventually(() => !below.some(isAlive), { what: `the end of ${below}` });
});

test('a killed instance is replaced, and its wrapper too', { skip }, async () => {
  const { weir, result } = await start(`  spawns: ${node('index.spawns', ', concurrency: 1')}`);
  const [, inside, outside] = await result('spawns', {});
  const [wrapper] = await childrenOf(weir.child.pid);
  process.kill(wrapper, 'SIGKILL');
  await eventually(() => !isAlive(wrapper) && !isAlive(inside), { what: 'the end of the group' });
  process.kill(outside, 'SIGKILL'); // in a session of its own: only the wrapper could have found it
  const [again] = await eventually(() => result('spawns', {}).catch(() => undefined), { what: 'a new instance' });
  assert.ok(isAlive(again));
});

async function childrenOf(pid) {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

async function descendants(pid) {
  const own = await childrenOf(pid);
  return [...own, ...(await Promise.all(own.map(descendants))).flat()];
}
