import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Figure } from '../figure.ts'
import { grpcLoad } from '../grpc-load.ts'
import type { KvServers } from '../kv-servers.ts'
import { fill } from './fill.ts'
import { beside, figure, MANY, progress, PUT, putOf } from './rounds.ts'

const KEYS = 1000
const VALUE = new Uint8Array(256).fill(0x61)
const PROBES_PER_SECOND = 100
const COMPACT_EVERY_MS = 1000
const STALL_MS_MAX = 50
const MIB = 1024 * 1024

/** Many updates of few keys while all that is old is compacted every second: how long a write waits, and how large the file gets. */
export async function* compaction(servers: KvServers[], count: number): AsyncGenerator<Figure> {
  if (count > 1) return
  const stalls = new Map<string, number>()
  const peaks = new Map<string, number>()
  const ends = new Map<string, number>()
  for (const each of servers) {
    const { stallMs, peakBytes, endBytes } = await churn(each)
    stalls.set(each.name, stallMs)
    peaks.set(each.name, peakBytes / MIB)
    ends.set(each.name, endBytes / MIB)
    progress(`  ${each.name}: longest write ${Math.round(stallMs)} ms`)
  }
  const liveBytes = KEYS * (VALUE.length + 64)
  yield* beside(`longest write while ${MANY} updates are compacted`, stalls, 'ms', '<=', STALL_MS_MAX)
  // All of the run is history of the last hour.
  yield* beside('largest size of the file meanwhile', peaks, 'MiB', '<=', (3 * liveBytes + MANY * (VALUE.length + 64)) / MIB)
  for (const [name, mib] of ends) yield figure(`size of the file afterwards${name === 'etcd' ? ' (etcd)' : ''}`, mib, 'MiB')
}

async function churn(servers: KvServers): Promise<{ stallMs: number; peakBytes: number; endBytes: number }> {
  const port = await servers.leaderPort()
  let peakBytes = 0
  const compact = async (): Promise<void> => {
    const { revision } = ((await ask(port, 'kv/range', { key: 'eA==' })) as { header: { revision: string } }).header
    await ask(port, 'kv/compaction', { revision })
    peakBytes = Math.max(peakBytes, fileBytes(servers))
  }
  const compacting = setInterval(() => void compact().catch(() => undefined), COMPACT_EVERY_MS)
  let isOver = false
  const probing = (async () => {
    let worstMs = 0
    const probe = { connections: 1, streams: 1, calls: 1e6, seconds: 1, rate: PROBES_PER_SECOND }
    while (!isOver) {
      const message = (n: number): Uint8Array => putOf(`probe/${n % 10}`, VALUE)
      const { latenciesMs } = await grpcLoad({ host: '127.0.0.1', port, path: PUT, message, ...probe })
      worstMs = latenciesMs.reduce((worst, each) => Math.max(worst, each), worstMs)
    }
    return worstMs
  })()
  await fill(servers, MANY, (n) => `churn/${n % KEYS}`, VALUE)
  isOver = true
  const stallMs = await probing
  clearInterval(compacting)
  await compact()
  await new Promise((resolve) => setTimeout(resolve, 12_000))
  return { stallMs, peakBytes, endBytes: fileBytes(servers) }
}

/** Of the store's own file, without the log that it is made from. */
function fileBytes({ name, dirs }: KvServers): number {
  const dir = dirs[0] as string
  const files = name === 'etcd' ? ['member/snap/db'] : ['kv.db', 'kv.db-wal']
  return files.reduce((total, file) => total + (statSync(join(dir, file), { throwIfNoEntry: false })?.size ?? 0), 0)
}

async function ask(port: number, path: string, body: object): Promise<unknown> {
  return (await fetch(`http://127.0.0.1:${port}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) })).json()
}
