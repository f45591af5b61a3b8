// The tools that need no server: weir match, weir eval and weir explain, by arguments and by lines.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import test, { after, before } from 'node:test';
import { ROOT, program } from './lib/weir.mjs';

const CONFIG = `tables:
  orders: { key: { id: S }, stream: new_and_old_images }
  copies: { key: { id: S } }
pipelines:
  shipped:
    source: { table: orders }
    filter:
      - eventName: [INSERT]
      - dynamodb: { NewImage: { state: { S: [shipped] } } }
    when: new.total > 10
    steps:
      - put: { table: copies, item: { id: "\${new.id}" } }
  raised:
    source: { table: orders }
    filter: { item: { new: { total: [{ increased-by: 5 }] } } }
    steps:
      - put: { table: copies, item: { id: "\${new.id}" } }
  all:
    source: { table: orders }
    steps:
      - put: { table: copies, item: { id: "\${keys.id}" } }
`;

const RECORD = {
  eventName: 'MODIFY',
  dynamodb: {
    ApproximateCreationDateTime: 1763799188,
    Keys: { id: { S: 'o-1' } },
    OldImage: { id: { S: 'o-1' }, total: { N: '10' }, state: { S: 'open' } },
    NewImage: { id: { S: 'o-1' }, total: { N: '12.5' }, state: { S: 'shipped' } },
  },
  eventSourceARN: 'arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2025-11-22T00:00:00.000',
};

let cwd;

before(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'weir-test-'));
  await symlink(program(), path.join(cwd, 'weir'));
  await writeFile(path.join(cwd, 'weir.yaml'), CONFIG);
  await writeFile(path.join(cwd, 'record.json'), JSON.stringify(RECORD));
});
after(() => rm(cwd, { recursive: true }));

function start(args, command = program()) {
  return spawn(command, args, { cwd, env: { PATH: `${cwd}:${process.env.PATH}` } });
}

// Run to the end.
function run(args, input = '', command = undefined) {
  return new Promise((resolve, reject) => {
    const child = start(args, command);
    const out = [];
    let err = '';
    child.stdout.on('data', (bytes) => { out.push(bytes); });
    child.stderr.on('data', (bytes) => { err += bytes; });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: signal ?? code, out: Buffer.concat(out).toString('utf8'), err }));
    child.stdin.on('error', () => {}); // it may end without reading
    child.stdin.end(input);
  });
}

// Its answers to lines.
async function lines(args, input) {
  const { code, out, err } = await run(args, input);
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  return out.split('\n').slice(0, -1);
}

test('match says yes, no, or what is wrong', async () => {
  for (const [args, expected] of [
    [['{"a":["x"]}', '{"a":"x"}'], { code: 0, out: 'yes\n' }],
    [['{"a":["x"]}', '{"a":"y"}'], { code: 1, out: 'no\n' }],
    [['{"dynamodb":{"NewImage":{"state":{"S":["shipped"]}}}}', '@record.json'], { code: 0, out: 'yes\n' }],
    [['--item', '{"new":{"total":[{"increased-by":2.5}]}}', '@record.json'], { code: 0, out: 'yes\n' }],
    [['--item', '{"new":{"total":[{"increased-by":2.6}]}}', '@record.json'], { code: 1, out: 'no\n' }],
    [['{"a":["x"]}', '{"a":"y"}', '--explain'],
      { code: 1, out: 'does not match\n  no  a: wanted ["x"], found "y"\n' }],
  ]) {
    const { code, out, err } = await run(['match', ...args]);
    assert.deepEqual({ code, out, err }, { ...expected, err: '' }, args.join(' '));
  }
  for (const [args, message] of [
    [['{"a":"x"}', '{}'], /^weir: pattern: a: expected .*\(at byte 5\)\n$/],
    [['{"a":["x"]}', '{"a"}'], /^weir: event: .*\(at byte \d+\)\n$/],
    [['{"a":["x"]}', '[1]'], /^weir: event: expected an object, found an array\n$/],
    [['{"a":["x"]}'], /needs an event, too/],
    [['--explain'], /--explain needs a pattern and an event/],
    [['--item', '{"new":{"a":["x"]}}', '{}'], /^weir: record: .*eventName/],
    [['@none.json', '{}'], /cannot open none\.json for the pattern: No such file/],
  ]) {
    const { code, out, err } = await run(['match', ...args]);
    assert.deepEqual({ code, out }, { code: 2, out: '' }, args.join(' '));
    assert.match(err, message);
  }
  const explained = JSON.parse((await run(['match', '--json', '{"a":["x"]}', '{"a":"y"}'])).out);
  assert.equal(explained.matches, false);
  assert.deepEqual(explained.combinations[0].fields, [{ path: 'a', matches: false, wanted: ['x'], found: ['y'] }]);
});

