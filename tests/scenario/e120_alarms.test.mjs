// Alarms: a pipeline that falls behind and catches up, states that outlive a restart and a kill, and
// what `weir check` and `weir alarms` say.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { CreateTableCommand, DeleteTableCommand } from '@aws-sdk/client-dynamodb';
import { DeleteMessageCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { runCli } from './lib/cli.mjs';
import { receive, sqsOf } from './lib/queues.mjs';
import { Weir, elsewhere, eventually } from './lib/weir.mjs';

const skip = elsewhere !== undefined;

const config = `
tables:
  source:
    key: { id: S }
    stream: new_and_old_images
pipelines:
  copy:
    source: { table: source }
    steps:
      - require: [new.value]
      - put: { table: target, item: { id: "\${new.id}" } }
queues:
  operators: {}
  in-order.fifo: {}
alarms:
  lag:
    metric: weir_pipeline_oldest_unprocessed_milliseconds
    labels: { pipeline: copy }
    statistic: max
    period: 200ms
    periods: 2
    above: 300
    actions: [log, { queue: operators }, { queue: in-order.fifo }]
  errors:
    metric: weir_pipeline_errors_total
    labels: { pipeline: copy }
    statistic: rate
    period: 300ms
    above: 2
    actions: [log]
`;

const target = { TableName: 'target', BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }] };
const put = (weir, id, value) =>
  weir.docs.send(new PutCommand({ TableName: 'source', Item: { id, value } }));

const alarms = async (weir) =>
  (await weir.request({ method: 'GET', path: '/v1/alarms' })).json.alarms;
const alarm = async (weir, name) => (await alarms(weir)).find((one) => one.name === name);
const inState = (weir, name, state) => eventually(async () => {
  const one = await alarm(weir, name);
  return one.state === state && one;
}, { what: `${name} in ${state}` });

