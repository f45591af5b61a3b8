// Kill -9 at random moments under concurrent work on tables, pipelines and queues. After every
// restart each acknowledged write is there, an unacknowledged one is wholly there or not at all, the
// stream tells one consistent story, and what is made of it is what that story makes it: nothing
// lost, nothing doubled (lib/crash.mjs).
//
//   WEIR_CRASH_RUNS  how many kills (20)
//   WEIR_SEED        repeats a run's choices, though not its timing

import test from 'node:test';
import { World } from './lib/crash.mjs';
import { elsewhere } from './lib/weir.mjs';

const RUNS = Number(process.env.WEIR_CRASH_RUNS ?? 20);
const SEED = Number(process.env.WEIR_SEED ?? 20251125);
const KILLS_OF_A_FOLDER = 50;

async function killAndCheck(world, run) {
  // Mostly soon, now and then late: a crash right after a start is as good as any.
  await world.loadAndKill(1 + world.below(world.random() < 0.3 ? 10 : 200));
  await world.start();
  if (world.random() < 0.2) {
    await world.weir.kill(); // while it recovers its pipelines
    await world.start();
  }
  await world.check(`run ${run}, seed ${SEED}`);
}

test(`${RUNS} kills lose nothing and double nothing (seed ${SEED})`, { skip: elsewhere }, async (t) => {
  for (let run = 1, folder = 0; run <= RUNS; folder++) {
    const world = new World(SEED + folder);
    await world.start();
    for (let kills = 0; kills < KILLS_OF_A_FOLDER && run <= RUNS; kills++, run++) {
      await killAndCheck(world, run);
    }
    await world.weir.stop();
    await world.finish(`after run ${run - 1}, seed ${SEED}`);
    t.diagnostic(world.summary());
  }
});
