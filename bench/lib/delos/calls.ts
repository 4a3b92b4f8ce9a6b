import type { Figure } from '../figure.ts'
import { median } from '../quantile.ts'
import { measureFloor } from './floor.ts'
import { figure, GET, getMessage, interleaved, load, pair, PUT, putMessage, SECONDS, serversOf, sum, warmUp } from './rounds.ts'
import type { KvServers } from '../kv-servers.ts'

/** The brief's targets by count of servers: puts as a multiple of etcd's, CPU in µs a put, p50 of one client in ms. */
const TARGETS: Record<number, { puts: number; cpuUs: number; p50Ms: number | null }> = {
  1: { puts: 1.2, cpuUs: 12, p50Ms: null },
  3: { puts: 2, cpuUs: 20, p50Ms: 0.7 },
  5: { puts: 3, cpuUs: 30, p50Ms: 1 },
}

/** A disk that is slower than this allows no claim about a p99. */
const FLOOR_P99_MS = 0.3

/** Puts of a thousand clients, over gRPC. */
export async function* puts(servers: KvServers[], count: number): AsyncGenerator<Figure> {
  const of = serversOf(count)
  const target = TARGETS[count]
  for (const each of servers) await warmUp(each, PUT, putMessage)
  const many = await interleaved(servers, (each) => load(each, PUT, putMessage, 10, 100, SECONDS))
  yield* pair(`puts, ${of}, 1,000 clients`, many, 'perSecond', '1/s', times('>=', target?.puts ?? 1))
  yield* pair(`CPU of all a put, ${of}`, many, 'cpuUs', 'µs', () => ['<=', target?.cpuUs ?? 30])
  yield figure(`failed puts, ${of}`, sum(many.get('muster') ?? [], 'failed'), '', '<=', 0)
}

/** One client alone, and a steady thousand a second. */
export async function* latency(servers: KvServers[], count: number): AsyncGenerator<Figure> {
  const of = serversOf(count)
  const one = await interleaved(servers, (each) => load(each, PUT, putMessage, 1, 1, SECONDS / 2))
  yield* pair(`one put p50, ${of}`, one, 'p50Ms', 'ms', (etcd) => within(TARGETS[count]?.p50Ms ?? etcd))
  const floor = measureFloor(servers[0]?.dirs[0] ?? '.')
  yield figure(`fdatasync of 2.3 KiB before that, p50`, floor.p50Ms, 'ms')
  yield figure(`fdatasync of 2.3 KiB before that, p99`, floor.p99Ms, 'ms')
  const steady = await interleaved(servers, (each) => load(each, PUT, putMessage, 10, 100, SECONDS, 1000))
  yield* pair(`put p50 at 1,000/s, ${of}`, steady, 'p50Ms', 'ms', times('<=', 1))
  yield* pair(`put p99 at 1,000/s, ${of}`, steady, 'p99Ms', 'ms', times('<=', 0.7))
  // In absolute terms only where the disk and free cores allow it.
  if (floor.p99Ms >= FLOOR_P99_MS || count === 1) return
  yield figure(`put p99 at 1,000/s, ${of}, absolute`, median((steady.get('muster') ?? []).map(({ p99Ms }) => p99Ms)), 'ms', '<=', 1)
}

/** A target that is so many times etcd's; none without etcd. */
const times =
  (comparison: '>=' | '<=', factor: number) =>
  (etcd: number | null): ['>=' | '<=', number] | null =>
    etcd === null ? null : [comparison, etcd * factor]

const within = (limit: number | null): ['<=', number] | null => (limit === null ? null : ['<=', limit])

export async function* gets(servers: KvServers[], count: number): AsyncGenerator<Figure> {
  const of = serversOf(count)
  for (const each of servers) {
    await load(each, PUT, putMessage, 10, 10, 1)
    await warmUp(each, GET, getMessage)
  }
  const reads = await interleaved(servers, (each) => load(each, GET, getMessage, 10, 100, SECONDS / 2))
  yield* pair(`linearizable gets, ${of}`, reads, 'perSecond', '1/s', times('>=', 2))
  yield* pair(`CPU of all a get, ${of}`, reads, 'cpuUs', 'µs', () => ['<=', 25])
}
