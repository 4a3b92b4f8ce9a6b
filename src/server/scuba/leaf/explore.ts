import { isRefusal, refuse } from '../../../core/kernel/errors.ts'
import { diffColumns, diffSizesSql, diffValuesSql, rangedColumns, rankColumns } from '../../../core/scuba/explore/diff.ts'
import { funnelSql, funnelSteps, sessionsOf, sessionsSql } from '../../../core/scuba/explore/journeys.ts'
import { rowText, spanOf, traceAnswer, traceSql, traceTables } from '../../../core/scuba/explore/trace.ts'
import { findColumn } from '../../../core/scuba/plan/calc.ts'
import { queryRange } from '../../../core/scuba/plan/range.ts'
import type {
  Coverage,
  DiffAnswer,
  DiffRequest,
  FunnelAnswer,
  FunnelRequest,
  QueryAnswer,
  QueryRequest,
  SessionsAnswer,
  SessionsRequest,
  TraceAnswer,
  TraceSpan,
} from '../../../core/scuba/wire-types.ts'
import { elapsed } from './answering.ts'
import { query } from './ask.ts'
import { checkedExpression } from './ask-panel.ts'
import type { Engines } from './engines.ts'
import type { Asker } from './slots.ts'
import type { Store } from './store.ts'

/** Who asks what of which store: shared by the questions that are made of several SELECTs. */
export interface Exploring {
  store: Store
  engines: Engines
  signal: AbortSignal
  asker: Asker
}

type Ranged = Pick<QueryRequest, 'sinceMs' | 'untilMs' | 'lastMs' | 'params' | 'deadlineMs'>

const HOUR_MS = 3_600_000

/** The last hour when nothing is said; the same range for all SELECTs of a question. */
function rangeOf(request: Ranged): Ranged {
  const { sinceMs, lastMs } = request
  const range = queryRange({ ...request, lastMs: lastMs ?? (sinceMs === undefined ? HOUR_MS : undefined) }, Date.now())
  if (isRefusal(range)) throw range
  return { ...range, params: request.params, deadlineMs: request.deadlineMs }
}

const select = ({ store, engines, signal, asker }: Exploring, sql: string, range: Ranged): Promise<QueryAnswer> =>
  query(store, engines, { sql, ...range }, signal, asker)

/** Ranks columns by how much a selection differs from the rest. */
export async function diff(exploring: Exploring, request: DiffRequest): Promise<DiffAnswer> {
  const started = performance.now()
  const { store, engines } = exploring
  const { table } = request
  const types = store.columnTypes(table)
  for (const expression of [request.select, request.baseline, request.where]) {
    if (expression !== undefined) await checkedExpression(store, engines, expression, table)
  }
  const columns = (request.columns ?? diffColumns(types)).map((name) => knownColumn(name, Object.keys(types)))
  if (columns.length === 0) throw refuse('USAGE', `${table} has no columns to compare`)
  const range = rangeOf(request)
  const question = { table, select: request.select, baseline: request.baseline, where: request.where }
  const sizes = await select(exploring, diffSizesSql(question, columns, types), range)
  const [first = []] = sizes.rows
  const ranged = rangedColumns(first, columns, types)
  const values = await select(exploring, diffValuesSql(question, columns, types, ranged), range)
  const [selectionRows, baselineRows] = [Number(first[0] ?? 0), Number(first[1] ?? 0)]
  return {
    table,
    selectionRows,
    baselineRows,
    columns: rankColumns(values.rows, columns, ranged, { selection: selectionRows, baseline: baselineRows }),
    rowsScanned: values.rowsScanned,
    coverage: values.coverage,
    elapsedMs: elapsed(started),
  }
}

function knownColumn(name: string, columns: readonly string[]): string {
  const found = findColumn(name, columns)
  if (typeof found !== 'string') throw found
  return found
}

