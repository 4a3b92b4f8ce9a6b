import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { figuresOf, type Figure } from './lib/figure.ts'
import { ScratchLeaf } from '../src/server/scuba/measure/scratch-leaf.ts'
import { ndjson, REGIONS, SERVICES } from './lib/scuba-rows.ts'
import { openEngine, writeSegments } from './lib/scuba-store.ts'
import type { LoadOptions, LoadResult } from './lib/scuba-board-load.ts'

/*
 * Many people with a board open, each of 12 panels, refreshed every 10 s, while rows come in; and one panel asked again and
 * again. The load comes from a process of its own over kept connections; each viewer takes gzip and says which answer it has, as a
 * browser does. Part `distinct` is the hard case: each viewer with a board of its own, that nobody opened before. $MUSTER_BENCH_BOARDS:
 * viewers, 10,000 unless it says otherwise, $MUSTER_BENCH_KINDS: boards that differ (200), $MUSTER_BENCH_SECONDS: 30,
 * $MUSTER_BENCH_ROWS: sealed rows of the last six hours (10 million).
 */

const figure = figuresOf('scuba-users')
export const parts = ['boards', 'panel', 'distinct']

const BOARDS = Number(process.env['MUSTER_BENCH_BOARDS'] ?? 10_000)
const KINDS = Number(process.env['MUSTER_BENCH_KINDS'] ?? 200)
const SECONDS = Number(process.env['MUSTER_BENCH_SECONDS'] ?? 30)
const ROWS = Number(process.env['MUSTER_BENCH_ROWS'] ?? 10_000_000)
const REFRESH_MS = 10_000
const SPAN_MS = 6 * 3_600_000
const TABLE = 'events'
/** rows a second that come in meanwhile */
const INGEST_RATE = 2000
/** the size the targets are for; with fewer boards times are only reported */
const isWhole = BOARDS >= 10_000

const judged = (metric: string, value: number, unit: string, comparison: '>=' | '<=', limit: number): Figure =>
  isWhole ? figure(metric, value, unit, comparison, limit) : figure(metric, value, unit)

export async function* run(asked: readonly string[] = parts): AsyncGenerator<Figure> {
  const dir = mkdtempSync(join(process.env['MUSTER_BENCH_DIR'] ?? tmpdir(), 'muster-bench-scuba-'))
  const engine = await openEngine(availableParallelism())
  const leaf = new ScratchLeaf(dir)
  try {
    await writeSegments(engine, dir, TABLE, { rows: ROWS, fromMs: Date.now() - SPAN_MS, everyUs: (SPAN_MS * 1000) / ROWS })
    await leaf.start()
    const body = await ndjson(engine, { rows: INGEST_RATE / 4, fromMs: Date.now(), everyUs: 1000 })
    const ending = new AbortController()
    const ingest = keepSending(leaf, body, ending.signal)
    try {
      if (asked.includes('boards')) yield* boards(leaf)
      if (asked.includes('panel')) yield* onePanel(leaf)
      if (asked.includes('distinct')) yield* distinct(leaf)
    } finally {
      ending.abort()
      yield figure('rows that came in meanwhile', await ingest, '')
    }
  } finally {
    await leaf.close()
    engine.closeSync()
    rmSync(dir, { recursive: true, force: true })
  }
  yield figure('load average of the last minute', loadavg()[0] ?? 0, '')
}

async function* boards(leaf: ScratchLeaf): AsyncGenerator<Figure> {
  const bodies = Array.from({ length: KINDS }, (_, kind) => JSON.stringify({ panels: panelsOf(kind) }))
  // Each kind was open before: its first answer, over all rows, is not what is measured.
  const opened = await load({
    socket: leaf.socket,
    path: '/v1/scuba/board',
    bodies,
    connections: 2,
    perSecond: null,
    requests: KINDS,
    seconds: 600,
  })
  yield figure('a board opened for the first time, p50', opened.p50Ms, 'ms')
  yield figure('boards that differ', new Set(bodies).size, '')
  const cpu = leaf.cpuSeconds()
  const got = await load({
    socket: leaf.socket,
    path: '/v1/scuba/board',
    bodies,
    viewers: BOARDS,
    connections: 64,
    perSecond: (BOARDS * 1000) / REFRESH_MS,
    seconds: SECONDS,
  })
  yield judged('board requests a second', got.requests / got.seconds, '1/s', '>=', 0.95 * ((BOARDS * 1000) / REFRESH_MS))
  yield figure('board request, p50', got.p50Ms, 'ms')
  yield judged('board request, p99', got.p99Ms, 'ms', '<=', 200)
  yield figure('board request, longest', got.maxMs, 'ms')
  yield figure('board requests that failed', got.errors, '', '<=', 0)
  yield figure('answers that had not changed', (100 * got.unchanged) / got.requests, '%')
  yield figure('bytes of an answer', got.bytes / got.requests / 1000, 'kB')
  yield figure('age of the oldest panel, p50', got.ageP50Ms / 1000, 's')
  yield figure('age of the oldest panel, p99', got.ageP99Ms / 1000, 's')
  yield figure('processor of leaf and engines', (100 * (leaf.cpuSeconds() - cpu)) / got.seconds, '% of a core')
  yield figure('processor of the load generator', (100 * got.cpuSeconds) / got.seconds, '% of a core')
}

