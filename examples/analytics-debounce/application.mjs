// A small application: recipes and ingredients, stored with the AWS SDK. Whoever makes it may give it
// a signal (signal.mjs), for when the pipeline's debounce is not what rebuilds.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';

export const ENDPOINT = process.env.AWS_ENDPOINT_URL ?? 'http://127.0.0.1:8000';
export const OPTIONS = {
  endpoint: ENDPOINT, region: 'us-east-1', credentials: { accessKeyId: 'demo', secretAccessKey: 'demo' },
};

export class Kitchen {
  constructor(signal = async () => {}, options = OPTIONS) {
    this.docs = DynamoDBDocumentClient.from(new DynamoDBClient(options));
    this.signal = signal;
  }

  async mutate(command) {
    await this.docs.send(command);
    await this.signal();
  }

  saveRecipe(id, needs) {
    return this.mutate(new PutCommand({ TableName: 'recipes', Item: { id, needs, edited: new Date().toISOString() } }));
  }

  saveIngredient(id, cents) {
    return this.mutate(new PutCommand({ TableName: 'ingredients', Item: { id, cents, edited: new Date().toISOString() } }));
  }

  removeRecipe(id) {
    return this.mutate(new DeleteCommand({ TableName: 'recipes', Key: { id } }));
  }
}

const NAMES = ['basil', 'butter', 'carrot', 'cream', 'egg', 'flour', 'leek', 'lemon', 'milk', 'oil', 'onion', 'rice'];

// The same edits each time, as functions of a kitchen: prices, recipes, corrections, removals.
export function edits(count) {
  return Array.from({ length: count }, (_, n) => {
    const recipe = `recipe-${(n * 7) % 60}`;
    const needs = [n, n * 5 + 1, n * 3 + 2].map((at) => NAMES[at % NAMES.length]);
    if (n % 5 === 0) {
      return (kitchen) => kitchen.saveIngredient(NAMES[(n / 5) % NAMES.length], 20 + ((n * 37) % 180));
    }
    return n % 20 === 19 ? (kitchen) => kitchen.removeRecipe(`recipe-${((n - 1) * 7) % 60}`) // just saved
      : (kitchen) => kitchen.saveRecipe(recipe, needs);
  });
}
