// Handlers of streams, for tests of the step invoke. What they get is kept in a file, a line a call.

import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const note = (value) => appendFileSync(process.env.CALLS, `${JSON.stringify(value)}\n`);
const imageOf = ({ dynamodb }) => dynamodb.NewImage;

// Fails while a file is there, or when a record says so.
export async function handler(event, context) {
  note({ event, id: context.awsRequestId });
  if (existsSync(`${process.env.CALLS}.fail`) || event.Records?.some((r) => imageOf(r)?.poison)) {
    throw new RangeError('this is poison');
  }
  return { count: event.Records?.length, ids: event.Records?.map((r) => imageOf(r).id.S) };
}

// Says which records failed.
export async function reports(event) {
  note({ event });
  const failed = event.Records.filter((r) => imageOf(r)?.poison);
  return { batchItemFailures: failed.map((r) => ({ itemIdentifier: r.dynamodb.SequenceNumber })) };
}

export async function wrongReport(event) {
  note({ event });
  return { batchItemFailures: [{ itemIdentifier: 'nobody' }] };
}

export async function doubles({ n }) {
  note({ n });
  return { twice: 2 * n };
}

// Takes a moment, and as long as a file is there.
export async function slow(event) {
  note({ began: Date.now(), count: event.Records.length });
  do {
    await sleep(30);
  } while (existsSync(`${process.env.CALLS}.hold`));
  note({ ended: Date.now() });
  return null;
}

const failedBefore = new Set();

// Fails with poison, and the first time that it sees a flaky record; or says which ones failed.
export async function unsteady({ Records }) {
  const images = Records.map(imageOf);
  note({ ids: images.map(({ id }) => id.S), at: Date.now() });
  const flaky = images.filter(({ id, flaky: is }) => is && !failedBefore.has(id.S));
  flaky.forEach(({ id }) => failedBefore.add(id.S));
  if (flaky.length || images.some(({ poison }) => poison?.S === 'throws')) {
    throw new RangeError('this is poison');
  }
  const failed = Records.filter((r) => imageOf(r).poison);
  return { batchItemFailures: failed.map((r) => ({ itemIdentifier: r.dynamodb.SequenceNumber })) };
}

// Adds up the numbers of a window's records, and answers `totals` at its end, which fails while a file is there.
export async function windows(event) {
  note({ event: { ...event, state: { ...event.state, padding: event.state.padding?.length } } });
  if (event.isFinalInvokeForWindow && existsSync(`${process.env.CALLS}.fail`)) {
    throw new RangeError('not now');
  }
  const state = { sum: event.state.sum ?? 0 };
  for (const { dynamodb } of event.Records) {
    state.sum += Number(dynamodb.NewImage.n.N);
    state.padding = dynamodb.NewImage.large && 'x'.repeat(2 << 20);
  }
  return { state, totals: event.isFinalInvokeForWindow ? [{ from: event.window.start, sum: state.sum }] : [] };
}

// Of a queue: says which messages failed.
export async function messages(event) {
  note({ event });
  const failed = event.Records.filter(({ body }) => body === 'poison');
  return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
}

// Of a queue: fails as a whole with poison.
export async function strict(event) {
  note({ event });
  if (event.Records.some(({ body }) => body === 'poison')) {
    throw new RangeError('this is poison');
  }
}

// Of a queue: says how many of it run at once.
export async function busy({ Records }) {
  note({ began: Date.now(), count: Records.length });
  await sleep(100);
  note({ ended: Date.now() });
}
