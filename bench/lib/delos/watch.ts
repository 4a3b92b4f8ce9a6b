import { codecOf } from '../../../src/core/kernel/protobuf/codec.ts'
import { WATCH_REQUEST, WATCH_RESPONSE } from '../../../src/core/delos/wire/protobuf/schemas/watch.ts'
import type { WatchCreateRequest } from '../../../src/core/delos/wire/messages.ts'
import type { Figure } from '../figure.ts'
import { grpcLoad } from '../grpc-load.ts'
import { openStream, openStreams } from '../grpc-stream.ts'
import type { KvServers } from '../kv-servers.ts'
import { quantile } from '../quantile.ts'
import { beside, figure, MANY, progress, PUT, putOf, SECONDS, serversOf } from './rounds.ts'

export const WATCH = '/etcdserverpb.Watch/Watch'
export const watchRequest = codecOf(WATCH_REQUEST)
export const watchResponse = codecOf(WATCH_RESPONSE)

/** A multiple of those that one event matches. */
const WATCHERS = Math.min(10_000, Math.max(100, MANY - (MANY % 100)))
const STREAMS = 20
/** Watchers of one key; each event matches so many. */
const MATCHING = 100
const EVENTS_PER_SECOND = 100
const DELIVERY_MS_MAX = 10
/** For events that are still on their way after the last put. */
const PATIENCE_MS = 10_000

export const createOf = (create: Partial<WatchCreateRequest>): ReturnType<typeof watchRequest.make> => ({
  ...watchRequest.make(),
  create_request: {
    key: '',
    range_end: '',
    start_revision: 0,
    progress_notify: false,
    filters: [],
    prev_kv: false,
    watch_id: 0,
    fragment: false,
    ...create,
  },
})

/** From the sending of a put to its event at each of its watchers, over gRPC. */
export async function* watch(servers: KvServers[], count: number): AsyncGenerator<Figure> {
  const p99 = new Map<string, number>()
  for (const each of servers) {
    const { latenciesMs, share } = await deliveries(each)
    progress(`  ${each.name}: ${latenciesMs.length} events were delivered`)
    p99.set(each.name, quantile(latenciesMs, 0.99))
    const metric = `events delivered, ${serversOf(count)}${each.name === 'etcd' ? ' (etcd)' : ''}`
    if (each.name === 'etcd') yield figure(metric, share, 'of 1')
    else yield figure(metric, share, 'of 1', '>=', 1)
  }
  const metric = `watch delivery p99, ${serversOf(count)}, ${WATCHERS} watchers, ${EVENTS_PER_SECOND} events/s`
  yield* beside(metric, p99, 'ms', '<=', DELIVERY_MS_MAX)
}

async function deliveries(servers: KvServers): Promise<{ latenciesMs: number[]; share: number }> {
  const port = await servers.leaderPort()
  const session = openStreams(port)
  const latenciesMs: number[] = []
  let created = 0
  const ready = new Promise<void>((resolve) => {
    for (let s = 0; s < STREAMS; s += 1) {
      const stream = openStream(session, WATCH, watchRequest, watchResponse, (response) => {
        if (response.created) {
          created += 1
          if (created === WATCHERS) resolve()
        }
        for (const { kv } of response.events) {
          const { buffer, byteOffset } = kv.value
          latenciesMs.push(performance.now() - new DataView(buffer, byteOffset).getFloat64(0))
        }
      })
      for (let i = s; i < WATCHERS; i += STREAMS) stream.send(createOf({ key: `w/${Math.floor(i / MATCHING)}` }))
    }
  })
  await ready
  const message = (n: number): Uint8Array => {
    const value = new Uint8Array(8)
    new DataView(value.buffer).setFloat64(0, performance.now())
    return putOf(`w/${n % (WATCHERS / MATCHING)}`, value)
  }
  const one = { connections: 1, streams: 1, calls: 4e6, seconds: Math.max(2, SECONDS), rate: EVENTS_PER_SECOND }
  const { calls } = await grpcLoad({ host: '127.0.0.1', port, path: PUT, message, ...one })
  // Those put at the end without an answer may be told, too, or never have been done.
  const expected = calls * MATCHING
  const untilMs = performance.now() + PATIENCE_MS
  while (latenciesMs.length < expected && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 20))
  session.destroy()
  return { latenciesMs, share: Math.min(1, latenciesMs.length / expected) }
}
