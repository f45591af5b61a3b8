// Short forms for schedules, for the scenario tests.

import { CreateScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';

export const ROLE = 'arn:aws:iam::000000000000:role/scheduler';

export function schedulerOf(weir, options) {
  return weir.client(SchedulerClient, options);
}

export function queueArn(name) {
  return `arn:aws:sqs:us-east-1:000000000000:${name}`;
}

// What CreateSchedule needs at least, for a queue.
export function scheduleRequest(Name, ScheduleExpression, queue, Input, rest = {}) {
  const { Target, ...more } = rest;
  return {
    Name, ScheduleExpression, FlexibleTimeWindow: { Mode: 'OFF' },
    Target: { Arn: queueArn(queue), RoleArn: ROLE, Input, ...Target }, ...more,
  };
}

export function createSchedule(scheduler, ...request) {
  return scheduler.send(new CreateScheduleCommand(scheduleRequest(...request)));
}

// at(...) for so many milliseconds from now.
export function atIn(ms, fraction = true) {
  const text = new Date(Date.now() + ms).toISOString();
  return `at(${fraction ? text.slice(0, 23) : text.slice(0, 19)})`;
}
