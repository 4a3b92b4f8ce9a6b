import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { DuckDBConnection } from '@duckdb/node-api'
import { MusterError } from '../src/core/kernel/errors.ts'
import { inDirectory } from './lib/directory.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { quantile } from './lib/quantile.ts'
import { ScratchLeaf } from '../src/server/scuba/measure/scratch-leaf.ts'
import { forgetPages } from './lib/forget-pages.ts'
import { makeBodies, sendBodies, upTo } from './lib/scuba-bodies.ts'
import { panelMix, type MixQuery } from './lib/scuba-mix.ts'
import { measureNative } from './lib/scuba-native.ts'
import { ROW_TYPES, traceId } from './lib/scuba-rows.ts'
import { openEngine, openPlain, writeSegments } from './lib/scuba-store.ts'

/*
 * How fast scuba answers, from a real leaf over its socket. `mix`: the thirteen panels over a day of rows, cold and hot; `against`: the same
 * beside plain DuckDB on a native table; `sqlite`: a group-by, a p99 and a distinct count per row beside SQLite; `native`: questions from native copies beside
 * segments; `hot`: three columns of 256 MB
 * that are not sealed; `trace`: one trace among 10 million rows; `freshness`: from the
 * acknowledgement to the answer. $MUSTER_BENCH_ROWS: 50 million unless it says otherwise; $MUSTER_BENCH_KEEP: a folder in which stores
 * are kept for the next run, because writing them takes minutes. Processor seconds are printed beside the times: divided by the cores they
 * are what an idle machine would need.
 */

const figure = figuresOf('scuba-query')
export const parts = ['mix', 'against', 'sqlite', 'native', 'hot', 'trace', 'freshness']

const ROWS = Number(process.env['MUSTER_BENCH_ROWS'] ?? 50_000_000)
/** ten segments */
const NATIVE_ROWS = Math.min(ROWS, 6_370_000)
const TRACE_ROWS = Math.min(ROWS, 10_000_000)
const SQLITE_ROWS = Math.min(ROWS, 500_000)
const DAY_MS = 86_400_000
const TABLE = 'events'
const ROUNDS = 3
/** the size the targets are for; of fewer rows times are only reported */
const isWhole = ROWS >= 50_000_000
const CORES = availableParallelism()

const judged = (metric: string, value: number, unit: string, comparison: '>=' | '<=', limit: number): Figure =>
  isWhole ? figure(metric, value, unit, comparison, limit) : figure(metric, value, unit)

export async function* run(asked: readonly string[] = parts): AsyncGenerator<Figure> {
  const wanted = new Set(asked)
  if (wanted.has('mix') || wanted.has('against') || wanted.has('sqlite')) {
    yield* withStore(ROWS, async function* (dir, untilMs) {
      const queries = panelMix(TABLE, untilMs, ROWS)
      if (wanted.has('mix') || wanted.has('against')) {
        const hot = yield* mix(dir, queries)
        if (wanted.has('against')) yield* against(dir, queries, hot)
      }
      if (wanted.has('sqlite')) yield* besideSqlite(dir, queries)
    })
  }
  if (wanted.has('native')) yield* withStore(NATIVE_ROWS, native)
  if (wanted.has('hot')) yield* inDirectory('scuba', unsealed)
  if (wanted.has('trace')) yield* withStore(TRACE_ROWS, trace)
  if (wanted.has('freshness')) yield* inDirectory('scuba', freshness)
  yield figure('load average of the last minute', loadavg()[0] ?? 0, '')
}

/** A store of so many rows of one day; made anew unless it is kept. */
async function* withStore(rows: number, part: (dir: string, untilMs: number) => AsyncGenerator<Figure>): AsyncGenerator<Figure> {
  const kept = process.env['MUSTER_BENCH_KEEP']
  if (kept === undefined) return yield* inDirectory('scuba', (dir) => onStore(dir, rows, part))
  const dir = join(kept, `scuba-${rows}`)
  mkdirSync(dir, { recursive: true })
  yield* onStore(dir, rows, part)
}

