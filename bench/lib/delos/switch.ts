import { mkdtempSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Figure } from '../figure.ts'
import { grpcLoad } from '../grpc-load.ts'
import { hasEtcd, startKvServers, type KvServers } from '../kv-servers.ts'
import { quantile } from '../quantile.ts'
import { measuredGaps } from './availability.ts'
import { figure, progress, PUT, putMessage, serversOf } from './rounds.ts'

const SWITCHES = Number(process.env['MUSTER_BENCH_SWITCHES'] ?? 20)
const OWN_MS_MAX = 25
const ETCD_MS_MAX = 100
/** Writes a second while it moves. */
const RATE = 1000

/** Time between the last batch in one loglet and the first in the next one, as the server says it, while writes come all the time. */
export async function* switchGap(servers: KvServers[], count: number): AsyncGenerator<Figure> {
  const ours = servers.find(({ name }) => name === 'muster')
  if (ours === undefined || count === 5) return
  const own = count === 1 ? 'file' : 'quorum'
  const dir = mkdtempSync(join(dirname(ours.dirs[0] ?? ''), 'switch-'))
  const etcd = hasEtcd() ? await startKvServers('etcd', 1, dir) : null
  try {
    const port = await ours.leaderPort()
    const message = putMessage
    const load = { host: '127.0.0.1', path: PUT, message, connections: 4, streams: 16, calls: Number.MAX_SAFE_INTEGER, rate: RATE }
    let isOver = false
    const writing = (async () => {
      while (!isOver) await grpcLoad({ ...load, port, seconds: 2 })
    })()
    const gaps = { same: [] as number[], etcd: [] as number[], back: [] as number[] }
    for (let i = 0; i < SWITCHES; i += 1) {
      gaps.same.push(await move(port, {}))
      progress(`  switch ${i + 1} of ${SWITCHES}: ${(gaps.same.at(-1) as number).toFixed(1)} ms`)
      if (etcd === null) continue
      gaps.etcd.push(await move(port, { to: 'etcd', endpoints: [`http://127.0.0.1:${etcd.ports[0]}`], prefix: `/bench/${i}` }))
      gaps.back.push(await move(port, { back: true }))
    }
    isOver = true
    await writing
    measuredGaps.change.set(count, quantile(gaps.same, 0.99))
    const of = (name: string): string => `gap of a live switch ${name}, ${serversOf(count)}`
    yield figure(`${of(`${own}→${own}`)}, p99 of ${SWITCHES}`, quantile(gaps.same, 0.99), 'ms', '<=', OWN_MS_MAX)
    yield figure(`${of(`${own}→${own}`)}, p50`, quantile(gaps.same, 0.5), 'ms')
    if (etcd === null) return
    yield figure(`${of(`${own}→etcd`)}, p99 of ${SWITCHES}`, quantile(gaps.etcd, 0.99), 'ms', '<=', ETCD_MS_MAX)
    yield figure(`${of(`etcd→${own}`)}, p99 of ${SWITCHES}`, quantile(gaps.back, 0.99), 'ms', '<=', ETCD_MS_MAX)
  } finally {
    await etcd?.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function move(port: number, request: object): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/muster/v1/delos/log/switch`, { method: 'POST', body: JSON.stringify(request) })
  const { gapMs, error } = (await answer.json()) as { gapMs?: number | null; error?: { message: string } }
  if (typeof gapMs !== 'number') throw new Error(`the log was not moved: ${error?.message ?? 'nothing was written meanwhile'}`)
  return gapMs
}
