// The rebuild: reads all recipes and ingredients with the AWS SDK, and writes what is computed from
// them. It may run twice for the same burst: it writes what is true now, whenever it runs.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';

const docs = DynamoDBDocumentClient.from(new DynamoDBClient({}));

async function all(TableName) {
  const found = [];
  let ExclusiveStartKey;
  do {
    const page = await docs.send(new ScanCommand({ TableName, ConsistentRead: true, ExclusiveStartKey }));
    found.push(...page.Items);
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
  return found;
}

const write = (subject, values) => docs.send(new PutCommand({ TableName: 'analytics', Item: { subject, ...values } }));

export const handler = async ({ count, first, last }) => {
  const [recipes, ingredients] = await Promise.all([all('recipes'), all('ingredients')]);
  const price = new Map(ingredients.map(({ id, cents }) => [id, cents]));
  const uses = new Map();
  const costs = recipes.map(({ id, needs = [] }) => {
    needs.forEach((one) => uses.set(one, (uses.get(one) ?? 0) + 1));
    return { id, cents: needs.reduce((sum, one) => sum + (price.get(one) ?? 0), 0) };
  }).sort((a, b) => b.cents - a.cents);
  const mean = costs.length ? Math.round(costs.reduce((sum, { cents }) => sum + cents, 0) / costs.length) : 0;
  await write('costs', { recipes: recipes.length, mean, dearest: costs.slice(0, 3) });
  await write('ingredients', {
    ingredients: ingredients.length,
    mostUsed: [...uses].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).slice(0, 3).map(([id, times]) => ({ id, times })),
    missing: [...uses.keys()].filter((id) => !price.has(id)).length,
  });
  console.log(count === undefined ? 'rebuilt because the schedule came'
    : `rebuilt for ${count} mutations, from ${first.keys.id} to ${last.keys.id}`);
  return { recipes: recipes.length, ingredients: ingredients.length };
};