async function* onStore(dir: string, rows: number, part: (dir: string, untilMs: number) => AsyncGenerator<Figure>): AsyncGenerator<Figure> {
  if (!existsSync(join(dir, 'manifest'))) {
    process.stderr.write(`writing ${rows} rows\n`)
    const untilMs = Math.floor(Date.now() / 3_600_000) * 3_600_000
    await writeSegments(await openEngine(CORES), dir, TABLE, { rows, fromMs: untilMs - DAY_MS, everyUs: (DAY_MS * 1000) / rows })
  }
  const leaf = new ScratchLeaf(dir)
  await leaf.start()
  const info = await leaf.client.table(TABLE)
  await leaf.close()
  if (info.rows !== rows) throw new Error(`${dir} holds ${info.rows} rows of ${rows}: remove it`)
  yield* part(dir, Math.ceil(((info.toMs ?? 0) + 1) / 3_600_000) * 3_600_000)
}

interface Asked {
  ms: number
  cpuSeconds: number
}

/** One that is not answered within a minute counts as one of a minute. */
async function ask(leaf: ScratchLeaf, { name, ask }: MixQuery): Promise<Asked> {
  const cpu = leaf.cpuSeconds()
  const started = performance.now()
  const options = { deadlineMs: 60_000, raw: true }
  try {
    if ('panel' in ask) await leaf.client.panel({ table: TABLE, ...options, ...ask.panel })
    else await leaf.client.query(ask.query.sql, { ...ask.query, ...options })
  } catch (error) {
    if (!(error instanceof MusterError) || error.code !== 'SCUBA_DEADLINE') throw error
    process.stderr.write(`${name}: ${error.message}\n`)
  }
  return { ms: performance.now() - started, cpuSeconds: leaf.cpuSeconds() - cpu }
}

async function askHot(leaf: ScratchLeaf, query: MixQuery): Promise<Asked> {
  let best: Asked = { ms: Infinity, cpuSeconds: Infinity }
  for (let round = 0; round < ROUNDS; round += 1) {
    const asked = await ask(leaf, query)
    if (asked.ms < best.ms) best = asked
  }
  return best
}

async function* mix(dir: string, queries: readonly MixQuery[]): AsyncGenerator<Figure, Asked[]> {
  const leaf = new ScratchLeaf(dir)
  await leaf.start()
  const hot: Asked[] = []
  try {
    if (!forgetPages(dir)) process.stderr.write('cold: the pages could not be taken out of memory\n')
    for (const query of queries) yield figure(`cold: ${query.name}`, (await ask(leaf, query)).ms, 'ms')
    for (const query of queries) {
      const best = await askHot(leaf, query)
      hot.push(best)
      yield figure(`hot: ${query.name}`, best.ms, 'ms')
      yield figure(`hot: ${query.name}, processor by core`, (best.cpuSeconds * 1000) / CORES, 'ms')
    }
  } finally {
    await leaf.close()
  }
  const fast = hot.filter(({ ms }) => ms < 1000).length
  yield judged('hot: under 1 s', fast, `of ${hot.length}`, '>=', 11)
  // What it would be on cores that do nothing else.
  const byProcessor = hot.filter(({ cpuSeconds }) => cpuSeconds / CORES < 1).length
  yield figure('hot: under 1 s by processor', byProcessor, `of ${hot.length}`)
  return hot
}

async function* against(dir: string, queries: readonly MixQuery[], hot: readonly Asked[]): AsyncGenerator<Figure> {
  const plain = await openPlain(dir, CORES)
  let sum = 0
  let cpuSum = 0
  for (const query of queries) {
    const before = process.cpuUsage()
    const ms = await best(async () => void (await plain.runAndReadAll(query.plain)))
    const { user, system } = process.cpuUsage(before)
    const cpuMs = (user + system) / 1000 / ROUNDS
    sum += ms
    cpuSum += cpuMs
    yield figure(`plain DuckDB: ${query.name}, processor by core`, cpuMs / CORES, 'ms')
    yield figure(`plain DuckDB: ${query.name}`, ms, 'ms')
  }
  const ratio = hot.reduce((total, { ms }) => total + ms, 0) / sum
  const cpuRatio = (hot.reduce((total, { cpuSeconds }) => total + cpuSeconds, 0) * 1000) / cpuSum
  yield figure('sum of hot processor time against plain DuckDB', cpuRatio, '×')
  yield judged('sum of hot times against plain DuckDB', ratio, '×', '<=', 1.1)
  plain.closeSync()
}

