// Writes edits into files for `weir test` and `weir simulate`.
//
//   node generate.mjs --records FOLDER   burst.jsonl and endless.jsonl

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { edits } from './application.mjs';

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
