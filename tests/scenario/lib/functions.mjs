// Functions, for the scenario tests.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { ROOT } from './weir.mjs';

export const HANDLERS = path.join(ROOT, 'tests', 'scenario', 'functions');

// A client and a function that invokes: {status, error, result, log, requestId}.
export function lambdaOf(weir, options) {
  const client = weir.client(LambdaClient, options);
  const invoke = async (FunctionName, event, rest = {}) => {
    const Payload = event === undefined ? undefined : Buffer.from(JSON.stringify(event));
    const answer = await client.send(new InvokeCommand({ FunctionName, Payload, LogType: 'Tail', ...rest }));
    const text = Buffer.from(answer.Payload ?? []).toString('utf8');
    return {
      status: answer.StatusCode,
      error: answer.FunctionError,
      result: text === '' ? undefined : JSON.parse(text),
      log: answer.LogResult === undefined ? undefined : Buffer.from(answer.LogResult, 'base64').toString('utf8'),
      version: answer.ExecutedVersion,
      requestId: answer.$metadata.requestId,
    };
  };
  return { client, invoke };
}

// An invocation that must go well: its result.
export function resultOf(invoke) {
  return async (...args) => {
    const { status, error, result } = await invoke(...args);
    assert.deepEqual({ status, error }, { status: 200, error: undefined }, JSON.stringify(result));
    return result;
  };
}

// The most handlers that a file of "+pid" and "-pid" lines, as `sleeps` writes it, shows at once.
export function mostAtOnce(file) {
  let now = 0;
  let most = 0;
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    now += line.startsWith('+') ? 1 : -1;
    most = Math.max(most, now);
  }
  return most;
}

// Whether a process runs (a zombie does not).
export function isAlive(pid) {
  if (!existsSync(`/proc/${pid}/stat`)) {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
