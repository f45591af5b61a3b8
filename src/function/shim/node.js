// Runs a handler ("index.handler") for weir: loads its module, and feeds it the events that weir
// hands out through the Lambda Runtime API. Read by node from standard input, so it must be a
// CommonJS script. It speaks HTTP itself: one connection, on which each answer asks for the next
// event as well (Weir-Next), so that there is one request for each event.
'use strict';

const fs = require('fs');
const net = require('net');
const path = require('path');
const { pathToFileURL } = require('url');

const [HOST, PORT] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const ROOT = process.env.LAMBDA_TASK_ROOT;
const HANDLER = process.env._HANDLER;
process.env.AWS_EXECUTION_ENV ??= `AWS_Lambda_nodejs${process.versions.node.split('.')[0]}.x`;
const API = '/2018-06-01/runtime';
const NEXT = `GET ${API}/invocation/next HTTP/1.1\r\nHost: ${HOST}:${PORT}\r\n\r\n`;
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const EXTENSIONS = ['', '.js', '.mjs', '.cjs'];
const EXIT_UNHANDLED = 129;
const SMALL = 16 * 1024; // characters of an answer that goes out in one piece

// --- talking to weir --------------------------------------------------------------------------

const socket = net.connect({ host: HOST, port: Number(PORT), noDelay: true });
let received = Buffer.alloc(0);
let waiting = []; // what to call with each answer, in the order of the requests
socket.on('error', (error) => {
  console.error(`cannot talk to weir: ${error.message}`);
  process.exit(1);
});
socket.on('close', () => process.exit(1)); // weir has ended

// One answer taken from the front of a buffer, or undefined when it is not whole yet.
function takeAnswer(buffer) {
  const end = buffer.indexOf('\r\n\r\n');
  if (end < 0) {
    return undefined;
  }
  const [first, ...lines] = buffer.latin1Slice(0, end).split('\r\n');
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const from = end + 4;
  const to = from + Number(headers['content-length'] || 0);
  if (buffer.length < to) {
    return undefined;
  }
  return {
    answer: { status: Number(first.slice(9, 12)), headers, body: buffer.subarray(from, to) },
    rest: buffer.subarray(to),
  };
}

socket.on('data', (bytes) => {
  received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
  for (let taken = takeAnswer(received); taken; taken = takeAnswer(received)) {
    received = taken.rest;
    waiting.shift()(taken.answer);
  }
});

