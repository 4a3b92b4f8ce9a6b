import { codecOf } from '../../../src/core/kernel/protobuf/codec.ts'
import { encode } from '../../../src/core/kernel/protobuf/encode.ts'
import { PUT_REQUEST, RANGE_REQUEST } from '../../../src/core/delos/wire/protobuf/schemas/kv.ts'
import { figuresOf, type Figure } from '../figure.ts'
import { grpcLoad } from '../grpc-load.ts'
import type { KvServers } from '../kv-servers.ts'
import { median, quantile } from '../quantile.ts'

/** What every part of the store's benchmark is made of. */

export const figure = figuresOf('delos')
export const SECONDS = Number(process.env['MUSTER_BENCH_SECONDS'] ?? 3)
/** What goes on, for whoever waits; figures go to stdout. */
export const progress = (line: string): void => void process.stderr.write(`${line}\n`)

/** Keys, updates or revisions of the parts that need many. */
export const MANY = Number(process.env['MUSTER_BENCH_MANY'] ?? 1_000_000)
const ROUNDS = Number(process.env['MUSTER_BENCH_ROUNDS'] ?? 3)
const KEYS = 10_000
const VALUE = new Uint8Array(256).fill(0x61)

export const PUT = '/etcdserverpb.KV/Put'
export const GET = '/etcdserverpb.KV/Range'

const put = codecOf(PUT_REQUEST)
const range = codecOf(RANGE_REQUEST)

export const keyOf = (n: number): string => `bench/${String(n % KEYS).padStart(6, '0')}`
export const putOf = (key: string, value: Uint8Array): Uint8Array => encode(put, { ...put.make(), key, value })
export const putMessage = (n: number): Uint8Array => putOf(keyOf(n), VALUE)
export const getMessage = (n: number): Uint8Array => encode(range, { ...range.make(), key: keyOf(n * 7919) })

export const serversOf = (count: number): string => `${count} server${count > 1 ? 's' : ''}`

export interface Round {
  perSecond: number
  p50Ms: number
  p99Ms: number
  /** of all servers, each call */
  cpuUs: number
  failed: number
}

/** Calls of one kind to the leader. @param rate a second over all connections; 0: as fast as answers come */
export async function load(
  servers: KvServers,
  path: string,
  message: (n: number) => Uint8Array,
  connections: number,
  streams: number,
  seconds: number,
  rate = 0,
): Promise<Round> {
  const port = await servers.leaderPort()
  const before = servers.cpuUs()
  const done = await grpcLoad({ host: '127.0.0.1', port, path, connections, streams, message, calls: 4e6, seconds, rate })
  const cpu = servers.cpuUs() - before
  return roundOf(done.calls, done.failed, done.seconds, [...done.latenciesMs], cpu)
}

/** Calls before which V8 has not compiled what a call takes: that costs each server as much as so many calls do, and is not their price. */
const WARM_CALLS = 50_000
const WARM_SECONDS_MAX = 5

/** Calls of one kind that are not measured. */
export async function warmUp(servers: KvServers, path: string, message: (n: number) => Uint8Array): Promise<void> {
  const port = await servers.leaderPort()
  await grpcLoad({
    host: '127.0.0.1',
    port,
    path,
    connections: 10,
    streams: 100,
    message,
    calls: WARM_CALLS,
    seconds: WARM_SECONDS_MAX,
    rate: 0,
  })
}

export function roundOf(calls: number, failed: number, seconds: number, latenciesMs: readonly number[], cpuUs: number): Round {
  if (calls === 0) throw new Error(`no call was answered in ${seconds.toFixed(1)} s`)
  return { perSecond: calls / seconds, p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99), cpuUs: cpuUs / calls, failed }
}

/** Rounds of each in turn: A B A B. */
export async function interleaved(servers: KvServers[], once: (servers: KvServers) => Promise<Round>): Promise<Map<string, Round[]>> {
  const rounds = new Map<string, Round[]>(servers.map(({ name }) => [name, []]))
  for (let i = 0; i < ROUNDS; i += 1) {
    for (const each of servers) {
      const round = await once(each)
      rounds.get(each.name)?.push(round)
      progress(
        `  round ${i + 1} of ${ROUNDS}, ${each.name}: ${Math.round(round.perSecond)}/s, p50 ${round.p50Ms.toFixed(2)} ms, CPU ${round.cpuUs.toFixed(1)} µs`,
      )
    }
  }
  return rounds
}

export const sum = (rounds: Round[], key: keyof Round): number => rounds.reduce((total, round) => total + round[key], 0)

/** Ours, and etcd's beside it where there is one. `judge` gives the target, null without one; `etcd` null: it was not measured. */
export function* pair(
  metric: string,
  rounds: Map<string, Round[]>,
  key: keyof Round,
  unit: string,
  judge: (etcd: number | null) => ['>=' | '<=', number] | null,
): Generator<Figure> {
  const of = (name: string): number => median((rounds.get(name) ?? []).map((round) => round[key]))
  const etcd = rounds.has('etcd') ? of('etcd') : null
  const target = judge(etcd)
  yield target === null ? figure(metric, of('muster'), unit) : figure(metric, of('muster'), unit, ...target)
  if (etcd !== null) yield figure(`${metric} (etcd)`, etcd, unit)
}

/** One value of each kind of server, ours judged by a limit of its own. */
export function* beside(
  metric: string,
  values: Map<string, number>,
  unit: string,
  comparison: '>=' | '<=',
  limit: number,
): Generator<Figure> {
  const ours = values.get('muster')
  const theirs = values.get('etcd')
  if (ours !== undefined) yield figure(metric, ours, unit, comparison, limit)
  if (theirs !== undefined) yield figure(`${metric} (etcd)`, theirs, unit)
}
