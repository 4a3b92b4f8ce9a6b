import { isRefusal, refuse } from '../../../core/kernel/errors.ts'
import type { LiveAnswer } from '../../../core/scuba/live/aggregate.ts'
import type { EngineStatement } from '../../../core/scuba/engine-protocol.ts'
import { queryRange } from '../../../core/scuba/plan/range.ts'
import { checkSql } from '../../../core/scuba/sql/check.ts'
import { conditionsOf, equalitiesOf } from '../../../core/scuba/sql/equalities.ts'
import { readNames } from '../../../core/scuba/sql/expression.ts'
import type { CacheUse, LiveRequest, Params, QueryAnswer, QueryRequest } from '../../../core/scuba/wire-types.ts'
import { isSameBasis } from './answer-cache.ts'
import { ANYBODY, basisOf, checkCells, deadlineOf, elapsed, whole } from './answering.ts'
import { narrowed, noteFilters } from './artefacts/narrow.ts'
import { namesRead } from './artefacts/native-copies.ts'
import { readEverywhere } from '../aggregate/ship.ts'
import { compareZone, earlier } from './compare.ts'
import type { Engines } from './engines.ts'
import { reread } from './reread.ts'
import type { Asker } from './slots.ts'
import { overParts, planParts } from './sql-parts/over-parts.ts'
import { fetchAway } from './reading.ts'
import type { Store } from './store.ts'

export { panel } from './ask-panel.ts'

/** Answers SQL. The statement is checked on the engine's own parse tree before it runs. */
export async function query(
  store: Store,
  engines: Engines,
  request: QueryRequest,
  signal?: AbortSignal,
  asker: Asker = ANYBODY,
): Promise<QueryAnswer> {
  const range = queryRange(request, Date.now())
  if (isRefusal(range)) throw range
  const key = JSON.stringify(['query', request.sql, request.params, range, request.compare, request.raw])
  const answer = await engines.flights.share(key, signal, (shared) => answerQuery(store, engines, { ...request, ...range }, shared, asker))
  return whole(answer, request)
}

async function answerQuery(store: Store, engines: Engines, request: QueryRequest, signal: AbortSignal, asker: Asker): Promise<QueryAnswer> {
  const started = performance.now()
  const deadlineMs = deadlineOf(request)
  const deadlineAtMs = Date.now() + deadlineMs
  const tree = await engines.idlest.parse(request.sql)
  const checked = checkSql(tree, request.sql, store.tableNames())
  if (isRefusal(checked)) throw checked
  const equalities = request.raw === true ? [] : equalitiesOf(tree, request.params ?? {})
  // What other leaves have is new each time.
  const isSteady = request.raw !== true && isSameEveryTime(request.sql) && store.peers?.isAlone !== false
  const { names, hasStar } = readNames(tree)
  const key = JSON.stringify(['query', request.sql, request.params, request.sinceMs, request.untilMs])
  const run = async (asked: QueryRequest): Promise<QueryAnswer> => {
    const needed = { columns: hasStar ? null : names, conditions: conditionsOf(tree), params: asked.params ?? {}, signal }
    const reading = await readEverywhere(store, checked.tables, asked, {
      ...needed,
      // Of what the filters of this leaf are asked by, too; with more than one table it is none.
      equalities: equalitiesOf(tree, request.params ?? {}),
      deadlineMs: deadlineAtMs - Date.now(),
      mayBeLater: true,
    })
    try {
      const basis = basisOf(reading)
      const known = isSteady ? engines.answers.get<QueryAnswer>(`${key}${asked.sinceMs}`) : null
      if (known && isSameBasis(known.basis, basis)) {
        engines.answers.hits += 1
        return { ...known.answer, cache: { isWhole: true, hits: 0, misses: 0 }, engineMs: 0, elapsedMs: elapsed(started) }
      }
      const cells = reading.tables.reduce((sum, { files, view }) => {
        const read = hasStar
          ? Object.keys(view.columns).length
          : Object.keys(view.columns).filter((name) => names.has(name.toLowerCase())).length
        return sum + read * files.reduce((rows, file) => rows + file.rows, 0)
      }, 0)
      checkCells(cells, asked)
      const params = asked.params ?? {}
      const isAlone = store.peers?.isAlone !== false
      const ofParts = { engines, tree, reading, range: asked, equalities, params, deadlineAtMs, signal, isAlone }
      const parts = asked.raw === true ? 'asked for from the rows' : await planParts(ofParts)
      await fetchAway(store, reading, { ...needed, deadlineAtMs })
      const cache: CacheUse = { isWhole: false, hits: 0, misses: 0 }
      let asking = 0
      const { columns, rows, artefacts, tier } = await engines.slots.use(asker, deadlineAtMs - Date.now(), signal, async () => {
        asking = performance.now()
        const run = (statement: EngineStatement & { params: Params }): ReturnType<Engines['run']> =>
          engines.run({ ...statement, deadlineMs: Math.max(1, deadlineAtMs - Date.now()) }, signal)
        const whole = typeof parts === 'string' ? null : await overParts(ofParts, parts, cache)
        if (whole) {
          if (cache.misses > 0) noteFilters(engines, reading, equalities, performance.now() - asking)
          return { ...(await run(whole)), artefacts: 0, tier: 'A' as const }
        }
        cache.misses += 1
        const read = { equalities, names: asked.raw === true ? null : namesRead(tree), key: asked.sql, signal }
        const answer = await narrowed(engines, reading, read, (views) => run({ sql: asked.sql, params, ...views }))
        return { ...answer, tier: 'B' as const }
      })
      const engineMs = elapsed(asking)
      if (artefacts === 0 && tier === 'B') engines.learn(cells, engineMs)
      const answer: QueryAnswer = {
        columns,
        rows,
        rowsScanned: reading.rowsScanned,
        coverage: reading.coverage,
        exact: true,
        tier,
        cache: { ...cache, ...(artefacts > 0 ? { artefacts } : {}) },
        engineMs,
        elapsedMs: elapsed(started),
      }
      if (isSteady && rows.length <= CACHED_ROWS_MAX) engines.answers.put(`${key}${asked.sinceMs}`, answer, basis, Date.now())
      return answer
    } finally {
      reading.end()
    }
  }
  const answer = await reread(store, checked.tables, () => run(request), signal)
  if (request.compare === undefined) return answer
  const { sinceMs, untilMs } = earlier(request, request.compare, compareZone(store, checked.tables[0]))
  const before = await reread(store, checked.tables, () => run({ ...request, sinceMs, untilMs }), signal)
  const { rows, rowsScanned, coverage } = before
  return { ...answer, compare: { sinceMs, untilMs, rows, rowsScanned, coverage }, elapsedMs: elapsed(started) }
}

const CACHED_ROWS_MAX = 10_000

/** Whether the same rows give the same answer: not when the statement reads the clock or chance. */
const isSameEveryTime = (sql: string): boolean =>
  !/\b(now|today|current_|random|uuid|gen_random|get_current|transaction_timestamp|localtime|setseed|sample)/i.test(sql)

/** The live aggregate; only `requests` has one. */
export function live(store: Store, request: LiveRequest): LiveAnswer {
  if (request.table !== 'requests') throw refuse('SCUBA_TABLE_UNKNOWN', `there is no live aggregate of ${request.table}; only of requests`)
  const counts = request.byTask === true ? store.liveTasks : store.live
  return counts.read(request.service, request.fromMs, request.toMs ?? null, Date.now())
}
