// All benchmarks, or those named: node bench/run.mjs [start log pattern expr http queue invoke trigger reaction timers backlog debounce]

import { run as backlog } from './backlog.mjs';
import { run as debounce } from './debounce.mjs';
import { run as http } from './http.mjs';
import { run as invoke } from './invoke.mjs';
import { expr, log, pattern, reaction, timers, trigger } from './programs.mjs';
import { run as queue } from './queue.mjs';
import { run as start } from './start.mjs';

const BENCHES = { start, log, pattern, expr, http, queue, invoke, trigger, reaction, timers, backlog, debounce };

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(BENCHES);
const unknown = names.filter((name) => !(name in BENCHES));
if (unknown.length) {
  console.error(`bench: no ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}
for (const name of names) {
  await BENCHES[name]();
}
