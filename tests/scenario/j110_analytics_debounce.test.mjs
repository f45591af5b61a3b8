// The analytics debounce, by its own weir.yaml: the step, and the application that calls the
// Scheduler API; on virtual time, and scaled down with kill -9 in between.

import assert from 'node:assert/strict';
import test from 'node:test';
import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { Kitchen, edits } from '../../examples/analytics-debounce/application.mjs';
import { rebuildSignal } from '../../examples/analytics-debounce/signal.mjs';
import { Example } from './lib/examples.mjs';
import { ROLE } from './lib/schedules.mjs';
import { allItems } from './lib/tables.mjs';
import { Weir, elsewhere, eventually } from './lib/weir.mjs';

const skip = elsewhere !== undefined;
const QUIET_MS = 4000;
const SIGNALS = {
  REBUILD_TARGET_ARN: 'arn:aws:lambda:us-east-1:000000000000:function:rebuild', REBUILD_ROLE_ARN: ROLE,
  REBUILD_QUIET_S: String(QUIET_MS / 1000),
};
const optionsOf = (weir) => ({
  endpoint: weir.endpoint, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
const itemsOf = (weir, TableName) => allItems(weir.docs, ScanCommand, { TableName, ConsistentRead: true });

// Run with the example: its weir with these variables, with the pipeline or without.
async function using({ env, pipeline }, work) {
  const example = await new Example('analytics-debounce').open();
  const config = await example.watched('rebuild');
  const weir = new Weir({ config: pipeline ? config : config.slice(0, config.indexOf('pipelines:')) });
  weir.env = env;
  try {
    await weir.start();
    await work(weir, example);
  } finally {
    await weir.close();
    await example.close();
  }
}

async function assertAnalytics(weir) {
  const analytics = new Map((await itemsOf(weir, 'analytics')).map((one) => [one.subject, one]));
  assert.equal(analytics.get('costs').recipes, (await itemsOf(weir, 'recipes')).length);
  assert.equal(analytics.get('ingredients').ingredients, (await itemsOf(weir, 'ingredients')).length);
}

test('a thousand mutations are one run after 5 minutes, or 15, and a burst without end has one at max_wait', { skip }, async () => {
  const example = await new Example('analytics-debounce').open();
  try {
    const development = await example.test('burst.yaml');
    assert.equal(development.code, undefined, development.stdout);
    const application = await example.test('signals.yaml');
    assert.equal(application.code, undefined, application.stdout);
    assert.match(application.stdout, /^2 passed, 0 failed/m);
    process.env.ANALYTICS_QUIET = '15m';
    process.env.ANALYTICS_MAX_WAIT = '1h';
    const production = await example.test('burst.yaml', (text) => text.slice(0, text.indexOf('  a burst without'))
      .replace('for: 299s', 'for: 899s'));
    assert.equal(production.code, undefined, production.stdout);
    assert.match(production.stdout, /^1 passed, 0 failed/m);
  } finally {
    delete process.env.ANALYTICS_QUIET;
    delete process.env.ANALYTICS_MAX_WAIT;
    await example.close();
  }
});

test('the step: a thousand mutations with a kill -9 between them are one run', { skip }, () => using({
  env: { ANALYTICS_QUIET: `${QUIET_MS}ms`, ANALYTICS_MAX_WAIT: '2m' }, pipeline: true,
}, async (weir, example) => {
  const all = edits(1000);
  const half = new Kitchen(undefined, optionsOf(weir));
  for (const edit of all.slice(0, 500)) {
    await edit(half);
  }
  await weir.kill();
  await weir.start();
  const kitchen = new Kitchen(undefined, optionsOf(weir));
  for (const edit of all.slice(500)) {
    await edit(kitchen);
  }
  const lastAt = Date.now();
  assert.equal((await example.calls()).length, 0);
  const [rebuilt] = await eventually(async () => {
    const found = await itemsOf(weir, 'rebuilds');
    return found.length && found;
  }, { timeout: 60_000, what: 'the rebuild' });
  assert.deepEqual([rebuilt.count, rebuilt.first, rebuilt.last], [1000, 'basil', 'recipe-26']);
  const [call, ...others] = await example.calls();
  assert.deepEqual(others, []);
  assert.equal(call.event.count, 1000);
  assert.deepEqual([call.event.first.keys, call.event.last.keys], [{ id: 'basil' }, { id: 'recipe-26' }]);
  assert.ok(call.time - lastAt >= QUIET_MS - 100, `it came ${call.time - lastAt} ms after the last mutation`);
  await assertAnalytics(weir);
}));

test('the step: a burst without an end is rebuilt at max_wait', { skip }, () => using({
  env: { ANALYTICS_QUIET: '1s', ANALYTICS_MAX_WAIT: '2s' }, pipeline: true,
}, async (weir, example) => {
  const kitchen = new Kitchen(undefined, optionsOf(weir));
  const all = edits(100_000)[Symbol.iterator]();
  await eventually(async () => {
    await all.next().value(kitchen);
    return (await example.calls()).length >= 2;
  }, { timeout: 60_000, what: 'two rebuilds within the burst' });
}));

test('the application: a thousand mutations with a kill -9 between them are one run', { skip }, () => using({
  env: {}, pipeline: false,
}, async (weir, example) => {
  const all = edits(1000);
  const failures = [];
  const kitchen = () => new Kitchen(rebuildSignal(new SchedulerClient(optionsOf(weir)), SIGNALS,
    (error) => failures.push(error)), optionsOf(weir));
  const half = kitchen();
  for (const edit of all.slice(0, 500)) {
    await edit(half);
  }
  await weir.kill();
  await weir.start();
  const rest = kitchen();
  await Promise.all([0, 1, 2, 3].map(async (lane) => {
    for (const edit of all.slice(500).filter((_, n) => Math.floor(n / 20) % 4 === lane)) {
      await edit(rest);
    }
  }));
  const lastAt = Date.now();
  const [call] = await eventually(async () => {
    const found = await example.calls();
    return found.length && found;
  }, { timeout: 60_000, what: 'the rebuild' });
  assert.deepEqual(failures, []);
  assert.deepEqual(call.event, {});
  assert.ok(call.time - lastAt >= QUIET_MS - 100, `it came ${call.time - lastAt} ms after the last mutation`);
  await eventually(async () => (await example.notes()).some(({ ends }) => ends === call.begins));
  await assertAnalytics(weir);
  // The next burst puts the same schedule off again, and is the second run.
  await edits(1)[0](rest);
  await eventually(async () => (await example.calls()).length === 2, { timeout: 60_000, what: 'the second rebuild' });
}));

test('the application: a run that came due while weir was down happens once, at its start', { skip }, () => using({
  env: {}, pipeline: false,
}, async (weir, example) => {
  const signal = rebuildSignal(new SchedulerClient(optionsOf(weir)), { ...SIGNALS, REBUILD_QUIET_S: '1' }, assert.fail);
  await edits(1)[0](new Kitchen(signal, optionsOf(weir)));
  const due = Date.now() + 2000;
  await weir.kill();
  await new Promise((resolve) => setTimeout(resolve, due - Date.now()));
  const before = (await example.calls()).length;
  await weir.start();
  await eventually(async () => (await example.calls()).length === 1);
  assert.equal(before, 0);
}));

test('the application: a burst without an end is rebuilt at max_wait', { skip }, () => using({
  env: {}, pipeline: false,
}, async (weir, example) => {
  const signal = rebuildSignal(new SchedulerClient(optionsOf(weir)),
    { ...SIGNALS, REBUILD_QUIET_S: '2', REBUILD_MAX_WAIT_S: '3' }, assert.fail);
  const kitchen = new Kitchen(signal, optionsOf(weir));
  const all = edits(100_000)[Symbol.iterator]();
  await eventually(async () => {
    await all.next().value(kitchen);
    return (await example.calls()).length >= 2;
  }, { timeout: 60_000, what: 'two rebuilds within the burst' });
}));

test('the application: a signal that fails does not fail the mutation, and without settings there is none', { skip }, () => using({
  env: {}, pipeline: false,
}, async (weir, example) => {
  const nobody = new SchedulerClient({ ...optionsOf(weir), endpoint: 'http://127.0.0.1:1', maxAttempts: 1 });
  const failures = [];
  const signal = rebuildSignal(nobody, SIGNALS, (error) => failures.push(error));
  await new Kitchen(signal, optionsOf(weir)).saveIngredient('salt', 5);
  assert.equal(failures.length, 1);
  const unset = { send: () => assert.fail('a signal') };
  for (const env of [{}, { ...SIGNALS, REBUILD_TARGET_ARN: '' }, { ...SIGNALS, REBUILD_ROLE_ARN: undefined }]) {
    await new Kitchen(rebuildSignal(unset, env), optionsOf(weir)).saveIngredient('pepper', 7);
  }
  assert.deepEqual((await itemsOf(weir, 'ingredients')).map(({ id }) => id).sort(), ['pepper', 'salt']);
  assert.deepEqual(await example.calls(), []);
}));
