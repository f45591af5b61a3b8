// Proves the dashboard right: reads every change of the source table from its stream, applies the
// rules to it in plain JavaScript, and compares with the dashboard table, field by field.
//
//   node verify.mjs        exits with 1 when anything differs

import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { DescribeStreamCommand, GetRecordsCommand, GetShardIteratorCommand } from '@aws-sdk/client-dynamodb-streams';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { connect, pages } from './clients.mjs';
import { DASHBOARD, dashboardKey, differences, Fold, SOURCE } from './rules.mjs';

const SHOWN = 20;
const { docs, streams } = connect();

// Feed the fold with all records of a shard. An open shard is read when an answer is empty twice.
async function foldShard(fold, StreamArn, ShardId) {
  let { ShardIterator } = await streams.send(new GetShardIteratorCommand(
    { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' }));
  let count = 0;
  for (let empty = 0; ShardIterator && empty < 2;) {
    const answer = await streams.send(new GetRecordsCommand({ ShardIterator }));
    answer.Records.forEach((record) => fold.record(record));
    count += answer.Records.length;
    empty = answer.Records.length ? 0 : empty + 1;
    ShardIterator = answer.NextShardIterator;
  }
  return count;
}

const { Table } = await docs.send(new DescribeTableCommand({ TableName: SOURCE }));
const fold = new Fold();
let records = 0;
let shards = 0;
for (let ExclusiveStartShardId; ;) {
  const { StreamDescription } = await streams.send(new DescribeStreamCommand(
    { StreamArn: Table.LatestStreamArn, ExclusiveStartShardId }));
  for (const { ShardId } of StreamDescription.Shards) {
    records += await foldShard(fold, Table.LatestStreamArn, ShardId);
    shards++;
  }
  ExclusiveStartShardId = StreamDescription.LastEvaluatedShardId;
  if (!ExclusiveStartShardId) {
    break;
  }
}

const actual = new Map();
for await (const page of pages(docs, ScanCommand, { TableName: DASHBOARD })) {
  page.Items.forEach((item) => actual.set(dashboardKey(item), item));
}
const lines = differences(fold.dashboard(), actual);
if (lines.length) {
  console.log(lines.slice(0, SHOWN).join('\n'));
  console.log(`${lines.length} differences in ${actual.size} dashboard items`);
  process.exitCode = 1;
} else {
  console.log(`exact match: ${records} changes in ${shards} shards make these ${actual.size} dashboard items`);
}
