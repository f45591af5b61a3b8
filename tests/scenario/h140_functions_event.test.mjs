// Invoke with the type Event: kept, and run until it went well, also when weir is killed.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { HANDLERS, lambdaOf } from './lib/functions.mjs';
import { receive, sqsOf } from './lib/queues.mjs';
import { fails } from './lib/tables.mjs';
import { elsewhere, eventually, startWeir } from './lib/weir.mjs';

const skip = elsewhere;
const InvocationType = 'Event';
let weir;
let invoke;
let server;
let answer = 500;
const seen = [];

before(async () => {
  if (elsewhere) {
    return;
  }
  server = http.createServer((request, response) => {
    seen.push({ url: request.url, id: request.headers['x-request-id'] });
    request.resume().on('end', () => response.writeHead(answer).end('no'));
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const url = `http://127.0.0.1:${server.address().port}`;
  weir = await startWeir({
    config: `queues:
  failed: {}
functions:
  sleeps: { runtime: node, handler: index.sleeps, dir: "${HANDLERS}", timeout: 30s, concurrency: 2 }
  refused: { url: "${url}/refused", on_failure: { queue: failed } }
  broken: { url: "${url}/broken" }
  busy: { url: "${url}/busy" }
`,
  });
  ({ invoke } = lambdaOf(weir));
});
after(async () => {
  await weir?.close();
  server?.close();
});

const marks = (file) => readFile(file, 'utf8').then((text) => text.trim().split('\n'), () => []);
const lanes = async () => (await weir.request({ method: 'GET', path: '/v1/status' })).json.outbox;

test('an event is accepted with 202 and run once', { skip }, async () => {
  const file = path.join(weir.folder, 'once');
  const answers = await Promise.all(Array.from({ length: 10 }, () => invoke('sleeps', { ms: 5, file }, { InvocationType, LogType: undefined })));
  assert.deepEqual(answers.map(({ status, result, error }) => [status, result, error]), Array(10).fill([202, undefined, undefined]));
  assert.equal(new Set(answers.map(({ requestId }) => requestId)).size, 10);
  await eventually(async () => (await marks(file)).length === 20, { what: 'ten runs' });
  await eventually(async () => (await lanes()).length === 0, { what: 'an empty outbox' });
  assert.equal((await marks(file)).length, 20);
});

test('an accepted event survives a kill', { skip }, async () => {
  const file = path.join(weir.folder, 'killed');
  const answers = await Promise.all(Array.from({ length: 5 }, () => invoke('sleeps', { ms: 400, file }, { InvocationType })));
  assert.ok(answers.every(({ status }) => status === 202));
  await eventually(async () => (await marks(file)).some((line) => line.startsWith('+')), { what: 'a run' });
  await weir.kill();
  await weir.start();
  ({ invoke } = lambdaOf(weir));
  await eventually(async () => (await marks(file)).filter((line) => line.startsWith('-')).length >= 5, { what: 'five runs' });
});

test('what can never work goes to on_failure', { skip }, async () => {
  answer = 400;
  const { requestId } = await invoke('refused', { n: 7 }, { InvocationType });
  const [message] = await eventually(async () => {
    const all = await receive(sqsOf(weir), `${weir.endpoint}/000000000000/failed`, { WaitTimeSeconds: 1 });
    return all.length > 0 && all;
  });
  const letter = JSON.parse(message.Body);
  assert.deepEqual(letter.requestPayload, { n: 7 });
  assert.equal(letter.requestContext.requestId, requestId);
  assert.match(letter.error, /answered with status 400/);
  assert.equal(seen.at(-1).id, requestId);
});

test('what fails is tried again later, with the same id; what is refused for now waits', { skip }, async () => {
  answer = 500;
  const { requestId } = await invoke('broken', {}, { InvocationType });
  await eventually(() => new RegExp(`outbox\\.retry .*${requestId}`).test(weir.output), { what: 'the line about the retry' });
  assert.deepEqual(seen.filter(({ url }) => url === '/broken').map(({ id }) => id), [requestId]);
  answer = 429;
  await invoke('busy', {}, { InvocationType });
  const lane = await eventually(async () => (await lanes()).find(({ target, reason }) => target === 'busy' && reason));
  assert.match(lane.reason, /status 429/);
  answer = 200;
  await eventually(async () => !(await lanes()).some(({ target }) => target === 'busy'), { what: 'the end of the wait' });
});

test('an event may have 1 MiB, and must be JSON', { skip }, async () => {
  await fails(invoke('sleeps', 'x'.repeat(1024 * 1024), { InvocationType }), 'RequestTooLargeException', /Event invocation type/, 413);
  await fails(invoke('sleeps', undefined, { InvocationType, Payload: Buffer.from('{') }), 'InvalidRequestContentException');
  await fails(invoke('nobody', {}, { InvocationType }), 'ResourceNotFoundException', undefined, 404);
});
