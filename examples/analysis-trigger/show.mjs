// Shows the sign: the current insight, and the last summaries.
//
//   node show.mjs [USER]

import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { connect } from './clients.mjs';

const user = process.argv[2] ?? 'ada';
const { Items } = await connect().send(new QueryCommand({
  TableName: 'insights', KeyConditionExpression: '#user = :user',
  ExpressionAttributeNames: { '#user': 'user' }, ExpressionAttributeValues: { ':user': user } }));

for (const { slot, line1, line2, generatedAt } of Items) {
  const width = Math.max(line1.length, line2.length, 21);
  const line = (text) => `| ${text.padEnd(width)} |`;
  console.log(`\n${slot}, ${generatedAt}`);
  console.log([`+${'-'.repeat(width + 2)}+`, line(line1), line(line2), `+${'-'.repeat(width + 2)}+`].join('\n'));
}
