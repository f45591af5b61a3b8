// The analysis: reads the readings of a window with the AWS SDK, and says in two lines what they
// mean. Nothing in here knows of weir; the pipeline cuts the lines to the sign.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const WINDOW_MS = { current: 3 * HOUR_MS, daily: DAY_MS, weekly: 7 * DAY_MS };
const LOW = 70;
const HIGH = 180;

const docs = DynamoDBDocumentClient.from(new DynamoDBClient({}));

// Items of a kind with times in (from, to], oldest first: one partition a day.
async function items(user, kind, from, to) {
  const found = [];
  for (let day = Math.floor(from / DAY_MS); day * DAY_MS <= to; day++) {
    let ExclusiveStartKey;
    do {
      const page = await docs.send(new QueryCommand({
        TableName: 'SignageTable', ExclusiveStartKey,
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: {
          ':pk': `USR#${user}#${kind}#${new Date(day * DAY_MS).toISOString().slice(0, 10)}`,
          ':from': new Date(from + 1).toISOString(), ':to': new Date(to).toISOString(),
        },
      }));
      found.push(...page.Items);
      ExclusiveStartKey = page.LastEvaluatedKey;
    } while (ExclusiveStartKey);
  }
  return found;
}

const mean = (values) => Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
const share = (values, test) => Math.round((100 * values.filter(test).length) / values.length);
const inRange = (value) => value >= LOW && value <= HIGH;

// In mg/dL and minute, over the last quarter of an hour.
function slope(readings) {
  const last = readings.at(-1);
  const first = readings.find(({ timestamp }) => last.timestamp - timestamp <= 15 * 60_000);
  return first === last ? 0 : (last.value - first.value) / ((last.timestamp - first.timestamp) / 60_000);
}

function direction(rate) {
  const words = Math.abs(rate) < 0.6 ? 'steady' : rate > 0 ? 'rising' : 'falling';
  return Math.abs(rate) > 2 ? `${words} quickly` : words;
}

function current(readings, carbs) {
  if (readings.length === 0) {
    return ['No readings', 'Is the sensor on?'];
  }
  const { value } = readings.at(-1);
  const rate = slope(readings);
  const soon = value + 20 * rate;
  const advice = value < LOW ? 'Low: eat something sweet now'
    : soon < LOW ? 'Low soon: have a snack at hand'
      : value > HIGH && rate >= 0 ? 'High: check the last bolus'
        : carbs.length > 0 ? `${carbs.at(-1).grams} g eaten, still at work`
          : `In range ${share(readings.map((one) => one.value), inRange)}% of 3 h`;
  return [`${value} mg/dL, ${direction(rate)}`, advice];
}

function summary(name, readings) {
  if (readings.length === 0) {
    return [`${name}: no readings`, 'Is the sensor on?'];
  }
  const values = readings.map(({ value }) => value);
  const lows = share(values, (value) => value < LOW);
  return [`${name}: ${share(values, inRange)}% in range`,
    `mean ${mean(values)}, ${lows > 0 ? `${lows}% low: look at the nights` : 'no lows at all'}`];
}

export const handler = async ({ kind, user, at }) => {
  const to = Date.parse(at);
  const from = to - WINDOW_MS[kind];
  const readings = await items(user, 'CGM', from, to);
  console.log(`${kind} analysis of ${readings.length} readings of ${user}`);
  if (kind === 'current') {
    return { lines: current(readings, await items(user, 'CARBS', from, to)) };
  }
  const lines = summary(kind === 'daily' ? 'Day' : 'Week', readings);
  await docs.send(new PutCommand({ TableName: 'summaries', Item: { user, slot: kind, lines, at } }));
  return { lines };
};
