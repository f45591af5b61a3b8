// A handler that schedules run: keeps what it got, one event a line.

import { appendFileSync } from 'node:fs';

export async function keep(event) {
  appendFileSync(process.env.KEPT, `${JSON.stringify(event)}\n`);
}

export async function keepAndFail(event) {
  appendFileSync(process.env.KEPT, `${JSON.stringify(event)}\n`);
  throw new Error('not today');
}
