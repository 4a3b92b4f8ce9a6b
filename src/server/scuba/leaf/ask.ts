import { isRefusal, refuse } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { LiveAnswer } from '../../../core/scuba/live/aggregate.ts'
import { planPanel, panelGroups } from '../../../core/scuba/plan/panel.ts'
import { checkSql } from '../../../core/scuba/sql/check.ts'
import type { LiveRequest, PanelAnswer, PanelRequest, QueryAnswer, QueryRequest } from '../../../core/scuba/wire-types.ts'
import type { Engine } from './engine.ts'
import type { Store } from './store.ts'

/** Answers SQL. The statement is checked on the engine's own parse tree before it runs. */
export async function query(store: Store, engine: Engine, request: QueryRequest, signal?: AbortSignal): Promise<QueryAnswer> {
  const started = performance.now()
  const deadlineMs = Math.min(request.deadlineMs ?? LIMITS.deadlineMs, LIMITS.deadlineMsMax)
  const checked = checkSql(await engine.parse(request.sql), request.sql, store.tableNames())
  if (isRefusal(checked)) throw checked
  const reading = await store.read(checked.tables, request)
  try {
    const { columns, rows } = await engine.run({ sql: request.sql, views: reading.views, params: request.params ?? {}, deadlineMs }, signal)
    return {
      columns,
      rows,
      rowsScanned: reading.rowsScanned,
      coverage: reading.coverage,
      exact: true,
      cache: { isWhole: false, hits: 0, misses: 0 },
      elapsedMs: Math.round((performance.now() - started) * 10) / 10,
    }
  } finally {
    reading.end()
  }
}

/** Answers a panel: planned in core, then asked as any other SQL, so that its conditions are checked like a user's statement. */
export async function panel(store: Store, engine: Engine, request: PanelRequest, signal?: AbortSignal): Promise<PanelAnswer> {
  const plan = planPanel(request, store.tail(request.table).columns.names(), Date.now())
  if (isRefusal(plan)) throw plan
  const { sql, by, calcs, stepMs, sinceMs, untilMs } = plan
  const answer = await query(store, engine, { sql, params: request.params, sinceMs, untilMs, deadlineMs: request.deadlineMs }, signal)
  const { rowsScanned, coverage, elapsedMs } = answer
  return {
    table: request.table,
    by,
    calc: calcs.map(({ text }) => text),
    stepMs,
    sinceMs,
    untilMs,
    ...panelGroups(plan, answer.rows),
    isGroupCountExact: true,
    accuracy: Object.fromEntries(calcs.map(({ text }) => [text, { exact: true, errorMax: 0 }])),
    tier: 'B',
    cache: answer.cache,
    rowsScanned,
    coverage,
    elapsedMs,
  }
}

/** The live aggregate; only `requests` has one. */
export function live(store: Store, request: LiveRequest): LiveAnswer {
  if (request.table !== 'requests') throw refuse('SCUBA_TABLE_UNKNOWN', `there is no live aggregate of ${request.table}; only of requests`)
  const counts = request.byTask === true ? store.liveTasks : store.live
  return counts.read(request.service, request.fromMs, request.toMs ?? null, Date.now())
}
