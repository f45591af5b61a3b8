// One life of a process under a crash test's work, and a stream that is read across lives.

import assert from 'node:assert/strict';
import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { sqsOf } from './queues.mjs';
import { iteratorOf, recordsFrom, shardsOf } from './tables.mjs';

export const LIMIT_MS = 60_000; // until a weir that is back has caught up

// The process under load: `writes` are to be acknowledged, then `end` is called, once. Work goes on
// until `over` or until a request finds the connection broken.
export class Life {
  constructor(weir, writes, end) {
    this.weir = weir;
    this.left = writes;
    this.end = end;
    this.over = false;
    this.died = false;
    this.docs = DynamoDBDocumentClient.from(weir.client(DynamoDBClient));
    this.sqs = sqsOf(weir);
  }

  acknowledged() {
    this.left--;
    if (this.left === 0) {
      this.end(this);
    }
  }

  url(queue) {
    return `${this.weir.endpoint}/000000000000/${queue}`;
  }

  // The answer of the admin API, or undefined when the process died.
  async admin(path) {
    try {
      return await this.weir.request({ path });
    } catch {
      this.over = true;
      this.died = true;
      return undefined;
    }
  }

  // The answer, or undefined when the process died: what was asked may or may not have happened.
  async send(client, command) {
    try {
      return await client.send(command);
    } catch (error) {
      if (error.$metadata?.httpStatusCode) {
        throw error; // an answer that is no success: nothing here may fail so
      }
      this.over = true;
      this.died = true;
      return undefined;
    }
  }
}

// Reads a stream on from where it stopped the last time.
export class Stream {
  constructor(table) {
    this.table = table;
    this.positions = new Map(); // shard -> sequence number of the last record seen
    this.eventIds = new Set();
  }

  async arn(weir) {
    const { Table } = await weir.db.send(new DescribeTableCommand({ TableName: this.table }));
    return Table.LatestStreamArn;
  }

  // New records, in order within a shard; each is seen once.
  async readOn(weir) {
    const arn = await this.arn(weir);
    const all = [];
    for (const { ShardId } of await shardsOf(weir.streams, arn)) {
      const last = this.positions.get(ShardId);
      const iterator = last ? await iteratorOf(weir.streams, arn, ShardId, 'AFTER_SEQUENCE_NUMBER', last)
        : await iteratorOf(weir.streams, arn, ShardId, 'TRIM_HORIZON');
      for (const record of await recordsFrom(weir.streams, iterator)) {
        const number = record.dynamodb.SequenceNumber;
        const before = this.positions.get(ShardId);
        assert.ok(before === undefined || BigInt(number) > BigInt(before), 'sequence numbers go on after a crash');
        this.positions.set(ShardId, number);
        assert.ok(!this.eventIds.has(record.eventID), `record ${record.eventID} twice`);
        this.eventIds.add(record.eventID);
        all.push(record);
      }
    }
    return all;
  }
}
