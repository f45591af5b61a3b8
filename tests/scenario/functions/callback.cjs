// Handlers of the scenario tests in the older styles.
'use strict';

exports.calls = (event, context, callback) => {
  setTimeout(() => callback(null, { called: event }), 5);
};

exports.callsWithError = (event, context, callback) => {
  callback(new RangeError('out of it'));
};

// The answer waits until the timer has run, unless the handler says otherwise.
exports.waits = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = event.waits;
  let done = false;
  setTimeout(() => { done = true; }, 50);
  callback(null, { get done() { return done; } });
};

exports.succeeds = (event, context) => context.succeed('well');

exports.returnsNothing = () => {};

exports.rejectsLater = () => new Promise(() => {
  setTimeout(() => Promise.reject(new Error('nobody caught this')), 5);
});

exports.streams = globalThis.awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType('application/json');
  stream.write('{"in":');
  stream.write('"parts"}');
  stream.end();
});

exports.nested = { deep: { handler: async () => 'deep' } };
