import { codecOf } from '../../../src/core/kernel/protobuf/codec.ts'
import { LEASE_KEEP_ALIVE_REQUEST, LEASE_KEEP_ALIVE_RESPONSE } from '../../../src/core/delos/wire/protobuf/schemas/lease.ts'
import type { Figure } from '../figure.ts'
import { openStream, openStreams } from '../grpc-stream.ts'
import type { KvServers } from '../kv-servers.ts'
import { quantile } from '../quantile.ts'
import { fill } from './fill.ts'
import { beside, MANY, progress } from './rounds.ts'
import { createOf, WATCH, watchRequest, watchResponse } from './watch.ts'

const KEEP_ALIVE = '/etcdserverpb.Lease/LeaseKeepAlive'
const EVERY_MS = 5
const KEEP_ALIVE_MS_MAX = 50
/** Who has not told everything by then is not waited for: its figure says so much at least. */
const TOLD_MS_MAX = 300_000

/** One watch from the first revision over many, and what keeping a lease alive takes meanwhile. */
export async function* catchUp(servers: KvServers[], count: number): AsyncGenerator<Figure> {
  if (count > 1) return
  const p99 = new Map<string, number>()
  const seconds = new Map<string, number>()
  for (const each of servers) {
    await fill(each, MANY, (n) => `history/${n % 10_000}`, new Uint8Array(64))
    progress(`  ${each.name} has its ${MANY} revisions`)
    const { latenciesMs, tookMs, seen } = await follow(each)
    progress(`  ${each.name}: ${seen >= MANY ? 'all' : `only ${seen}`} seen after ${Math.round(tookMs)} ms`)
    p99.set(each.name, quantile(latenciesMs, 0.99))
    seconds.set(each.name, tookMs / 1000)
  }
  yield* beside(`keepalive p99 while one watch catches up ${MANY} revisions`, p99, 'ms', '<=', KEEP_ALIVE_MS_MAX)
  yield* beside(`one watch over ${MANY} revisions`, seconds, 's', '<=', MANY / 10_000)
}

async function follow(servers: KvServers): Promise<{ latenciesMs: number[]; tookMs: number; seen: number }> {
  const port = await servers.leaderPort()
  const answer = await fetch(`http://127.0.0.1:${port}/v3/lease/grant`, { method: 'POST', body: '{"TTL":60}' })
  const { ID } = (await answer.json()) as { ID: string }
  const latenciesMs: number[] = []
  const keeping = openStreams(port)
  const sent: number[] = []
  const alive = openStream(keeping, KEEP_ALIVE, codecOf(LEASE_KEEP_ALIVE_REQUEST), codecOf(LEASE_KEEP_ALIVE_RESPONSE), () => {
    const at = sent.shift()
    if (at !== undefined) latenciesMs.push(performance.now() - at)
  })
  const ticker = setInterval(() => {
    sent.push(performance.now())
    alive.send({ ID: BigInt(ID) })
  }, EVERY_MS)
  // The generator reads the watch in a thread of its own, so that its reading does not count as the server's delay.
  const startedMs = performance.now()
  const seen = await readHistory(port)
  const tookMs = performance.now() - startedMs
  clearInterval(ticker)
  keeping.destroy()
  return { latenciesMs, tookMs, seen }
}

/** How many events were told. */
async function readHistory(port: number): Promise<number> {
  const { Worker } = await import('node:worker_threads')
  const worker = new Worker(new URL(import.meta.url), { workerData: { port, count: MANY } })
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('message', resolve)
  })
}

/** In the thread: ends once all revisions were told, or time is over. */
function readAll(port: number, wanted: number): void {
  const session = openStreams(port)
  let seen = 0
  const end = (): void => {
    clearTimeout(limit)
    session.destroy()
    parentPort?.postMessage(seen)
  }
  const limit = setTimeout(end, TOLD_MS_MAX)
  const stream = openStream(session, WATCH, watchRequest, watchResponse, ({ events }) => {
    seen += events.length
    if (seen >= wanted) end()
  })
  stream.send(createOf({ key: 'history/', range_end: 'history0', start_revision: 1 }))
}

const { isMainThread, parentPort, workerData } = await import('node:worker_threads')
if (!isMainThread) readAll((workerData as { port: number }).port, (workerData as { count: number }).count)
