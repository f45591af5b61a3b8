// Edits recipes and ingredients in a burst, waits for the rebuild, and shows what it made.
//
//   node edit.mjs [--mutations 1000]            the pipeline's debounce rebuilds
//   node edit.mjs --signal                      and the application asks the Scheduler API, too

import { parseArgs } from 'node:util';
import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { edits, ENDPOINT, Kitchen, OPTIONS } from './application.mjs';
import { rebuildSignal } from './signal.mjs';

const { values: options } = parseArgs({ options: {
  mutations: { type: 'string', default: '1000' }, signal: { type: 'boolean', default: false },
} });
const mutations = Number(options.mutations);
const kitchen = new Kitchen(options.signal ? rebuildSignal(new SchedulerClient(OPTIONS)) : undefined);

// How often the function has run since weir started.
async function runs() {
  const text = await (await fetch(`${ENDPOINT}/metrics`)).text();
  return Number(/^weir_function_invocations_total\{function="rebuild"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

async function items(TableName) {
  return (await kitchen.docs.send(new ScanCommand({ TableName, ConsistentRead: true }))).Items;
}

async function until(test, what, limitMs = 120_000) {
  const end = performance.now() + limitMs;
  while (!await test()) {
    if (performance.now() > end) {
      throw new Error(`${what} did not happen within ${limitMs / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const before = await runs();
const known = new Set((await items('rebuilds')).map(({ due }) => due));
const began = performance.now();
for (const edit of edits(mutations)) {
  await edit(kitchen);
}
const written = performance.now();
console.log(`${mutations} mutations in ${((written - began) / 1000).toFixed(2)} s`
  + `${options.signal ? ', each with a signal to the Scheduler API' : ''}`);

const news = async () => (await items('rebuilds')).filter(({ due }) => !known.has(due));
const expected = options.signal ? 2 : 1; // the schedule's run, and the pipeline's
await until(async () => (await news()).reduce((sum, { count }) => sum + count, 0) >= mutations
  && await runs() >= before + expected, 'the rebuild');
console.log(`rebuilt ${((performance.now() - written) / 1000).toFixed(2)} s after the last one; `
  + `runs: ${await runs() - before} (${options.signal ? 'one of the pipeline, one of the schedule' : 'of the pipeline'})`);
for (const { count, first, last, since, due } of await news()) {
  console.log(`  the pipeline's stood for ${count} mutations, from ${first} to ${last}, since ${since}, due ${due}`);
}
for (const { subject, ...values } of await items('analytics')) {
  console.log(`  ${subject}: ${JSON.stringify(values)}`);
}
process.exitCode = (await runs()) - before === expected ? 0 : 1;