test('match answers lines', async () => {
  const given = [
    [{ pattern: { a: [1] }, event: { a: 1 } }, 'true'],
    [{ pattern: { a: [1] }, event: '{"a": 1.0}' }, 'true'],
    [{ pattern: '{"a": [1]}', event: { a: 2 }, matches: false }, 'false'],
    [{ event: { a: [{ b: 'é' }, {}] }, pattern: { a: { b: ['é'] } } }, 'true'],
    [{ pattern: { a: 1 }, event: {} }, /^error: pattern: a: expected /],
    [{ pattern: '{"a": [', event: {} }, /^error: pattern: .*found the end/],
    [{ pattern: { a: [1] }, event: [1] }, /^error: event: expected an object/],
    [{ pattern: { a: [1] }, event: '{' }, /^error: event: /],
    [{ pattern: { a: [1] } }, 'error: the line has no event'],
    [{ event: {} }, 'error: the line has no pattern'],
    [[], /^error: expected an object, found an array/],
    [{ pattern: { a: [{ exists: false }] }, event: {} }, 'true'],
  ];
  const answers = await lines(['match'], given.map(([line]) => JSON.stringify(line)).join('\n')); // no last end
  assert.equal(answers.length, given.length);
  given.forEach(([line, expected], i) => {
    assert[expected instanceof RegExp ? 'match' : 'equal'](answers[i], expected, JSON.stringify(line));
  });
  const item = { pattern: { new: { total: [{ numeric: ['>', 12] }] } }, event: RECORD };
  assert.deepEqual(await lines(['match', '--item'], `${JSON.stringify(item)}\r\n\n`),
    ['true', 'error: expected a value, found the end of the text']);
  assert.deepEqual(await lines(['match'], ''), []);
});

test('an answer comes before the next line is there', async () => {
  const child = start(['eval']);
  const answers = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  for (let i = 0; i < 3; i += 1) {
    child.stdin.write(`{"expr":"${i} + 1"}\n`);
    assert.equal((await answers.next()).value, `{"t":"int","v":"${i + 1}"}`);
  }
  child.stdin.end();
  assert.equal((await answers.next()).done, true);
});

