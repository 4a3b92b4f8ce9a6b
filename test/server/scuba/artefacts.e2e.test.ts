import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PanelRequest } from '../../../src/core/scuba/wire-types.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { Artefacts } from '../../../src/server/scuba/leaf/artefacts/artefacts.ts'
import { ANYBODY } from '../../../src/server/scuba/leaf/answering.ts'
import { panel, query } from '../../../src/server/scuba/leaf/ask.ts'
import { Engines } from '../../../src/server/scuba/leaf/engines.ts'
import { explain } from '../../../src/server/scuba/leaf/explain.ts'
import { explainPanel } from '../../../src/server/scuba/leaf/explain-panel.ts'
import { Sealer } from '../../../src/server/scuba/leaf/sealer.ts'
import { readTables } from '../../../src/server/scuba/leaf/reading.ts'
import { Store } from '../../../src/server/scuba/leaf/store.ts'

const ROWS = 4000
const MINUTE_MS = 60_000
const startMs = Math.floor((Date.now() - 3_600_000) / 3_600_000) * 3_600_000
const range = { sinceMs: startMs, untilMs: startMs + 3_600_000 }
const traceOf = (row: number): string => `trace-${row % 2000}`

let dir: string
let store: Store
let engines: Engines
let artefacts: Artefacts

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'scuba-artefacts-'))
  const log = createLogger(null)
  store = new Store(dir, log)
  await store.open()
  engines = new Engines(dir, log)
  store.onDiscard = (paths) => engines.forget(paths)
  engines.start()
  const sealer = new Sealer(store, engines.first)
  for (const half of [0, 1]) {
    const rows = Array.from({ length: ROWS / 2 }, (_, at) => {
      const row = half * (ROWS / 2) + at
      const status = row % 50 === 0 ? 503 : 200
      const extra = row % 7 === 0 ? { latency_ms: null } : { latency_ms: (row % 20) / 3 - 2 }
      return {
        time: startMs + row * 60,
        service: ['feed', 'login', null][row % 3],
        status,
        user: `u${row % 40}`,
        trace: traceOf(row),
        sample_rate: 1 + (row % 4),
        ...extra,
      }
    })
    await store.ingest('events', Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n')), { key: null, ack: 'fsync' })
    await sealer.sealNow(store.tail('events'))
  }
  artefacts = new Artefacts(store, engines)
  await artefacts.open()
  engines.artefacts = artefacts
})

