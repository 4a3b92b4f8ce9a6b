import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { scubaCompact } from '../../../core/scuba/operations/segments.ts'
import type { PanelRequest } from '../../../core/scuba/wire-types.ts'
import { requestRows, traceIdOf } from './rows.ts'
import { ScratchLeaf } from './scratch-leaf.ts'

export interface Measured {
  what: string
  value: number
  unit: string
}

const TABLE = 'measured'
const BODY_ROWS = 2400
const CONNECTIONS = 8
const BODIES_AHEAD = 64
const ROUNDS = 5
const HOUR_MS = 3_600_000

/**
 * What this machine takes in and answers: a leaf of its own on a folder is sent so many rows, seals them, and is asked.
 * @param cores it may use so many; null: all
 */
export async function* measure(dir: string, rows: number, cores: number | null, signal: AbortSignal): AsyncGenerator<Measured> {
  const leaf = new ScratchLeaf(dir)
  try {
    await leaf.start([], cores === null ? [] : ['taskset', '-c', `0-${cores - 1}`])
    const untilMs = Math.floor(Date.now() / 60_000) * 60_000
    const fromMs = untilMs - HOUR_MS
    const bytes = yield* ingest(leaf, rows, fromMs, signal)
    yield { what: 'text in bytes of the store', value: bytes / storedBytes(dir), unit: '×' }
    yield* questions(leaf, rows, fromMs, untilMs, signal)
    yield* freshness(leaf, signal)
  } finally {
    await leaf.close()
  }
}

/** Gives the bytes of text. Bodies are made ahead of what is measured, some at a time. */
async function* ingest(leaf: ScratchLeaf, rows: number, fromMs: number, signal: AbortSignal): AsyncGenerator<Measured, number> {
  const acks: number[] = []
  let bytes = 0
  let seconds = 0
  const cpu = leaf.cpuSeconds()
  for (let first = 0; first < rows && !signal.aborted;) {
    const bodies: Buffer[] = []
    for (; first < rows && bodies.length < BODIES_AHEAD; first += BODY_ROWS)
      bodies.push(Buffer.from(requestRows(first, Math.min(BODY_ROWS, rows - first), fromMs, HOUR_MS / rows)))
    bytes += bodies.reduce((sum, { length }) => sum + length, 0)
    const connection = async (): Promise<void> => {
      for (let body = bodies.pop(); body && !signal.aborted; body = bodies.pop()) {
        const sent = performance.now()
        await leaf.client.send(TABLE, body, { signal })
        acks.push(performance.now() - sent)
      }
    }
    const started = performance.now()
    await Promise.all(Array.from({ length: CONNECTIONS }, connection))
    seconds += (performance.now() - started) / 1000
  }
  const started = performance.now()
  await leaf.client.do(scubaCompact, { table: TABLE }, { signal, patienceMs: 600_000 })
  seconds += (performance.now() - started) / 1000
  yield { what: 'rows taken in and sealed', value: rows, unit: '' }
  yield { what: 'JSON per second', value: bytes / 1e6 / seconds, unit: 'MB' }
  yield { what: 'JSON per second of processor', value: bytes / 1e6 / (leaf.cpuSeconds() - cpu), unit: 'MB' }
  acks.sort((a, b) => a - b)
  for (const share of [0.5, 0.99])
    yield { what: `a body of 1 MB on the disk, p${share * 100}`, value: acks[Math.floor((acks.length - 1) * share)] ?? 0, unit: 'ms' }
  return bytes
}

async function* questions(leaf: ScratchLeaf, rows: number, fromMs: number, untilMs: number, signal: AbortSignal): AsyncGenerator<Measured> {
  const panels: [string, Omit<PanelRequest, 'table'>][] = [
    ['count a minute', { calc: ['count'], stepMs: 60_000 }],
    ['p50, p95, p99 by service', { calc: ['p50:latency_ms', 'p95:latency_ms', 'p99:latency_ms'], by: ['service'] }],
    ['top 10 of routes', { calc: ['count'], by: ['route'], top: 10 }],
    ['top 10 of users', { calc: ['count'], by: ['user_id'], top: 10 }],
    ['distinct users', { calc: ['distinct:user_id'] }],
    ['words in messages', { calc: ['count'], where: "message LIKE '%reset by peer%'" }],
    ['heat map of latency', { calc: ['heatmap:latency_ms'], stepMs: 60_000 }],
  ]
  for (const [name, panel] of panels) {
    const asked: PanelRequest = { table: TABLE, sinceMs: fromMs, untilMs, deadlineMs: 60_000, ...panel }
    yield { what: `${name}, from the rows`, value: await median(() => leaf.client.panel({ ...asked, raw: true }, signal)), unit: 'ms' }
    await leaf.client.panel(asked, signal)
    yield { what: `${name}, known`, value: await median(() => leaf.client.panel(asked, signal)), unit: 'ms' }
  }
  const sql = `SELECT * FROM ${TABLE} WHERE trace_id = '${traceIdOf(Math.floor(rows / 3))}'`
  yield { what: 'one trace', value: await median(() => leaf.client.query(sql, { deadlineMs: 60_000, raw: true }, signal)), unit: 'ms' }
}

/** From the acknowledgement of a row to the answer that has it. */
async function* freshness(leaf: ScratchLeaf, signal: AbortSignal): AsyncGenerator<Measured> {
  const took: number[] = []
  for (let i = 0; i < 20 && !signal.aborted; i += 1) {
    await leaf.client.send('fresh', [{ i }])
    const started = performance.now()
    for (;;) {
      const { rows } = await leaf.client.query(`SELECT count(*) FROM fresh WHERE i = ${i}`, {}, signal)
      if (Number(rows[0]?.[0]) === 1) break
    }
    took.push(performance.now() - started)
  }
  yield { what: 'acknowledged to answered, worst of 20', value: Math.max(...took), unit: 'ms' }
}

async function median(ask: () => Promise<unknown>): Promise<number> {
  const took: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now()
    await ask()
    took.push(performance.now() - started)
  }
  return took.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0
}

function storedBytes(dir: string): number {
  const folder = join(dir, 'segments')
  return Math.max(
    1,
    readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0),
  )
}