/** What is left when no board is anybody else's, and none is known: the engines alone carry it. */
async function* distinct(leaf: ScratchLeaf): AsyncGenerator<Figure> {
  const bodies = Array.from({ length: BOARDS }, (_, kind) => JSON.stringify({ panels: panelsOf(1_000_000 + kind) }))
  const got = await load({
    socket: leaf.socket,
    path: '/v1/scuba/board',
    bodies,
    connections: 64,
    perSecond: (BOARDS * 1000) / REFRESH_MS,
    seconds: Math.min(10, SECONDS),
  })
  const panels = got.requests * PANELS
  yield figure('every board its own: requests a second', got.requests / got.seconds, '1/s')
  yield figure('every board its own: p50', got.p50Ms, 'ms')
  yield figure('every board its own: p99', got.p99Ms, 'ms')
  yield figure('every board its own: panels answered a second', (panels - got.failedPanels) / got.seconds, '1/s')
  yield figure('every board its own: panels late', (100 * got.failedPanels) / panels, '%')
}

async function* onePanel(leaf: ScratchLeaf): AsyncGenerator<Figure> {
  const panel = JSON.stringify({ ...panelsOf(0)[0], maxAgeMs: 1000 })
  const got = await load({
    socket: leaf.socket,
    path: '/v1/scuba/panel',
    bodies: [panel],
    connections: 16,
    perSecond: null,
    seconds: Math.min(10, SECONDS),
  })
  yield judged('cached panel, as fast as it goes', got.requests / got.seconds, '1/s', '>=', 2000)
  yield judged('cached panel, p99', got.p99Ms, 'ms', '<=', 50)
  yield figure('cached panel, failed', got.errors, '', '<=', 0)
}

const PANELS = 12

/** Twelve panels as a service's board has them; kinds differ in the service, the step, the region and at last in the host. */
function panelsOf(kind: number): object[] {
  const service = SERVICES[kind % SERVICES.length] ?? ''
  const place = Math.floor(kind / SERVICES.length / 4)
  const region = place === 0 ? '' : ` AND region = '${REGIONS[place % REGIONS.length]}'`
  const host = place < REGIONS.length ? '' : ` AND host <> '${service}-${Math.floor(place / REGIONS.length)}'`
  const where = `service = '${service}'${region}${host}`
  const base = { table: TABLE, lastMs: 3_600_000 }
  const stepMs = [10_000, 30_000, 60_000, 300_000][Math.floor(kind / SERVICES.length) % 4] ?? 60_000
  const series = { ...base, where, stepMs }
  return [
    { ...series, calc: ['count'] },
    { ...series, calc: ['ratio(status >= 500)'] },
    { ...series, calc: ['p50:latency_ms', 'p99:latency_ms'] },
    { ...series, calc: ['count'], by: ['region'] },
    { ...series, calc: ['count'], by: ['status'] },
    { ...series, calc: ['avg:latency_ms'], by: ['arm'] },
    { ...base, where, calc: ['count'], by: ['route'], top: 10, other: true },
    { ...base, where, calc: ['sum:bytes_out'], by: ['country'], top: 5, other: true },
    { ...base, where, calc: ['distinct:user_id'] },
    { ...base, where, calc: ['p99:latency_ms'], by: ['host'], top: 10 },
    { ...base, calc: ['count'], by: ['service'], stepMs },
    { ...base, where, calc: ['heatmap:latency_ms'], stepMs: 300_000 },
  ]
}

/** Sends a body four times a second; gives the rows that were accepted. */
async function keepSending(leaf: ScratchLeaf, body: Buffer, signal: AbortSignal): Promise<number> {
  // Without a time of their own rows are of the moment they arrive.
  const rows = body.toString('utf8').replaceAll(/"time":\d+,/g, '')
  let accepted = 0
  while (!signal.aborted) {
    const started = performance.now()
    accepted += (await leaf.client.send(TABLE, rows)).accepted
    await sleep(Math.max(0, 250 - (performance.now() - started)))
  }
  return accepted
}

function load(options: LoadOptions): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'lib/scuba-board-load.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    child.send(options)
    child.once('message', (result) => resolve(result as LoadResult))
    child.once('error', reject)
    child.once('exit', (code) => code !== 0 && reject(new Error(`the load generator ended with ${code}`)))
  })
}
