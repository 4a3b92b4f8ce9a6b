import { quoteName } from '../names.ts'
import type { FunnelAnswer, PlainValue, SessionsAnswer } from '../wire-types.ts'

const condition = (where: string | undefined, more: string): string => ` WHERE ${where === undefined ? '' : `(${where}\n) AND `}${more}`

/**
 * Who went through the steps: of each actor the first row that meets step one, then the first at or after it that meets step two,
 * and so on. Rows [place of the step, actors, median ms since the step before].
 */
export function funnelSql(
  { table, actor, where, withinMs }: { table: string; actor: string; where?: string | undefined; withinMs?: number | undefined },
  steps: readonly string[],
): string {
  const flags = steps.map((step, at) => `coalesce((${step}\n), false) AS s${at}`)
  const within = withinMs === undefined ? '' : ` AND r.t <= f.t0 + ${withinMs * 1000}`
  const stages = steps.slice(1).map((_, at) => {
    const [before, stage] = [at, at + 1]
    return `f${stage} AS (SELECT f.a, f.t0, min(r.t) AS t, min(r.t) - f.t AS d FROM f${before} f JOIN r ON r.a = f.a AND r.s${stage} AND r.t >= f.t${within} GROUP BY f.a, f.t0, f.t)`
  })
  return [
    `WITH r AS MATERIALIZED (SELECT * FROM (SELECT ${quoteName(actor)} AS a, epoch_us("time") AS t, ${flags.join(', ')} FROM ${quoteName(table)}${condition(where, `${quoteName(actor)} IS NOT NULL`)}) WHERE ${steps.map((_, at) => `s${at}`).join(' OR ')}),`,
    [`f0 AS (SELECT a, min(t) AS t0, min(t) AS t, 0 AS d FROM r WHERE s0 GROUP BY a)`, ...stages].join(',\n'),
    steps.map((_, at) => `SELECT ${at} AS step, count(*) AS actors, median(d) / 1000 AS ms FROM f${at}`).join(' UNION ALL '),
    'ORDER BY 1',
  ].join('\n')
}

export function funnelSteps(rows: readonly PlainValue[][], steps: readonly string[]): FunnelAnswer['steps'] {
  const actors = steps.map((_, at) => Number(rows[at]?.[1] ?? 0))
  const share = (part: number, all: number | undefined): number | null => (all === undefined || all === 0 ? null : part / all)
  return steps.map((step, at) => {
    const reached = actors[at] ?? 0
    const ms = rows[at]?.[2] ?? null
    return {
      step,
      actors: reached,
      ofFirst: share(reached, actors[0]),
      ofPrevious: at === 0 ? null : share(reached, actors[at - 1]),
      medianMs: at === 0 || ms === null ? null : Number(ms),
    }
  })
}

/** What each actor did, divided where it paused for `gapMs`. One row, read by {@link sessionsOf}. */
export function sessionsSql({
  table,
  actor,
  where,
  gapMs,
}: {
  table: string
  actor: string
  where?: string | undefined
  gapMs: number
}): string {
  const quantiles = (column: string): string =>
    `quantile_cont(${column}, 0.5), quantile_cont(${column}, 0.9), quantile_cont(${column}, 0.99), max(${column})`
  return [
    `WITH r AS (SELECT ${quoteName(actor)} AS a, epoch_us("time") AS t FROM ${quoteName(table)}${condition(where, `${quoteName(actor)} IS NOT NULL`)}),`,
    `g AS (SELECT a, t, CASE WHEN t - lag(t) OVER (PARTITION BY a ORDER BY t) < ${gapMs * 1000} THEN 0 ELSE 1 END AS n FROM r),`,
    's AS (SELECT a, t, sum(n) OVER (PARTITION BY a ORDER BY t ROWS UNBOUNDED PRECEDING) AS k FROM g),',
    'e AS (SELECT a, k, count(*)::DOUBLE AS c, (max(t) - min(t)) / 1000 AS d FROM s GROUP BY a, k)',
    `SELECT count(*), count(DISTINCT a), sum(c), count(*) FILTER (WHERE c = 1), ${quantiles('d')}, ${quantiles('c')} FROM e`,
  ].join('\n')
}

export function sessionsOf(row: readonly PlainValue[]): Omit<SessionsAnswer, 'table' | 'rowsScanned' | 'coverage' | 'elapsedMs'> {
  const number = (at: number): number | null => (row[at] === null || row[at] === undefined ? null : Number(row[at]))
  const spread = (at: number): SessionsAnswer['duration'] => ({
    p50: number(at),
    p90: number(at + 1),
    p99: number(at + 2),
    max: number(at + 3),
  })
  return {
    sessions: number(0) ?? 0,
    actors: number(1) ?? 0,
    rows: number(2) ?? 0,
    bounces: number(3) ?? 0,
    duration: spread(4),
    eventsPerSession: spread(8),
  }
}
