import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codecOf } from '../src/core/delos/wire/protobuf/codec.ts'
import { encode } from '../src/core/delos/wire/protobuf/encode.ts'
import { PUT_REQUEST, RANGE_REQUEST } from '../src/core/delos/wire/protobuf/schemas/kv.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { grpcLoad, type GrpcLoad, type GrpcLoadOptions } from './lib/grpc-load.ts'
import { hasEtcd, startKvServers, type KvServers } from './lib/kv-servers.ts'
import { median, quantile } from './lib/quantile.ts'

/*
 * The store beside Debian's etcd on the same disk, by the same generator, rounds of both interleaved; medians of the rounds are printed.
 * Generator and servers share the machine, so its figures are of this machine under that load. $MUSTER_BENCH_DIR: the disk;
 * $MUSTER_BENCH_SECONDS: length of a round; $MUSTER_BENCH_SERVERS: counts of servers, e.g. `1,3`.
 */

const ROUNDS = 3
const SECONDS = Number(process.env['MUSTER_BENCH_SECONDS'] ?? 3)
const COUNTS = (process.env['MUSTER_BENCH_SERVERS'] ?? '1,3,5').split(',').map(Number)
const KEYS = 10_000
const VALUE = new Uint8Array(256).fill(0x61)
const KILLS = 5
const GAP_MS_MAX = 300
const figure = figuresOf('delos')

/** The brief's targets by count of servers: puts as a multiple of etcd's, CPU in µs a put, p50 of one client in ms. */
const TARGETS: Record<number, { puts: number; cpuUs: number; p50Ms: number | null }> = {
  1: { puts: 1.2, cpuUs: 12, p50Ms: null },
  3: { puts: 2, cpuUs: 20, p50Ms: 0.7 },
  5: { puts: 3, cpuUs: 30, p50Ms: 1 },
}

const put = codecOf(PUT_REQUEST)
const range = codecOf(RANGE_REQUEST)
const keyOf = (n: number): string => `bench/${String(n % KEYS).padStart(6, '0')}`
const putMessage = (n: number): Uint8Array => encode(put, { ...put.make(), key: keyOf(n), value: VALUE })
const getMessage = (n: number): Uint8Array => encode(range, { ...range.make(), key: keyOf(n * 7919) })

const PUT = '/etcdserverpb.KV/Put'
const GET = '/etcdserverpb.KV/Range'

interface Round {
  perSecond: number
  p50Ms: number
  p99Ms: number
  cpuUs: number
  failed: number
}

