// Queues and a process that is killed: what was acknowledged holds.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DeleteMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { attributesOf, createQueue, receive, sqsOf } from './lib/queues.mjs';
import { elsewhere, startWeir } from './lib/weir.mjs';

const skip = elsewhere ? 'needs a weir of its own' : false;
const WRITERS = 8;
const SENDS = 60;

const config = `queues:
  work: { visibility_timeout: 12h, redrive: { queue: failed, after: 1000 } }
  failed: {}
`;

let weir;

before(async () => {
  weir = skip ? undefined : await startWeir({ config });
});
after(() => weir?.close());

test('a kill loses nothing that was sent and brings back nothing that was deleted', { skip },
  async () => {
    let sqs = sqsOf(weir);
    const url = () => `${weir.endpoint}/000000000000/work`;
    assert.equal((await attributesOf(sqs, url())).VisibilityTimeout, '43200');
    const sent = new Set();
    const unsure = new Set(); // sends and deletes without an answer
    const deleted = new Set();
    let answers = 0;
    const write = async (writer) => {
      for (let i = 0; i < SENDS; i++) {
        const body = `${writer}-${i}`;
        unsure.add(body);
        await sqs.send(new SendMessageCommand({ QueueUrl: url(), MessageBody: body }));
        sent.add(body);
        unsure.delete(body);
        answers++;
        if (answers === WRITERS * SENDS / 2) {
          weir.kill();
        }
      }
    };
    const remove = async () => {
      for (;;) {
        for (const { Body, ReceiptHandle } of await receive(sqs, url(), { WaitTimeSeconds: 20 })) {
          if (Number(Body.split('-')[1]) % 2 === 0) {
            unsure.add(Body);
            await sqs.send(new DeleteMessageCommand({ QueueUrl: url(), ReceiptHandle }));
            deleted.add(Body);
            unsure.delete(Body);
          }
        }
      }
    };
    await Promise.allSettled([remove(), remove(),
      ...Array.from({ length: WRITERS }, (_, writer) => write(writer))]);
    await weir.exited;
    await weir.start();
    sqs = sqsOf(weir);
    const left = new Set();
    for (let messages = await receive(sqs, url()); messages.length > 0;
      messages = await receive(sqs, url())) {
      messages.forEach(({ Body }) => left.add(Body));
    }
    const counts = await attributesOf(sqs, url());
    assert.equal(counts.ApproximateNumberOfMessages, '0');
    for (const body of left) {
      assert.ok(!deleted.has(body), `${body} was deleted, and is back`);
      assert.ok(sent.has(body) || unsure.has(body), `${body} was never sent`);
    }
    // What was received and not deleted before the kill is hidden still; nothing else is missing.
    const hidden = Number(counts.ApproximateNumberOfMessagesNotVisible);
    const gone = [...sent].filter((body) => deleted.has(body) && !unsure.has(body)).length;
    const atLeast = sent.size - gone - [...unsure].filter((body) => sent.has(body)).length;
    assert.ok(hidden >= atLeast, `${hidden} messages are there, at least ${atLeast} must be`);
    assert.ok(hidden <= sent.size - gone + unsure.size, `${hidden} messages are too many`);
    assert.ok(deleted.size > 0 && sent.size > 0);
  });
