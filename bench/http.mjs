// PutItem and GetItem over HTTP at 1 and 64 connections, against the bare HTTP server (a handler
// that answers a constant, on the same stack) and dynalite, all in one run and in turns. The load
// comes from wrk: one thread, random keys of 10,000, every put replaces an item. On two processors
// wrk and both of weir's busy threads share what the bare server has to itself but for wrk.

import path from 'node:path';
import {
  ROOT, Server, folder, freePort, median, middle, program, ratio, remove, result, startWeir, syncMicroseconds, table, wrk,
} from './lib.mjs';

const TABLE = 'bench-items';
const KEYS = 10_000;
const ROUNDS = Number(process.env.WEIR_BENCH_ROUNDS ?? 3);
const SECONDS = Number(process.env.WEIR_BENCH_SECONDS ?? 3);
const MEASURES = [['put', 1], ['put', 64], ['get', 1], ['get', 64]];

// The item of dynamodb.lua: 350 bytes as DynamoDB counts, in 8 attributes.
function item(key) {
  return {
    id: { S: `item-${String(key).padStart(6, '0')}` }, status: { S: 'analyzed' }, score: { N: '0' },
    source: { S: 'market-daily' }, tags: { SS: ['latency', 'pricing'] },
    title: { S: 'What to know about the new table engine' }, seen: { BOOL: true },
    text: { S: 'Words of a news item. '.repeat(9) },
  };
}

async function create(server, stream) {
  await server.call('CreateTable', {
    TableName: TABLE,
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    ...stream,
  });
  for (;;) {
    const { Table } = await server.call('DescribeTable', { TableName: TABLE });
    if (Table.TableStatus === 'ACTIVE') {
      break;
    }
  }
  await server.load(TABLE, Array.from({ length: KEYS }, (_, key) => item(key)));
}

async function startDynalite(args) {
  return new Server('node', [path.join(ROOT, 'node_modules/dynalite/cli.js'), '--port', String(await freePort()),
    '--createTableMs', '0', ...args], /Listening at http:\/\/\S+:(\d+)\n/).ready;
}

async function startAll(dir) {
  const servers = {
    bare: await new Server(program('bench_http_bare'), [], /^(\d+)\n/).ready,
    weir: await startWeir(dir),
    'dynalite in memory': await startDynalite([]),
    'dynalite on disk': await startDynalite(['--path', path.join(dir, 'dynalite')]),
  };
  await create(servers.weir, { StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' } });
  await create(servers['dynalite in memory'], {});
  await create(servers['dynalite on disk'], {});
  return servers;
}

// measured[server]['put 64'] = one {rate, p50_us, p99_us} a round
async function measure(servers, rounds, syncs, dir) {
  const measured = Object.fromEntries(Object.keys(servers).map((name) => [name, {}]));
  for (let n = 0; n < rounds; n++) {
    for (const [operation, connections] of MEASURES) {
      syncs.push(syncMicroseconds(dir));
      for (const [name, server] of Object.entries(servers)) {
        const key = `${operation} ${connections}`;
        measured[name][key] ??= [];
        measured[name][key].push(await wrk(server, {
          script: 'dynamodb.lua', args: [operation, TABLE, n * 10 + connections], connections, seconds: SECONDS,
        }));
      }
    }
  }
  return measured;
}

export async function run() {
  const dir = folder();
  const servers = await startAll(dir);
  const syncs = [];
  const measured = await measure(servers, ROUNDS, syncs, dir);
  const sync = median(syncs);
  await Promise.all(Object.values(servers).map((server) => server.stop()));
  remove(dir);

  for (const [operation, connections] of MEASURES) {
    const key = `${operation} ${connections}`;
    const mine = measured.weir[key];
    const rows = Object.entries(measured).map(([name, of]) => [name, middle(of[key], 'p50_us'), middle(of[key], 'p99_us'),
      middle(of[key], 'rate'),
      ratio(mine, of[key], 'rate'), middle(of[key], 'cpu_us')]);
    table(`${operation === 'put' ? 'PutItem, durable' : 'GetItem'}; 350-byte item, stream of new and old images, `
      + `no index, ${connections} connection${connections > 1 ? 's' : ''}; a durable write of the disk: ${sync.toFixed(0)} us`,
    ['server', 'median us', 'p99 us', 'requests/s', "weir's rate to it", 'cpu us/request'], rows);
    result('http', {
      operation, connections, item_bytes: 350, stream: 'new_and_old_images', indexes: 0, rounds: ROUNDS, disk_us: sync,
      median_us: middle(mine, 'p50_us'), p99_us: middle(mine, 'p99_us'), rate: middle(mine, 'rate'),
      cpu_us: middle(mine, 'cpu_us'), bare_cpu_us: middle(measured.bare[key], 'cpu_us'),
      bare_rate: middle(measured.bare[key], 'rate'),
      to_bare: ratio(mine, measured.bare[key], 'rate'),
      to_dynalite_memory: ratio(mine, measured['dynalite in memory'][key], 'rate'),
      to_dynalite_disk: ratio(mine, measured['dynalite on disk'][key], 'rate'),
    });
  }
}