export async function* run(): AsyncGenerator<Figure> {
  const dir = mkdtempSync(join(process.env['MUSTER_BENCH_DIR'] ?? tmpdir(), 'muster-bench-delos-'))
  try {
    for (const count of COUNTS) yield* measure(count, dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function* measure(count: number, dir: string): AsyncGenerator<Figure> {
  const names = hasEtcd() ? (['muster', 'etcd'] as const) : (['muster'] as const)
  const servers: KvServers[] = []
  try {
    for (const name of names) servers.push(await startKvServers(name, count, dir))
    const of = `${count} server${count > 1 ? 's' : ''}`
    const target = TARGETS[count]
    for (const each of servers) await load(each, PUT, putMessage, 10, 10, 1)

    const many = await interleaved(servers, (each) => load(each, PUT, putMessage, 10, 100, SECONDS))
    yield* pair(`puts, ${of}, 1,000 clients`, many, 'perSecond', '1/s', (etcd) => ['>=', etcd * (target?.puts ?? 1)])
    yield* pair(`CPU of all a put, ${of}`, many, 'cpuUs', 'µs', () => ['<=', target?.cpuUs ?? 30])
    yield figure(`failed puts, ${of}`, sum(many.get('muster') ?? [], 'failed'), '', '<=', 0)

    const one = await interleaved(servers, (each) => load(each, PUT, putMessage, 1, 1, SECONDS / 2))
    yield* pair(`one put p50, ${of}`, one, 'p50Ms', 'ms', (etcd) => ['<=', target?.p50Ms ?? etcd])

    const steady = await interleaved(servers, (each) => load(each, PUT, putMessage, 10, 100, SECONDS, 1000))
    yield* pair(`put p99 at 1,000/s, ${of}`, steady, 'p99Ms', 'ms', (etcd) => ['<=', etcd * 0.7])

    const reads = await interleaved(servers, (each) => load(each, GET, getMessage, 10, 100, SECONDS / 2))
    yield* pair(`linearizable gets, ${of}`, reads, 'perSecond', '1/s', (etcd) => ['>=', etcd * 2])
    yield* pair(`CPU of all a get, ${of}`, reads, 'cpuUs', 'µs', () => ['<=', 25])

    if (count === 1) return
    for (const each of servers) {
      const gaps = await writeGaps(each)
      const metric = `write gap after kill -9 of the leader, ${of}, worst of ${KILLS}`
      if (each.name === 'muster') yield figure(metric, Math.max(...gaps), 'ms', '<=', GAP_MS_MAX)
      else yield figure(`${metric} (etcd)`, Math.max(...gaps), 'ms')
    }
  } finally {
    for (const each of servers) await each.stop()
  }
}

const sum = (rounds: Round[], key: keyof Round): number => rounds.reduce((total, round) => total + round[key], 0)

async function interleaved(servers: KvServers[], once: (servers: KvServers) => Promise<Round>): Promise<Map<string, Round[]>> {
  const rounds = new Map<string, Round[]>(servers.map(({ name }) => [name, []]))
  for (let i = 0; i < ROUNDS; i += 1) for (const each of servers) rounds.get(each.name)?.push(await once(each))
  return rounds
}

/** Ours, judged, and etcd's beside it. */
function* pair(
  metric: string,
  rounds: Map<string, Round[]>,
  key: keyof Round,
  unit: string,
  judge: (etcd: number) => ['>=' | '<=', number],
): Generator<Figure> {
  const of = (name: string): number => median((rounds.get(name) ?? []).map((round) => round[key]))
  const etcd = rounds.has('etcd') ? of('etcd') : null
  if (etcd === null) yield figure(metric, of('muster'), unit)
  else {
    yield figure(metric, of('muster'), unit, ...judge(etcd))
    yield figure(`${metric} (etcd)`, etcd, unit)
  }
}

async function load(
  servers: KvServers,
  path: string,
  message: (n: number) => Uint8Array,
  connections: number,
  streams: number,
  seconds: number,
  rate = 0,
): Promise<Round> {
  const options: GrpcLoadOptions = {
    host: '127.0.0.1',
    port: await servers.leaderPort(),
    path,
    connections,
    streams,
    message,
    calls: 4e6,
    seconds,
    rate,
  }
  const before = servers.cpuUs()
  const done: GrpcLoad = await grpcLoad(options)
  const cpu = servers.cpuUs() - before
  const latencies = [...done.latenciesMs]
  return {
    perSecond: done.calls / done.seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    cpuUs: cpu / done.calls,
    failed: done.failed,
  }
}

/** Time without an acknowledged write, ms, each time the leader is killed: one client writes one key after the other to whoever is left. */
async function writeGaps(servers: KvServers): Promise<number[]> {
  const gaps: number[] = []
  for (let i = 0; i < KILLS; i += 1) {
    const place = await servers.killLeader()
    const killedAt = performance.now()
    const ports = servers.ports.filter((_, at) => at !== place)
    // Every few ms a write of its own, so that none waits behind one that got lost with the leader.
    let writtenAt = 0
    const ticker = setInterval(() => {
      for (const port of ports) {
        void grpcLoad({
          host: '127.0.0.1',
          port,
          path: PUT,
          connections: 1,
          streams: 1,
          message: putMessage,
          calls: 1,
          seconds: 5,
          rate: 0,
        })
          .then(({ failed, calls }) => {
            if (calls === 1 && failed === 0) writtenAt ||= performance.now()
          })
          .catch(() => undefined)
      }
    }, 10)
    while (writtenAt === 0 && performance.now() - killedAt < 15_000) await new Promise((resolve) => setTimeout(resolve, 2))
    clearInterval(ticker)
    gaps.push(writtenAt - killedAt)
    await servers.restart(place)
    await new Promise((resolve) => setTimeout(resolve, 1500))
  }
  return gaps
}