afterAll(async () => {
  engines.stop()
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Asked as if each had cost the engine much, so that it is built for. */
async function warmUp(): Promise<void> {
  for (const { table, spec, fromUs } of artefacts.heat.wants(Date.now())) artefacts.note(table, [spec], 10_000, fromUs)
  await artefacts.round(Date.now())
}

const panels: Omit<PanelRequest, 'table'>[] = [
  { calc: ['count', 'ratio(status >= 500)', 'max:latency_ms', 'min:latency_ms'], by: ['service'], stepMs: 5 * MINUTE_MS },
  { calc: ['sum:sample_rate'], where: "service = 'feed' AND status < 500", stepMs: MINUTE_MS },
  { calc: ['p99:latency_ms', 'avg:latency_ms', 'distinct:user'], by: ['service'], top: 1, other: true },
  { calc: ['heatmap:latency_ms'], stepMs: 10 * MINUTE_MS },
]

test('panels have the same answer from rollups as from rows, and say that they were used', async () => {
  const asked = panels.map((request): PanelRequest => ({ table: 'events', ...request, ...range }))
  const fromRows = []
  for (const request of asked) fromRows.push(await panel(store, engines, { ...request, raw: true }))
  for (const request of asked) await panel(store, engines, request)
  await warmUp()
  expect(new Set(artefacts.status().artefacts.map(({ kind }) => kind))).toEqual(new Set(['rollup']))
  engines.partials.clear()
  engines.answers.clear()
  for (const [at, request] of asked.entries()) {
    const warm = await panel(store, engines, request)
    expect(warm.cache.artefacts, request.calc.join()).toBeGreaterThan(0)
    const [got, wanted] = [warm.groups, fromRows[at]?.groups].map((groups) => JSON.parse(JSON.stringify(groups), round) as unknown)
    expect(got).toEqual(wanted)
  }
})

test('a wider step and fewer dimensions are answered from the same rollup; another condition is not', async () => {
  const wider = await panel(store, engines, { table: 'events', calc: ['count'], stepMs: 30 * MINUTE_MS, ...range })
  expect(wider.cache.artefacts).toBeGreaterThan(0)
  const other = await panel(store, engines, { table: 'events', calc: ['count'], where: '"user" = \'u1\'', ...range })
  expect(other.cache.artefacts).toBeUndefined()
})

test('a panel is explained by the rollups that would answer it, of how many files, and by what is known of it', async () => {
  const exploring = { store, engines, signal: new AbortController().signal, asker: ANYBODY }
  const request: PanelRequest = { table: 'events', calc: ['count'], by: ['service'], stepMs: 10 * MINUTE_MS, ...range }
  const uses = artefacts.status().artefacts.map((one) => one.uses)
  const first = await explainPanel(exploring, request)
  expect(first.artefacts).toEqual([expect.stringMatching(/^rollup of events by minute × service: .*, for 2 of 2 files$/)])
  expect(first).toMatchObject({ tier: 'A', why: null, cells: 0, tables: [{ name: 'events', files: 2, filesKnown: 0, rows: ROWS }] })
  // Only explained: nothing counts as used.
  expect(artefacts.status().artefacts.map((one) => one.uses)).toEqual(uses)
  await panel(store, engines, request)
  expect(await explainPanel(exploring, request)).toMatchObject({ artefacts: [], cells: 0, tables: [{ filesKnown: 2 }] })
  const none = await explainPanel(exploring, { ...request, calc: ['max:sample_rate'], where: '"user" = \'u2\'' })
  expect(none.artefacts).toEqual([])
  expect(none.cells).toBeGreaterThan(ROWS)
  const all = await explainPanel(exploring, { ...request, calc: ['exact_p99:latency_ms'] })
  expect(all).toMatchObject({ tier: 'B', why: expect.stringContaining('all rows together') as string, artefacts: [] })
})

test('a trace is found in the stretches that a filter leaves, as a constant and as a parameter, and what is not there is not found', async () => {
  const sql = 'SELECT * FROM events WHERE trace = $trace ORDER BY time'
  const plain = await query(store, engines, { sql, params: { trace: traceOf(7) }, raw: true, ...range })
  await query(store, engines, { sql, params: { trace: traceOf(7) }, ...range })
  await warmUp()
  engines.answers.clear()
  const narrowed = await query(store, engines, { sql, params: { trace: traceOf(7) }, ...range })
  expect(narrowed.cache.artefacts).toBeGreaterThan(0)
  expect(narrowed.rows).toHaveLength(2)
  const exploring = { store, engines, signal: new AbortController().signal, asker: ANYBODY }
  const { artefacts: named } = await explain(exploring, { sql, params: { trace: traceOf(7) }, ...range })
  expect(named).toEqual(['filter of events by trace'])
  expect(narrowed.rows).toEqual(plain.rows)
  const constant = await query(store, engines, {
    sql: `SELECT count(*) FROM events e WHERE e.trace = '${traceOf(7)}' AND status > 0`,
    ...range,
  })
  expect(constant.rows).toEqual([[2]])
  const nothing = await query(store, engines, { sql, params: { trace: 'trace-none' }, ...range })
  expect(nothing.rows).toEqual([])
})

test('a condition that is not on every row of the answer narrows nothing', async () => {
  const sql = `SELECT count(*) FILTER (WHERE trace = '${traceOf(7)}'), count(*) FROM events WHERE trace = '${traceOf(7)}' OR status > 0`
  expect((await query(store, engines, { sql, ...range })).rows).toEqual([[2, ROWS]])
  const twice = `SELECT (SELECT count(*) FROM events) FROM events WHERE trace = '${traceOf(7)}' LIMIT 1`
  expect((await query(store, engines, { sql: twice, ...range })).rows).toEqual([[ROWS]])
})

test('rows that are not sealed are copied into columns when they are read often, with the same answers, until they are sealed', async () => {
  const rows = Array.from({ length: 2500 }, (_, row) => ({
    time: startMs + row,
    service: ['feed', 'login', null][row % 3],
    n: row % 10 === 9 ? `n${row}` : row,
    sample_rate: 1 + (row % 3),
  }))
  const send = (part: typeof rows): Promise<unknown> =>
    store.ingest('busy', Buffer.from(part.map((row) => JSON.stringify(row)).join('\n')), { key: null, ack: 'fsync' })
  const ask = (calc: string, raw = false): Promise<unknown> =>
    panel(store, engines, { table: 'busy', ...range, calc: [calc], by: ['service'], raw }).then(({ groups }) => groups)
  await send(rows.slice(0, 1000))
  await send(rows.slice(1000, 2000))
  const before: unknown[] = []
  const calcs = ['count', 'sum:n', 'p50:n', 'distinct:n$str']
  for (const calc of calcs) before.push(await ask(calc))
  const reading = await readTables(store, ['busy'], range)
  const [table] = reading.tables
  reading.end()
  if (!table) throw new Error('it has been read')
  await artefacts.tails.note(table, table.files, Date.now() + 60_000)
  expect(artefacts.tails.status()).toMatchObject([{ table: 'busy', segments: 1, rows: 2000 }])
  expect(artefacts.tails.standIn(table.files).map(({ kind, rows }) => [kind, rows])).toEqual([['segment', 2000]])

  // Other plans, so that nothing is known of them yet, and newer rows beside the copy.
  await send(rows.slice(2000))
  for (const calc of ['max:n', 'avg:n', 'ratio(n > 5)', 'p90:sample_rate']) expect(await ask(calc), calc).toEqual(await ask(calc, true))
  engines.partials.clear()
  const first = rows.slice(0, 2000)
  expect(await ask('count')).toEqual(await ask('count', true))
  expect(before[0]).toHaveLength(new Set(first.map(({ service }) => service)).size)

  await new Sealer(store, engines.first).sealNow(store.tail('busy'))
  expect(artefacts.tails.status()).toEqual([])
  await expect.poll(() => readdirSync(join(dir, 'artefacts')).filter((name) => name.startsWith('busy-tail'))).toEqual([])
})

test('artefacts are taken over by the next process, and go with their segment', async () => {
  const next = new Artefacts(store, engines)
  await next.open()
  expect(next.status().artefacts.map(({ kind }) => kind)).toEqual(artefacts.status().artefacts.map(({ kind }) => kind))
  next.forget(store.segmentFiles('events').map(({ path }) => path))
  expect(next.status().artefacts).toEqual([])
  await expect.poll(() => readdirSync(join(dir, 'artefacts'))).toEqual(['index.json'])
})

/** Sums of fractions differ in their last digits by the order they were added in. */
const round = (_key: string, value: unknown): unknown => (typeof value === 'number' ? Number(value.toPrecision(10)) : value)