/** Both take longer for more rows in proportion, so that SQLite may have fewer of them. */
async function* besideSqlite(dir: string, queries: readonly MixQuery[]): AsyncGenerator<Figure> {
  const plain = await openPlain(dir, CORES)
  const sqlite = await sqliteCopy(plain)
  plain.closeSync()
  const leaf = new ScratchLeaf(dir)
  await leaf.start()
  try {
    for (const query of queries) {
      if (query.sqlite === undefined) continue
      const statement = sqlite.prepare(query.sqlite)
      const sqliteMs = await best(async () => void statement.all())
      const { ms } = await askHot(leaf, query)
      yield figure(`${query.name}, ${SQLITE_ROWS} rows in SQLite`, sqliteMs, 'ms')
      yield figure(`${query.name}, ${ROWS} rows`, ms, 'ms')
      yield figure(`${query.name}, a row against SQLite`, sqliteMs / SQLITE_ROWS / (ms / ROWS), '×', '>=', 50)
    }
  } finally {
    await leaf.close()
    sqlite.close()
  }
}

/** In the processor's time of the engine, because that differs less on a machine that does other things, too. */
async function* native(dir: string, untilMs: number): AsyncGenerator<Figure> {
  const { asked, rows, rowsShare, buildMs, bytesShare } = await measureNative(dir, TABLE, panelMix(TABLE, untilMs, NATIVE_ROWS), untilMs)
  for (const { name, segmentsMs, copiesMs } of asked) {
    yield figure(`native: ${name}, from segments, processor`, segmentsMs, 'ms')
    yield figure(`native: ${name}, from copies`, segmentsMs / copiesMs, '×')
  }
  const sum = (of: 'segmentsMs' | 'copiesMs'): number => asked.reduce((all, each) => all + each[of], 0)
  yield figure('native: all of these, from copies', sum('segmentsMs') / sum('copiesMs'), '×')
  yield figure('native: to make a copy, a row, processor', (buildMs * 1000) / rows, 'µs')
  yield figure('native: rows that were copied', rowsShare * 100, '%')
  yield figure('native: bytes of copies, of all segments', bytesShare * 100, '%')
}

const UNSEALED_BYTES = 250_000_000
/** A table is sealed ten seconds after its first row: on a machine that is too slow for that there is another. */
const UNSEALED_TRIES = 4

/** Three columns of what came in but is not sealed: from the rows, and when only what came since the last question is new. */
async function* unsealed(dir: string): AsyncGenerator<Figure> {
  const bodies = await makeBodies()
  const leaf = new ScratchLeaf(dir)
  await leaf.start()
  try {
    for (let turn = 0; turn < UNSEALED_TRIES; turn += 1) {
      const table = `hot${turn}`
      await sendBodies(leaf, table, upTo(UNSEALED_BYTES, bodies))
      const measured = await askUnsealed(leaf, table, bodies)
      if ((await leaf.client.table(table)).segments > 0) continue
      yield figure('unsealed: text', UNSEALED_BYTES / 1e6, 'MB')
      yield figure('unsealed: three columns, from the rows', measured.rows.ms, 'ms', '<=', 400)
      yield figure('unsealed: three columns, from the rows, processor', measured.rows.cpuSeconds, 's')
      yield figure('unsealed: three columns, of which a megabyte is new, p50', measured.knownMs, 'ms', '<=', 50)
      return
    }
    throw new Error('all was sealed before it could be asked for')
  } finally {
    await leaf.close()
  }
}

async function askUnsealed(leaf: ScratchLeaf, table: string, bodies: readonly Buffer[]): Promise<{ rows: Asked; knownMs: number }> {
  const panel = async (raw: boolean): Promise<Asked> => {
    const cpu = leaf.cpuSeconds()
    const started = performance.now()
    const untilMs = Math.floor(Date.now() / 3_600_000) * 3_600_000
    const asked = { table, calc: ['avg:latency_ms', 'ratio(status >= 500)'], by: ['service'], sinceMs: untilMs - 3_600_000, untilMs }
    await leaf.client.panel({ ...asked, raw, deadlineMs: 60_000 })
    return { ms: performance.now() - started, cpuSeconds: leaf.cpuSeconds() - cpu }
  }
  const first = await panel(true)
  const second = await panel(true)
  await panel(false)
  const known: number[] = []
  for (let turn = 0; turn < 7; turn += 1) {
    await sendBodies(leaf, table, upTo(1, bodies))
    known.push((await panel(false)).ms)
  }
  return { rows: first.ms < second.ms ? first : second, knownMs: quantile(known, 0.5) }
}

