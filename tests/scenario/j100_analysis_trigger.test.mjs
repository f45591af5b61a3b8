// The analysis trigger, by its own weir.yaml: a day and a backfill on virtual time, and the real
// function with kill -9.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { BatchWriteCommand, GetCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { DAY_MS, glucose, item, meals, readings, treatments } from '../../examples/analysis-trigger/glucose.mjs';
import { Example } from './lib/examples.mjs';
import { lambdaOf, resultOf } from './lib/functions.mjs';
import { allItems, parallel, seeded } from './lib/tables.mjs';
import { Weir, elsewhere, eventually } from './lib/weir.mjs';

const skip = elsewhere !== undefined;
const SIGN_WIDTH = 21;
const LIVES = 6;
let example;

before(async () => { example = await new Example('analysis-trigger').open(); });
after(() => example.close());

const analyses = (weir) => allItems(weir.docs, ScanCommand, { TableName: 'analyses', ConsistentRead: true });
const standFor = (all) => all.reduce((sum, one) => sum + one.readings, 0);
const insight = async (weir, slot) => (await weir.docs.send(new GetCommand({
  TableName: 'insights', Key: { user: 'ada', slot }, ConsistentRead: true }))).Item;

test('288 readings of a day are 288 analyses, a backfill of 4,032 adds none', { skip }, async () => {
  const { code, stdout } = await example.test('day.yaml');
  assert.equal(code, undefined, stdout);
  assert.match(stdout, /^3 passed, 0 failed/m);
});

test('the generator has the shape of a day, the same for the same seed', () => {
  const from = Date.UTC(2026, 0, 1);
  for (const seed of [1, 2, 3]) {
    const values = [...readings({ seed, from, to: from + 14 * DAY_MS })].map(({ value }) => value);
    assert.equal(values.length, 4032);
    assert.deepEqual(values, [...readings({ seed, from, to: from + 14 * DAY_MS })].map(({ value }) => value));
    assert.ok(values.every((value) => value >= 40 && value <= 400));
    assert.ok(values.slice(1).every((value, at) => Math.abs(value - values[at]) <= 30), 'no jumps');
    const spread = (all) => Math.max(...all) - Math.min(...all);
    for (let day = 0; day < 14; day++) {
      const nightly = values.slice(day * 288 + 24, day * 288 + 60);
      assert.ok(spread(nightly) < spread(values.slice(day * 288, day * 288 + 288)) / 2, 'nights are quiet');
    }
    const days = Array.from({ length: 14 }, (_, day) => meals(seed, from / DAY_MS + day)).flat();
    const rose = days.filter(({ time }) => glucose(seed, time + 40 * 60_000) > glucose(seed, time));
    assert.ok(rose.length > 0.9 * days.length, 'a meal raises it');
    const kinds = new Set([...treatments({ seed, from, to: from + DAY_MS })].map(({ pk }) => pk.split('#')[2]));
    assert.deepEqual([...kinds].sort(), ['BASAL', 'BOLUS', 'CARBS']);
  }
  const [one, two] = [1, 2].map((seed) => [...readings({ seed, from, to: from + DAY_MS })].map(({ value }) => value));
  assert.notDeepEqual(one, two);
});

test('no run is lost, none overlaps, and none is stored twice, whenever weir is killed', { skip }, async () => {
  const weir = new Weir({ config: await example.watched('analyse') });
  weir.env = { ANALYSIS_COOLDOWN: '200ms' };
  await weir.start();
  const random = seeded(11);
  let attempted = 0;
  let acknowledged = 0;
  try {
    const to = Date.now() - 15 * 60_000;
    const history = [...readings({ from: to - 14 * DAY_MS, to })];
    const groups = Array.from({ length: Math.ceil(history.length / 25) }, (_, at) => history.slice(at * 25, at * 25 + 25));
    await parallel(groups, 8, (group) => weir.docs.send(new BatchWriteCommand({
      RequestItems: { SignageTable: group.map((Item) => ({ PutRequest: { Item } })) } })));
    for (let life = 0; life < LIVES; life++) {
      // Killed at any point: while it idles, in an analysis, in a pause with something held back.
      const killed = new Promise((resolve) => setTimeout(resolve, 400 + random() * 1200)).then(() => weir.kill());
      const write = async () => {
        for (;;) {
          const time = Date.now();
          attempted++;
          try {
            await weir.docs.send(new PutCommand({ TableName: 'SignageTable',
              Item: item('ada', 'CGM', time, { value: glucose(1, time), n: attempted }) }));
          } catch {
            return;
          }
          acknowledged++;
          await new Promise((resolve) => setTimeout(resolve, random() * 150));
        }
      };
      await Promise.all([write(), killed]);
      await weir.start();
    }
    const last = item('ada', 'CGM', Date.now(), { value: 123 });
    await weir.docs.send(new PutCommand({ TableName: 'SignageTable', Item: last }));
    attempted++;
    acknowledged++;
    const all = await eventually(async () => {
      const found = await analyses(weir);
      return found.some(({ reading }) => reading === last.sk) && found;
    }, { what: 'the last analysis' });
    assert.ok(standFor(all) >= acknowledged && standFor(all) <= attempted,
      `${standFor(all)} of ${acknowledged} acknowledged, ${attempted} attempted`);
    assert.ok(all.length < acknowledged, `${all.length} analyses of ${acknowledged} readings`);

    // A call that has not ended when the next one begins was killed; one that ended was stored, or
    // killed before it was.
    const notes = await example.notes();
    const overlaps = notes.filter(({ begins }, at) => begins && notes[at - 1]?.begins).length;
    assert.ok(overlaps <= LIVES, `${overlaps} calls began while another one ran`);
    const calls = notes.filter(({ begins }) => begins).length;
    assert.ok(calls >= all.length && calls <= all.length + LIVES, `${calls} calls for ${all.length} analyses`);

    const { line1, line2 } = await insight(weir, 'current');
    assert.match(line1, /^123 mg\/dL, /);
    assert.ok(line1.length <= SIGN_WIDTH && line2.length > 0 && line2.length <= SIGN_WIDTH);

    const invoke = resultOf(lambdaOf(weir).invoke);
    const { lines } = await invoke('analyse', { kind: 'weekly', user: 'ada', at: new Date().toISOString() });
    const weekly = await eventually(() => insight(weir, 'weekly'));
    assert.match(weekly.line1, /^Week: \d+% in range$/);
    assert.ok(weekly.line2.length <= SIGN_WIDTH && lines[1].startsWith(weekly.line2));
  } finally {
    await weir.close();
  }
});