test('long and hostile lines', async () => {
  const MiB = 1 << 20;
  const event = (bytes) => `{"pattern":{"a":["x"]},"event":{"b":"${'y'.repeat(bytes)}","a":"x"}}`;
  const rest = event(0).length;
  const deep = (n) => `{"pattern":{"a":["x"]},"event":${'{"a":'.repeat(n)}1${'}'.repeat(n)}}`;
  assert.deepEqual(await lines(['match'], [
    event(16 * MiB - rest), event(16 * MiB - rest + 1), event(40 * MiB), event(10), deep(400), deep(100_000),
    '\0', '"\u0001"',
  ].join('\n')), [
    'true', 'error: the line is longer than 16777216 bytes', 'error: the line is longer than 16777216 bytes', 'true',
    'false', 'error: expected at most 512 levels of arrays and objects (at byte 2586)',
    'error: expected a value, found byte 0x00', 'error: expected the quote that ends a string, found byte 0x01 (at byte 1)',
  ]);
  const nested = (n) => `{"expr":"${'['.repeat(n)}${']'.repeat(n)}"}`;
  const answers = await lines(['eval'], [nested(100), nested(1_000_000), '{"expr":"1","bindings":{"":{"t":"int","v":"1"}}}',
    '{"expr":"\'x\'.charAt(9)\\u0000"}', `{"expr":"'${'x'.repeat(70_000)}'"}`].join('\n'));
  assert.match(answers[0], /^\{"t":"list"/);
  assert.match(answers[1], /^error: /);
  assert.equal(answers[2], '{"t":"int","v":"1"}');
  assert.match(answers[3], /^error: /);
  assert.match(answers[4], /^error: .*longer than 65536/);
});

test('eval prints values', async () => {
  for (const [args, expected] of [
    [['1 + 2'], '3'],
    [['n * 3', '--vars', '{"n":0.1}'], '0.3'],
    [['n', '--var', 'n=1', '--vars', '{"n":2,"m":3}', '--var', 'm=4'], '1'],
    [['[a, b]', '--var', 'a=[true,null]', '--var', 'b={"c":"é"}'], '[[true,null],{"c":"é"}]'],
    [['s', '--ddb', '--vars', '{"s":{"NS":["2","1"]}}', '--typed'],
      '{"t":"set","v":[{"t":"decimal","v":"1"},{"t":"decimal","v":"2"}]}'],
    [['[b"x", {1: 1.5}, duration("90s"), optional.none(), optional.of(1), 1.0 / 0.0, type(1), 5u]'],
      '["eA==",{"1":1.5},"90s",null,1,"Infinity","int",5]'],
    [['string(timestamp("2025-01-01T00:00:00Z"))'], '"2025-01-01T00:00:00Z"'],
    [['new.total - old.total > 2 && event == "MODIFY" && keys.id == "o-1"', '--record', '@record.json'], 'true'],
    [['now', '--record', '@record.json'], '"2025-11-22T08:13:08Z"'],
  ]) {
    assert.deepEqual(await run(['eval', ...args]), { code: 0, out: `${expected}\n`, err: '' }, args.join(' '));
  }
  assert.equal((await run(['eval', '-', '--var', 'n=1'], 'n +\n n')).out, '2\n');
  for (const [args, exit, message] of [
    [['1 +'], 2, /^weir: .*\n {2}1 \+\n {5}\^\n$/],
    [['"é" + nn', '--var', 'n=1'], 2, /did you mean 'n'\?\n {2}"é" \+ nn\n {8}\^\n$/],
    [['1 / 0'], 1, /^weir: division by zero\n {2}1 \/ 0\n {4}\^\n$/],
    [['1', '--vars', '[]'], 2, /--vars: expected an object/],
    [['1', '--vars', '{"a":}'], 2, /--vars: .*\(at byte 5\)/],
    [['1', '--var', 'a'], 2, /--var: expected NAME=JSON, found 'a'/],
    [['1', '--record', '{"eventName":"X"}'], 2, /--record: eventName: expected INSERT/],
    [['--var', 'a=1'], 2, /variables need an expression/],
  ]) {
    const { code, out, err } = await run(['eval', ...args]);
    assert.deepEqual({ code, out }, { code: exit, out: '' }, args.join(' '));
    assert.match(err, message);
  }
});

test('eval answers lines', async () => {
  const given = [
    [{ expr: '1 + 1' }, { t: 'int', v: '2' }],
    [{ expr: 'a + b', bindings: { a: { t: 'string', v: 'x' }, b: { t: 'string', v: 'y' } }, value: 1 }, { t: 'string', v: 'xy' }],
    [{ expr: 'a.b.c', bindings: { 'a.b': { t: 'map', v: [[{ t: 'string', v: 'c' }, { t: 'uint', v: '7' }]] } } }, { t: 'uint', v: '7' }],
    [{ expr: 'true || nothing' }, { t: 'bool', v: true }],
    [{ expr: 'nothing' }, /^error: .*'nothing'/],
    [{ expr: '1 / 0' }, 'error: division by zero (at byte 2)'],
    [{ expr: '(' }, /^error: /],
    [{ expr: 1 }, /^error: expr: expected a string, found a number/],
    [{}, 'error: the line has no expr'],
    [{ expr: 'a', bindings: { a: { t: 'int', v: '9223372036854775808' } } }, /^error: bindings: a: a value of type int needs /],
    [{ expr: 'a', bindings: { a: { t: 'uint', v: '-1' } } }, /^error: bindings: a: /],
    [{ expr: 'a', bindings: [] }, /^error: bindings: expected an object/],
  ];
  const answers = await lines(['eval'], given.map(([line]) => JSON.stringify(line)).join('\n'));
  assert.equal(answers.length, given.length);
  given.forEach(([line, expected], i) => {
    if (typeof expected === 'object' && !(expected instanceof RegExp)) {
      assert.deepEqual(JSON.parse(answers[i]), expected);
    } else {
      assert[expected instanceof RegExp ? 'match' : 'equal'](answers[i], expected, JSON.stringify(line));
    }
  });
});

test('explain says why', async () => {
  const change = (part) => JSON.stringify({ ...RECORD, ...part });
  const cheap = change({ dynamodb: { Keys: { id: { S: 'c' } }, NewImage: { state: { S: 'shipped' }, total: { N: '10' } } } });
  for (const [args, exit, text] of [
    [['raised', '@record.json'], 1, 'raised, table orders: MODIFY of {"id":"o-1"}\nfilter: does not match\n'
      + '  no  new.total: wanted [{"increased-by":5}], found old 10, new 12.5\noutcome: left out, the filter does not match\n'],
    [['all', '@record.json'], 0, 'all, table orders: MODIFY of {"id":"o-1"}\nfilter: none, every record passes\n'
      + 'outcome: passes, through put\n'],
    [['shipped', cheap], 1, /\nwhen: false\n {2}new\.total > 10\noutcome: left out, `when` is false\n$/],
    [['shipped', change({ eventName: 'INSERT', dynamodb: {} })], 1,
      /matches\n {2}yes eventName.*\nwhen: error: .*\n.*\noutcome: fails, and is reported: `when` has no value\n$/s],
    [['all', change({ eventSourceARN: 'arn:aws:dynamodb:x:0:table/other' })], 0, /\nnote: the record is of table other\n/],
  ]) {
    const { code, out, err } = await run(['explain', ...args]);
    assert.deepEqual({ code, err }, { code: exit, err: '' }, args.join(' '));
    assert[text instanceof RegExp ? 'match' : 'equal'](out, text);
  }
  const { code, out } = await run(['explain', 'shipped', '-', '--json', '-c', path.join(cwd, 'weir.yaml')], JSON.stringify(RECORD));
  assert.equal(code, 0);
  const said = JSON.parse(out);
  assert.deepEqual([said.pipeline, said.table, said.event, said.keys, said.outcome], ['shipped', 'orders', 'MODIFY', { id: 'o-1' }, 'passes']);
  assert.deepEqual(said.filter.patterns.map((one) => one.matches), [false, true]);
  assert.deepEqual(said.when, { expression: 'new.total > 10', value: true });
  for (const [args, message] of [
    [['ship', '{}'], /there is no pipeline 'ship'/],
    [['shiped', '{}'], /did you mean 'shipped'\?/],
    [['all', '{}'], /the record: a record needs an eventName/],
    [['all', '{"eventName":"INSERT","dynamodb":{"Keys":{"id":{"S":1}}}}'], /the record: dynamodb: Keys: /],
    [['all', '{}', '-c', 'none.yaml'], /none\.yaml/],
  ]) {
    const failed = await run(['explain', ...args]);
    assert.deepEqual([failed.code, failed.out], [2, ''], args.join(' '));
    assert.match(failed.err, message);
  }
});

// Every `$ weir ...` in these sections of the reference, with what it says that it prints.
test('the examples of the reference do what they say', async () => {
  const page = await readFile(path.join(ROOT, 'docs/cli.md'), 'utf8');
  let count = 0;
  for (const name of ['match', 'eval', 'explain']) {
    const section = page.split(`\n## weir ${name}\n`)[1].split('\n## ')[0];
    for (const [, block] of section.matchAll(/^```text\n(\$ .*?)^```$/gms)) {
      for (const example of block.split(/^\$ /m).slice(1)) {
        const end = example.indexOf('\n');
        const { out } = await run(['-c', example.slice(0, end)], '', 'sh');
        assert.equal(out, example.slice(end + 1), example.slice(0, end));
        count += 1;
      }
    }
  }
  assert.ok(count >= 9, `${count} examples`);
});

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// Cases derived from other projects' tests, which are not part of this one.
const cases = path.resolve(ROOT, process.env.WEIR_CASES ?? '../shared/cases', 'pattern-cases.jsonl');
test('the pattern cases', { skip: !existsSync(cases) && `no ${cases}: 3,825 cases skipped` }, async () => {
  const rows = (await readFile(cases, 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line));
  const answers = await lines(['match'], rows.map(({ pattern, event }) => JSON.stringify({ pattern, event })).join('\n'));
  assert.equal(answers.length, rows.length);
  const wrong = rows.map((row, i) => ({ ...row, answer: answers[i] })).filter(({ event, matches, valid, answer }) => {
    if (event === undefined) {
      return valid ? answer !== 'error: the line has no event' : !answer.startsWith('error: pattern: ');
    }
    return matches === null ? !answer.startsWith('error: event: ') : answer !== String(matches);
  });
  assert.deepEqual(wrong.filter((row) => !row.disputed), []);

  // The same as JSON in the line, not as text, where both are one JSON value each.
  const valid = rows.filter(({ pattern, event, matches }) => matches !== null && isJson(pattern) && isJson(event));
  const bare = await lines(['match'], valid.map(({ pattern, event }) => `{"event":${event},"pattern":${pattern}}`.replaceAll('\n', ' ')).join('\n'));
  assert.deepEqual(valid.filter(({ matches, disputed }, i) => bare[i] !== String(matches) && !disputed), []);
  console.log(`pattern cases: ${rows.length - wrong.length} of ${rows.length}, 0 skipped`);
});
