// Dies at every crash point of the sources (src/base/crash.h), early and in the middle of work on
// tables, pipelines and queues; then the same must hold as after any kill. The points are read from
// the sources, so that none is forgotten, and one that is not reached fails.
//
//   WEIR_CRASH_RUNS    with it, dies at the second and third pass too
//   WEIR_CRASH_POINTS  only points that begin so

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { World } from './lib/crash.mjs';
import { elsewhere, eventually, ROOT } from './lib/weir.mjs';

const STATUS = 86; // WEIR_CRASH_STATUS
const FIRST_PASSES = process.env.WEIR_CRASH_RUNS ? [1, 2, 3] : [1];
const LATE_PASS = 20; // in the middle of work, where groups hold several transactions
const WRITES = 400; // within so many every point is passed often enough; some 3 MiB of log
const MORE_WRITES = 2000; // for what only some of the work passes
const EARLIER_WRITES = 1000; // so that reading the log takes more than one batch
const SEED = 11;
const SIDE_BY_SIDE = 3; // worlds, each of which waits now and then

// Passed once in a data folder's life, so each pass needs a new one.
const IN_A_NEW_FOLDER = /^(folder|segment|ballast)\.|^log\.(rolled|footer_written)$/;
// Passed once in a process's life, so each pass is another process's first.
const ONCE = /^(folder|ballast|recover|retire|stop)\.|^log\.(rolled|footer_written)$/;
// Passed only when there is something from an earlier life: a log to read, letters.
const AFTERWARDS = /^(recover|retire|redrive|quarantine)\./;
// Passed only in work on letters, which are no letters before what failed has been tried again.
const WITH_LETTERS = /^(redrive|quarantine)\./;
// Passed by some of the work only.
const SELDOM = /^(retry|quarantine|redrive|job|rebuild|replay|deferred)\./;
// Passed again and again.
const OFTEN = /^commit\.|^log\.(written|synced)$/;

function points() {
  const sources = readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.c'));
  const found = sources.flatMap((name) => [...readFileSync(path.join(ROOT, 'src', name), 'utf8')
    .matchAll(/\bweir_crash_point\("([^"]+)"\)/g)].map(([, point]) => point));
  assert.equal(new Set(found).size, found.length, 'two points of one name');
  return found.sort().filter((point) => point.startsWith(process.env.WEIR_CRASH_POINTS ?? ''));
}

// Start with a point armed; whether it lived through the start.
async function startArmed(world, point, pass) {
  world.weir.env = { WEIR_CRASH_AT: `${point}:${pass}` };
  try {
    await world.start(point.startsWith('redrive.'));
    return true;
  } catch (error) {
    assert.equal(await world.weir.ended(), STATUS, error.message);
    return false;
  } finally {
    world.weir.env = {};
  }
}

// Work until the process dies at the point, or in stopping.
async function die(world, point, pass) {
  if (!await startArmed(world, point, pass)) {
    return;
  }
  const died = await world.load(SELDOM.test(point) ? MORE_WRITES : WRITES, (life) => {
    life.over = true;
  });
  if (point.startsWith('stop.')) {
    world.weir.child.kill('SIGTERM');
  } else if (!died) { // the pipelines still work
    const { child } = world.weir;
    await eventually(() => child.exitCode !== null, { what: `pass ${pass} of ${point}` });
  }
  assert.equal(await world.weir.ended(), STATUS, `the process must die at ${point}`);
}

async function dieAt(point) {
  let world;
  for (const pass of OFTEN.test(point) ? [...FIRST_PASSES, LATE_PASS] : FIRST_PASSES) {
    if (!world || IN_A_NEW_FOLDER.test(point)) {
      await world?.finish(`${point}, at the end`);
      world = new World(SEED + pass);
    }
    if (AFTERWARDS.test(point) && (pass === 1 || point.includes('retire'))) {
      await world.start(false);
      await world.loadAndKill(EARLIER_WRITES);
      if (WITH_LETTERS.test(point)) {
        await world.start(false);
        await world.check(`before ${point}`);
        await world.weir.kill();
      }
    }
    await die(world, point, ONCE.test(point) ? 1 : pass);
    await world.start(false);
    await world.check(`${point}, pass ${pass}`);
    await world.weir.kill(); // what it has not flushed is for the next to read from the log
  }
  await world.finish(`${point}, at the end`);
}

describe('crash points', { concurrency: SIDE_BY_SIDE, skip: elsewhere }, () => {
  points().forEach((point) => test(point, () => dieAt(point)));
});