// The changes of an alarm that were logged, as "FROM>TO".
const logged = (weir, name) =>
  [...weir.output.matchAll(/alarm\.changed alarm=(\S+) state=(\S+) was=(\S+) reason="/g)]
    .filter((match) => match[1] === name).map((match) => `${match[3]}>${match[2]}`);

// A line may come after the answer to a request that was made later.
const told = (weir, name, expected) => eventually(() => {
  assert.deepEqual(logged(weir, name), expected);
  return true;
});

// The bodies of so many messages, which are taken from the queue.
async function received(weir, QueueName, count) {
  const sqs = sqsOf(weir);
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName }));
  const bodies = [];
  while (bodies.length < count) {
    const messages = await receive(sqs, QueueUrl, { WaitTimeSeconds: 10 });
    assert.ok(messages.length > 0, `${QueueName} has only ${bodies.length} messages`);
    for (const { Body, ReceiptHandle } of messages) {
      bodies.push(JSON.parse(Body));
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
  assert.deepEqual(await receive(sqs, QueueUrl), [], 'nothing is sent twice');
  return bodies;
}

const run = (args, options) => runCli(undefined, args, options);

test('an alarm goes off, is kept over restart and kill, and ends', { skip }, async () => {
  const weir = await new Weir({ config }).start();
  try {
    const quiet = await inState(weir, 'lag', 'OK');
    assert.equal(quiet.value, 0);
    assert.equal(quiet.metric, 'weir_pipeline_oldest_unprocessed_milliseconds');
    assert.deepEqual(quiet.labels, { pipeline: 'copy' });
    assert.deepEqual(quiet.actions, ['log', { queue: 'operators' }, { queue: 'in-order.fifo' }]);

    // The target is missing: the record waits, and its age grows.
    await put(weir, 'a', 1);
    const late = await inState(weir, 'lag', 'ALARM');
    assert.match(late.reason, /^Threshold Crossed: 2 out of the last 2 datapoints \[.*\] were greater than the threshold \(300\) \(minimum 2 datapoints for OK -> ALARM transition\)$/);
    assert.ok(late.value > 300);
    const metrics = await weir.request({ method: 'GET', path: '/metrics' });
    assert.match(metrics.text, /^weir_alarm_state\{alarm="lag"\} 1$/m);
    assert.match(metrics.text, /^weir_alarm_state\{alarm="errors"\} [02]$/m);
    await told(weir, 'lag', ['INSUFFICIENT_DATA>OK', 'OK>ALARM']);

    // The same alarm, since the same time, and nobody is told again.
    for (const end of ['stop', 'kill']) {
      await weir[end]();
      await weir.start();
      const again = await alarm(weir, 'lag');
      assert.equal(again.state, 'ALARM');
      assert.equal(again.since, late.since);
      assert.equal(again.reason, late.reason);
      await eventually(async () => (await alarm(weir, 'lag')).value > 300);
    }
    await told(weir, 'lag', ['INSUFFICIENT_DATA>OK', 'OK>ALARM']);

    await weir.db.send(new CreateTableCommand(target));
    const fine = await inState(weir, 'lag', 'OK');
    assert.ok(fine.since > late.since);
    assert.match(fine.reason, /was not greater than|were not greater than/);
    await told(weir, 'lag', ['INSUFFICIENT_DATA>OK', 'OK>ALARM', 'ALARM>OK']);

    // Each change came to the queues once, in order where there is one.
    for (const queue of ['operators', 'in-order.fifo']) {
      const bodies = await received(weir, queue, 3);
      const changes = bodies.map((body) => `${body.OldStateValue}>${body.NewStateValue}`);
      assert.deepEqual(queue === 'operators' ? changes.sort() : changes, queue === 'operators'
        ? ['ALARM>OK', 'INSUFFICIENT_DATA>OK', 'OK>ALARM']
        : ['INSUFFICIENT_DATA>OK', 'OK>ALARM', 'ALARM>OK']);
      const alarmed = bodies.find((body) => body.NewStateValue === 'ALARM');
      assert.equal(alarmed.AlarmName, 'lag');
      assert.equal(alarmed.NewStateReason, late.reason);
      assert.equal(alarmed.StateChangeTime, late.since);
      assert.deepEqual(alarmed.Trigger.Dimensions, [{ value: 'copy', name: 'pipeline' }]);
    }
  } finally {
    await weir.close();
  }
});

// An HTTP server that fails as often as it is told to, on a port that it keeps.
async function receiver() {
  const calls = [];
  const state = { failures: 0, calls, port: 0, server: undefined };
  state.open = () => new Promise((resolve) => {
    state.server = http.createServer((request, response) => {
      let body = '';
      request.on('data', (data) => { body += data; });
      request.on('end', () => {
        response.statusCode = state.failures-- > 0 ? 500 : 204;
        if (response.statusCode === 204) {
          calls.push({ path: request.url, type: request.headers['content-type'],
            key: request.headers['idempotency-key'], body: JSON.parse(body) });
        }
        response.end();
      });
    });
    state.server.listen(state.port, '127.0.0.1', () => {
      state.port = state.server.address().port;
      resolve(state);
    });
  });
  state.close = () => new Promise((resolve) => {
    state.server.close(resolve);
    state.server.closeAllConnections();
  });
  return state.open();
}

test('messages by POST outlive servers that fail or are away, and kills of weir', { skip }, async () => {
  const hook = await receiver();
  const url = `http://127.0.0.1:${hook.port}/hook?token=hidden`;
  const weir = await new Weir({
    config: config.replace('actions: [log, { queue: operators }, { queue: in-order.fifo }]',
      `actions: [log, { http: "${url}" }]`),
  }).start();
  try {
    hook.failures = 1;
    await inState(weir, 'lag', 'OK');
    await eventually(() => hook.calls.length === 1, { what: 'the first message' });
    assert.deepEqual((await alarm(weir, 'lag')).actions,
      ['log', { http: `http://127.0.0.1:${hook.port}` }]);

    // The server is away when the alarm goes off; status says so, and not what is secret.
    await hook.close();
    await put(weir, 'a', 1);
    await inState(weir, 'lag', 'ALARM');
    const lane = await eventually(async () => {
      const { outbox } = (await weir.request({ method: 'GET', path: '/v1/status' })).json;
      return outbox.length === 1 && outbox[0].state === 'blocked' && outbox[0];
    }, { what: 'a blocked delivery' });
    assert.equal(lane.kind, 'http');
    assert.equal(lane.target, `http://127.0.0.1:${hook.port}`);
    assert.equal(lane.pending, 1);
    assert.match(lane.reason, /connect/i);
    const page = await run(['status', '-e', weir.endpoint]);
    assert.match(page.out, /^http +http:\/\/127\.0\.0\.1:\d+ +1 +\d+ .* blocked: /m);
    const metrics = await weir.request({ method: 'GET', path: '/metrics' });
    assert.match(metrics.text, /^weir_outbox_pending\{kind="http",target="http:\/\/127\.0\.0\.1:\d+"\} 1$/m);
    assert.match(metrics.text, /^weir_outbox_blocked\{.*\} 1$/m);
    assert.match(metrics.text, /^weir_outbox_delivered_total\{.*\} 1$/m);
    for (const text of [page.out, metrics.text, weir.output, JSON.stringify(lane)]) {
      assert.ok(!text.includes('hidden'), 'no secrets of URLs');
    }

    await weir.kill();
    await hook.open();
    await weir.start();
    await eventually(() => hook.calls.length >= 2, { what: 'the second message' });
    await weir.db.send(new CreateTableCommand(target));
    await inState(weir, 'lag', 'OK');
    await eventually(() => hook.calls.at(-1).body.NewStateValue === 'OK' && hook.calls.length >= 3,
      { what: 'the last message' });
    const once = new Map(hook.calls.map((call) => [call.key, call]));
    assert.deepEqual([...once.values()].map(({ body }) => `${body.OldStateValue}>${body.NewStateValue}`),
      ['INSUFFICIENT_DATA>OK', 'OK>ALARM', 'ALARM>OK']);
    for (const call of hook.calls) {
      assert.equal(call.path, '/hook?token=hidden');
      assert.equal(call.type, 'application/json');
      assert.equal(call.body.AlarmName, 'lag');
      assert.match(call.key, /^lag\/\d+\.(OK|ALARM)$/);
    }
    await eventually(async () =>
      (await weir.request({ method: 'GET', path: '/v1/status' })).json.outbox.length === 0);
  } finally {
    await weir.close();
    await hook.close();
  }
});

test('errors are counted by period', { skip }, async () => {
  const weir = await new Weir({ config }).start();
  try {
    await weir.db.send(new CreateTableCommand(target));
    await inState(weir, 'errors', 'OK');
    // Until three fail within one period.
    await eventually(async () => {
      await Promise.all(Array.from({ length: 6 }, (_, i) => put(weir, `bad-${i}`)));
      return logged(weir, 'errors').includes('OK>ALARM');
    }, { what: 'the alarm' });
    await inState(weir, 'errors', 'OK');
    await eventually(() => logged(weir, 'errors').at(-1) === 'ALARM>OK');
    await weir.db.send(new DeleteTableCommand({ TableName: 'target' }));
  } finally {
    await weir.close();
  }
});

test('weir alarms shows them', { skip }, async () => {
  const weir = await new Weir({ config }).start();
  try {
    await inState(weir, 'lag', 'OK');
    await inState(weir, 'errors', 'OK');
    const page = await run(['alarms', '-e', weir.endpoint]);
    const lines = page.out.split('\n');
    assert.equal(page.code, 0);
    assert.match(lines[0], /^ALARM +STATE +SINCE +VALUE +REASON$/);
    assert.match(lines[1], /^lag +OK +\d{4}-\d\d-\d\dT\S+Z +0 +Threshold Crossed: /);
    assert.match(lines[2], /^errors +OK +\d{4}-\d\d-\d\dT\S+Z +0 +Threshold Crossed: /);
    assert.equal(lines.length, 4);
    const json = await run(['alarms', '--json', '-e', weir.endpoint]);
    assert.deepEqual(JSON.parse(json.out).alarms.map((one) => [one.name, one.state, one.threshold]),
      [['lag', 'OK', 300], ['errors', 'OK', 2]]);
  } finally {
    await weir.close();
  }
});

test('without alarms there are none', { skip }, async () => {
  const weir = await new Weir().start();
  try {
    assert.deepEqual(await alarms(weir), []);
    assert.equal((await run(['alarms', '-e', weir.endpoint])).out, 'no alarms are configured\n');
  } finally {
    await weir.close();
  }
});

test('weir check knows every metric', { skip }, async () => {
  const weir = await new Weir({ config }).start();
  const folder = await mkdtemp(path.join(tmpdir(), 'weir-check-'));
  try {
    const { text } = await weir.request({ method: 'GET', path: '/metrics' });
    const names = [...text.matchAll(/^# TYPE (\S+) \S+$/gm)].map((match) => match[1]);
    assert.ok(names.length > 20);
    const file = path.join(folder, 'weir.yaml');
    await writeFile(file, ['alarms:', ...names.map((name, i) =>
      `  a${i}: { metric: ${name}, statistic: sum, above: 0 }`)].join('\n'));
    const { code, out } = await run(['check', '-c', file]);
    assert.equal(out, `${file}: right: 0 tables, 0 pipelines, ${names.length} alarms\n`,
      'a metric is not in src/alarm/known.c');
    assert.equal(code, 0);
  } finally {
    await rm(folder, { recursive: true, force: true });
    await weir.close();
  }
});