export async function funnel(exploring: Exploring, request: FunnelRequest): Promise<FunnelAnswer> {
  const { store, engines } = exploring
  const { table, steps, where } = request
  const actor = knownColumn(request.actor, Object.keys(store.columnTypes(table)))
  for (const expression of where === undefined ? steps : [...steps, where]) await checkedExpression(store, engines, expression, table)
  const { rows, rowsScanned, coverage, elapsedMs } = await select(exploring, funnelSql({ ...request, actor }, steps), rangeOf(request))
  return { table, steps: funnelSteps(rows, steps), rowsScanned, coverage, elapsedMs }
}

const GAP_MS = 30 * 60_000

export async function sessions(exploring: Exploring, request: SessionsRequest): Promise<SessionsAnswer> {
  const { store, engines } = exploring
  const { table, where } = request
  const actor = knownColumn(request.actor, Object.keys(store.columnTypes(table)))
  if (where !== undefined) await checkedExpression(store, engines, where, table)
  const sql = sessionsSql({ table, actor, where, gapMs: request.gapMs ?? GAP_MS })
  const { rows, rowsScanned, coverage, elapsedMs } = await select(exploring, sql, rangeOf(request))
  return { table, ...sessionsOf(rows[0] ?? []), rowsScanned, coverage, elapsedMs }
}

/** All that a trace left, in every table whose rows carry its id. @throws NOT_FOUND */
export async function trace(exploring: Exploring, request: { trace: string } & Ranged): Promise<TraceAnswer> {
  const started = performance.now()
  const { store } = exploring
  const tables = traceTables([...store.tableNames()].map((name) => ({ name, columns: store.columnTypes(name) })))
  const range = { ...rangeOf({ ...request, lastMs: request.lastMs ?? 24 * HOUR_MS }), params: { trace: request.trace } }
  const spans: TraceSpan[] = []
  const rows: TraceAnswer['rows'] = []
  const coverages: Coverage[] = []
  let rowsScanned = 0
  for (const table of tables) {
    const answer = await select(exploring, traceSql(table), range)
    const names = answer.columns.map(({ name }) => name)
    coverages.push(answer.coverage)
    rowsScanned += answer.rowsScanned
    for (const row of answer.rows) {
      if (table.isSpans) spans.push(spanOf(names, row))
      else rows.push({ table: table.table, timeMs: Number(row[names.indexOf('time')] ?? 0), text: rowText(names, row) })
    }
  }
  if (spans.length === 0 && rows.length === 0) {
    throw refuse('NOT_FOUND', `no row of this time range carries the trace ${request.trace}`, {
      hint: 'Look further back with --since 7d.',
    })
  }
  return { ...traceAnswer(request.trace, spans, rows), rowsScanned, coverage: allOf(coverages), elapsedMs: elapsed(started) }
}

/** Of an answer that was put together from several tables. */
function allOf(coverages: readonly Coverage[]): Coverage {
  const least = (values: (number | null)[]): number | null => values.reduce((a, b) => (a === null || (b !== null && b < a) ? b : a), null)
  const most = (values: (number | null)[]): number | null => values.reduce((a, b) => (a === null || (b !== null && b > a) ? b : a), null)
  return {
    rows: coverages.reduce((share, { rows }) => Math.min(share, rows), 1),
    segments: coverages.reduce((sum, { segments }) => sum + segments, 0),
    chunks: coverages.reduce((sum, { chunks }) => sum + chunks, 0),
    leaves: coverages.reduce((least, { leaves }) => Math.min(least, leaves), Infinity),
    leavesAsked: coverages.reduce((sum, { leaves, leavesAsked }) => Math.max(sum, leavesAsked ?? leaves), 0),
    fromMs: least(coverages.map(({ fromMs }) => fromMs)),
    toMs: most(coverages.map(({ toMs }) => toMs)),
    hotToMs: most(coverages.map(({ hotToMs }) => hotToMs)),
    missing: coverages.flatMap(({ missing }) => missing),
  }
}
