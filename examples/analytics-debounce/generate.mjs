// Writes edits into files for `weir test` and `weir simulate`.
//
//   node generate.mjs --records FOLDER   burst.jsonl and endless.jsonl; signals.yaml, in which the
//                                        application's calls of the Scheduler API are steps of a test

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { edits } from './application.mjs';
import { rebuildSignal } from './signal.mjs';

const START_MS = Date.UTC(2026, 0, 15, 9);
const { values: { records } } = parseArgs({ options: { records: { type: 'string', default: '.' } } });

// The lines that so many edits are, one every so many milliseconds.
async function lines(count, everyMs) {
  const written = [];
  const stored = new Map();
  let n = 0;
  const add = (table, id, item) => {
    const old = stored.get(table + id);
    stored.set(table + id, item);
    written.push(JSON.stringify({ table, ...(item && { new: item }), ...(old && { old }),
      at: new Date(START_MS + n * everyMs).toISOString() }));
  };
  const recorder = {
    saveRecipe: (id, needs) => add('recipes', id, { id, needs, edit: n }),
    saveIngredient: (id, cents) => add('ingredients', id, { id, cents, edit: n }),
    removeRecipe: (id) => add('recipes', id),
  };
  edits(count).forEach((edit, at) => {
    n = at;
    edit(recorder);
  });
  return written;
}

for (const [name, count, everyMs] of [['burst.jsonl', 1000, 1000], ['endless.jsonl', 400, 15_000]]) {
  const written = await lines(count, everyMs);
  writeFileSync(path.join(records, name), `${written.join('\n')}\n`);
  console.log(`${name}: ${written.length} lines`);
}

// The steps of a test that so many signals are, one every so many seconds: what the application
// would send, when, and which answer it counts on.
async function signals(count, everySeconds) {
  let now = START_MS;
  let exists = false;
  const steps = [];
  const step = (name, what) => steps.push(`    - ${name}: ${JSON.stringify(what)}`);
  const scheduler = {
    send: async ({ constructor, input }) => {
      const operation = `Scheduler.${constructor.name.replace('Command', '')}`;
      const error = operation === 'Scheduler.UpdateSchedule' && !exists ? 'ResourceNotFoundException' : undefined;
      exists = true;
      step('call', { operation, with: input, ...(error && { error }) });
      if (error) {
        throw Object.assign(new Error(error), { name: error });
      }
    },
  };
  const signal = rebuildSignal(scheduler, {
    REBUILD_TARGET_ARN: 'arn:aws:lambda:us-east-1:000000000000:function:rebuild',
    REBUILD_ROLE_ARN: 'arn:aws:iam::000000000000:role/scheduler',
  }, (error) => { throw error; }, () => now);
  for (let n = 0; n < count; n++) {
    if (n > 0) {
      step('advance', `${everySeconds}s`);
      now += everySeconds * 1000;
    }
    await signal();
  }
  return steps.join('\n');
}

writeFileSync(path.join(records, 'signals.yaml'), `# Written by generate.mjs.
config: weir.yaml
start: ${new Date(START_MS).toISOString()}
functions:
  rebuild: { returns: null }
tests:
  a thousand signals are one run, five minutes after the last:
${await signals(1000, 1)}
    - expect: { function: rebuild, count: 0, for: 299s }
    - expect: { function: rebuild, calls: [{ at: +1299s, event: {} }], within: 1s }
    - expect: { function: rebuild, count: 1, for: 1h }
  signals without an end are a run every half hour:
${await signals(400, 15)}
    - advance: 30m
    - expect: { function: rebuild, calls: [{ at: +1800s }, { at: +3600s }, { at: +5400s }, { at: +6285s }] }
`);
console.log('signals.yaml: 2 tests');
