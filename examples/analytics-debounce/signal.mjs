// The second way: an application that asks EventBridge Scheduler for the rebuild, and puts it off
// with each mutation. It is the same code with AWS.
//
//   REBUILD_TARGET_ARN   the function; without it nothing is signalled
//   REBUILD_ROLE_ARN     what the scheduler runs it as
//   REBUILD_SCHEDULE     the schedule's name: analytics-rebuild
//   REBUILD_QUIET_S      how long it must be quiet: 300
//   REBUILD_MAX_WAIT_S   the longest time after the first mutation: 1800

import { CreateScheduleCommand, UpdateScheduleCommand } from '@aws-sdk/client-scheduler';

const number = (text, fallback) => (text === undefined ? fallback : Number(text));

// `signal()` after each mutation. It never throws: a mutation that is stored is not to fail because
// of what comes of it. `failed(error)` is told instead.
export function rebuildSignal(scheduler, env = process.env, failed = console.error, clock = Date.now) {
  const { REBUILD_TARGET_ARN: Arn, REBUILD_ROLE_ARN: RoleArn } = env;
  if (!Arn || !RoleArn) {
    return async () => {};
  }
  const quietMs = 1000 * number(env.REBUILD_QUIET_S, 300);
  const maxWaitMs = 1000 * number(env.REBUILD_MAX_WAIT_S, 1800);
  let began = 0; // the first mutation of the burst that this process knows of
  let due = 0;

  const schedule = () => ({
    Name: env.REBUILD_SCHEDULE ?? 'analytics-rebuild',
    ScheduleExpression: `at(${new Date(due).toISOString().slice(0, 19)})`,
    ScheduleExpressionTimezone: 'UTC',
    FlexibleTimeWindow: { Mode: 'OFF' },
    Target: { Arn, RoleArn, Input: '{}' },
  });
  const update = () => scheduler.send(new UpdateScheduleCommand(schedule()));
  const create = () => scheduler.send(new CreateScheduleCommand(schedule()));
  const otherwise = (name, next) => (error) => {
    if (error.name !== name) {
      throw error;
    }
    return next();
  };
  // A conflict: another process has created it in between.
  const putOff = () => update().catch(otherwise('ResourceNotFoundException', create))
    .catch(otherwise('ConflictException', update)).catch(failed);

  // One request at a time, so that none overtakes a later one; what is signalled meanwhile shares the next.
  let sending = Promise.resolve();
  let waiting;
  return () => {
    const now = clock();
    if (now >= due) {
      began = now;
    }
    // Schedules have whole seconds: the next one, so that it is never too early.
    due = Math.ceil(Math.min(now + quietMs, began + maxWaitMs) / 1000) * 1000;
    waiting ??= sending = sending.then(() => {
      waiting = undefined;
      return putOff();
    });
    return waiting;
  };
}