async function best(work: () => Promise<void>): Promise<number> {
  let ms = Infinity
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now()
    await work()
    ms = Math.min(ms, performance.now() - started)
  }
  return ms
}

/** The same table in SQLite, of as many rows as it answers in seconds. */
async function sqliteCopy(plain: DuckDBConnection): Promise<Database.Database> {
  const names = Object.keys(ROW_TYPES)
  const sqlite = new Database(':memory:')
  const typeOf = (name: string): string => ({ VARCHAR: 'TEXT', DOUBLE: 'REAL' })[String(ROW_TYPES[name])] ?? 'INTEGER'
  sqlite.exec(`CREATE TABLE plain (${names.map((name) => `${name} ${typeOf(name)}`).join(', ')})`)
  const insert = sqlite.prepare(`INSERT INTO plain VALUES (${names.map(() => '?').join(', ')})`)
  const value = (name: string): string =>
    name === 'time' ? 'epoch_us(time)::DOUBLE' : typeOf(name) === 'INTEGER' ? `${name}::INTEGER` : name
  const PART = 50_000
  for (let from = 0; from < SQLITE_ROWS; from += PART) {
    const reader = await plain.runAndReadAll(`SELECT ${names.map(value).join(', ')} FROM plain LIMIT ${PART} OFFSET ${from}`)
    sqlite.transaction(() => {
      for (const row of reader.getRows()) insert.run(...row)
    })()
  }
  return sqlite
}

async function* trace(dir: string, untilMs: number): AsyncGenerator<Figure> {
  const leaf = new ScratchLeaf(dir)
  await leaf.start()
  let times: number[] = []
  try {
    for (let turn = 0; turn < 40; turn += 1) {
      // Asked twenty times they are worth a filter.
      if (turn === 20) {
        yield figure(`a trace among ${TRACE_ROWS} rows, from the rows, p50`, quantile(times, 0.5), 'ms')
        await leaf.client.warm()
        times = []
      }
      const sql = `SELECT * FROM ${TABLE} WHERE trace_id = '${traceId(Math.floor((TRACE_ROWS * (turn + 0.5)) / 40))}' ORDER BY time`
      const started = performance.now()
      const answer = await leaf.client.query(sql, { sinceMs: untilMs - DAY_MS, untilMs, deadlineMs: 60_000 })
      times.push(performance.now() - started)
      if (answer.rows.length === 0) throw new Error('a trace was not found')
    }
  } finally {
    await leaf.close()
  }
  const p50 = quantile(times, 0.5)
  yield TRACE_ROWS >= 10_000_000
    ? figure(`a trace among ${TRACE_ROWS} rows, p50`, p50, 'ms', '<=', 50)
    : figure(`a trace among ${TRACE_ROWS} rows, p50`, p50, 'ms')
}

async function* freshness(dir: string): AsyncGenerator<Figure> {
  const leaf = new ScratchLeaf(dir)
  await leaf.start()
  const inAnswer: number[] = []
  const inLive: number[] = []
  try {
    for (let turn = 0; turn < 100; turn += 1) {
      const mark = randomBytes(8).toString('hex')
      const fromMs = Math.floor(Date.now() / 1000) * 1000
      await leaf.client.send('requests', [{ service: mark, status: 200, latency_ms: 5, user: mark }])
      const acknowledged = performance.now()
      const until = async (isThere: () => Promise<boolean>): Promise<number> => {
        while (!(await isThere())) if (performance.now() - acknowledged > 10_000) break
        return performance.now() - acknowledged
      }
      const live = until(async () => (await leaf.client.live({ table: 'requests', service: mark, fromMs })).buckets.length > 0)
      const answer = until(
        async () =>
          Number((await leaf.client.query('SELECT count(*) FROM requests WHERE service = $mark', { params: { mark } })).rows[0]?.[0]) > 0,
      )
      inLive.push(await live)
      inAnswer.push(await answer)
    }
  } finally {
    await leaf.close()
  }
  yield figure('acknowledged to in an answer, p99', quantile(inAnswer, 0.99), 'ms', '<=', 1000)
  yield figure('acknowledged to in the live aggregate, p99', quantile(inLive, 0.99), 'ms', '<=', 1000)
}