// The body is a string or a buffer.
function post(where, headers, body, then) {
  waiting.push(then);
  const head = `POST ${API}${where} HTTP/1.1\r\nHost: ${HOST}:${PORT}\r\n${headers}`
    + `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  if (typeof body === 'string' && body.length < SMALL) {
    socket.write(head + body);
    return;
  }
  socket.cork();
  socket.write(head);
  socket.write(body);
  socket.uncork();
}

function askForEvent() {
  waiting.push(handleEvent);
  socket.write(NEXT);
}

// --- errors -------------------------------------------------------------------------------------

// A stack without the lines of this script and what is below it.
function ownLines(stack) {
  const lines = String(stack).split('\n');
  const end = lines.findIndex((line) => line.includes('[stdin]:'));
  return end < 0 ? lines : lines.slice(0, end);
}

function errorObject(error, type) {
  if (error instanceof Error || (error && typeof error === 'object' && 'stack' in error)) {
    return {
      errorType: type || error.name || 'Error',
      errorMessage: String(error.message),
      trace: ownLines(error.stack),
    };
  }
  return { errorType: type || typeof error, errorMessage: String(error), trace: [] };
}

function giveUp(type, message, error) {
  const told = errorObject(error || new Error(message), type);
  told.errorMessage = message;
  console.error(`${type}: ${message}`);
  post('/init/error', '', JSON.stringify(told), () => process.exit(1));
}

// --- the handler -----------------------------------------------------------------------------------

// "src/index.handler" is the export "handler" of src/index.js (or .mjs, .cjs).
function findModule() {
  const folder = path.dirname(HANDLER);
  const name = path.basename(HANDLER);
  const dot = name.indexOf('.');
  if (dot <= 0) {
    return { error: `Bad handler ${HANDLER}: FILE.FUNCTION is expected, as in index.handler` };
  }
  const base = path.resolve(ROOT, folder, name.slice(0, dot));
  const file = EXTENSIONS.map((extension) => base + extension)
    .find((candidate) => fs.existsSync(candidate) && fs.statSync(candidate).isFile());
  return { file, base, names: name.slice(dot + 1).split('.') };
}

function exported(module, names) {
  const follow = (from) => names.reduce((at, name) => (at === undefined || at === null ? undefined : at[name]), from);
  return follow(module) ?? follow(module.default);
}

async function loadHandler() {
  const { error, file, base, names } = findModule();
  if (error) {
    giveUp('Runtime.MalformedHandlerName', error);
    return undefined;
  }
  if (!file) {
    giveUp('Runtime.ImportModuleError', `Cannot find module '${base}' (tried .js, .mjs and .cjs)`);
    return undefined;
  }
  let module;
  try {
    module = await import(pathToFileURL(file).href);
  } catch (failure) {
    const type = failure instanceof SyntaxError ? 'Runtime.UserCodeSyntaxError'
      : /MODULE_NOT_FOUND/.test(failure?.code) ? 'Runtime.ImportModuleError' : undefined;
    giveUp(type || failure?.name || 'Error', String(failure?.message ?? failure), failure);
    return undefined;
  }
  const handler = exported(module, names);
  if (typeof handler !== 'function') {
    giveUp('Runtime.HandlerNotFound', `${HANDLER} is undefined or not exported`);
    return undefined;
  }
  return handler;
}

// --- response streaming: what is written is gathered ---------------------------------------------------

class ResponseStream extends require('stream').Writable {
  constructor() {
    super();
    this.parts = [];
  }

  setContentType(type) {
    this.contentType = type;
  }

  _write(chunk, encoding, callback) {
    this.parts.push(Buffer.from(chunk, encoding));
    callback();
  }
}

globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { [STREAMING]: 'response' }),
  HttpResponseStream: {
    from(stream, metadata) {
      stream.write(`${JSON.stringify(metadata)}\0\0\0\0\0\0\0\0`);
      return stream;
    },
  },
};

// --- events ---------------------------------------------------------------------------------------------

let handler;
let finishIdle; // what to do when the handler has left nothing to wait for

class Invocation {
  constructor(headers) {
    this.id = headers['lambda-runtime-aws-request-id'];
    this.deadline = Number(headers['lambda-runtime-deadline-ms']);
    this.over = false;
    this.context = {
      callbackWaitsForEmptyEventLoop: true,
      functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
      functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
      memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
      invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
      awsRequestId: this.id,
      getRemainingTimeInMillis: () => this.deadline - Date.now(),
      done: (error, result) => this.callback(error, result),
      succeed: (result) => this.succeed(result),
      fail: (error) => this.fail(error ?? new Error('handled')),
    };
    const client = headers['lambda-runtime-client-context'];
    if (client) {
      try {
        this.context.clientContext = JSON.parse(client);
      } catch {
        this.context.clientContext = undefined; // not JSON: as good as absent, as in Lambda
      }
    }
  }

  // Answer, and ask for the next event.
  end(kind, body) {
    if (this.over) {
      return;
    }
    this.over = true;
    finishIdle = undefined;
    socket.ref();
    post(`/invocation/${this.id}/${kind}`, 'Weir-Next: event\r\n', body, handleEvent);
  }

  succeed(result) {
    let body;
    try {
      body = JSON.stringify(result === undefined ? null : result);
    } catch (error) {
      this.fail(error, 'Runtime.MarshalResponseError');
      return;
    }
    this.end('response', body ?? 'null');
  }

  fail(error, type) {
    const told = errorObject(error, type);
    console.error(told.trace.length > 0 ? told.trace.join('\n') : error);
    this.end('error', JSON.stringify(told));
  }

  callback(error, result) {
    const finish = () => (error === undefined || error === null ? this.succeed(result) : this.fail(error));
    if (this.context.callbackWaitsForEmptyEventLoop && !error) {
      finishIdle = finish;
    } else {
      finish();
    }
  }

  async run(event) {
    if (handler[STREAMING]) {
      const stream = new ResponseStream();
      await handler(event, stream, this.context);
      if (!stream.writableFinished) {
        stream.end();
        await new Promise((resolve) => { stream.on('finish', resolve); });
      }
      this.end('response', Buffer.concat(stream.parts));
      return;
    }
    const result = handler(event, this.context, (error, value) => this.callback(error, value));
    if (typeof result?.then === 'function') {
      this.succeed(await result);
    }
  }
}

let current;

function handleEvent({ status, headers, body }) {
  if (status !== 200) {
    console.error(`weir refused to give an event: ${status} ${body}`);
    process.exit(1);
  }
  const invocation = new Invocation(headers);
  current = invocation;
  process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
  socket.unref(); // so that an event loop with nothing of the handler's in it is noticed
  finishIdle = () => invocation.succeed(null);
  let event;
  try {
    event = JSON.parse(body.toString('utf8'));
  } catch (error) {
    invocation.fail(error, 'Runtime.UnmarshalError');
    return;
  }
  invocation.run(event).catch((error) => invocation.fail(error));
}

process.on('beforeExit', () => finishIdle?.());

function unhandled(type) {
  return (error) => {
    if (current && !current.over) {
      current.fail(error, type);
    } else {
      console.error(error);
    }
    socket.end(() => process.exit(EXIT_UNHANDLED));
  };
}

loadHandler().then((loaded) => {
  if (loaded) {
    handler = loaded;
    process.on('uncaughtException', unhandled());
    process.on('unhandledRejection', unhandled('Runtime.UnhandledPromiseRejection'));
    askForEvent();
  }
});
