import { traceId } from './scuba-rows.ts'
import type { PanelRequest, QueryRequest } from '../../src/core/scuba/wire-types.ts'

/** A question of the panel mix, as it is asked of a leaf and as one would write it for an engine with one table `plain`. */
export interface MixQuery {
  name: string
  ask: { panel: Omit<PanelRequest, 'table'> } | { query: QueryRequest }
  plain: string
  /** without the engine's own functions, where SQLite can answer it at all */
  sqlite?: string
}

const HOUR_MS = 3_600_000
const MINUTE_US = 60_000_000

/**
 * The thirteen panels over a day of rows that ends at `untilMs` (the brief, figures). Percentiles and distinct counts that may be estimates are
 * so on both sides.
 */
export function panelMix(table: string, untilMs: number, rows: number): MixQuery[] {
  const since = (hours: number): { sinceMs: number; untilMs: number } => ({ sinceMs: untilMs - hours * HOUR_MS, untilMs })
  const from = (hours: number): string => `time >= make_timestamp(${(untilMs - hours * HOUR_MS) * 1000})`
  const step = (minutes: number): string => `epoch_us(time) // ${minutes * MINUTE_US} AS step`
  const bucket = 'ceil(ln(greatest(latency_ms, 0.01)) / ln(1.02))'
  return [
    {
      name: 'last hour, count a minute',
      ask: { panel: { calc: ['count'], stepMs: 60_000, ...since(1) } },
      plain: `SELECT ${step(1)}, sum(sample_rate) FROM plain WHERE ${from(1)} GROUP BY step`,
    },
    {
      name: '6 h of one service, p99 every 5 min',
      ask: { panel: { calc: ['p99:latency_ms'], where: "service = 'news-feed'", stepMs: 300_000, ...since(6) } },
      plain: `SELECT ${step(5)}, approx_quantile(latency_ms, 0.99) FROM plain WHERE ${from(6)} AND service = 'news-feed' GROUP BY step`,
    },
    {
      name: 'top 10 of routes',
      ask: { panel: { calc: ['count'], by: ['route'], top: 10, ...since(24) } },
      plain: 'SELECT route, sum(sample_rate) AS n FROM plain GROUP BY route ORDER BY n DESC LIMIT 10',
      sqlite: 'SELECT route, sum(sample_rate) AS n FROM plain GROUP BY route ORDER BY n DESC LIMIT 10',
    },
    {
      name: 'weighted average by service',
      ask: { panel: { calc: ['avg:latency_ms'], by: ['service'], ...since(24) } },
      plain: 'SELECT service, sum(latency_ms * sample_rate) / sum(sample_rate) AS a FROM plain GROUP BY service ORDER BY a DESC LIMIT 10',
    },
    {
      name: 'p50, p95, p99 by service',
      ask: { panel: { calc: ['p50:latency_ms', 'p95:latency_ms', 'p99:latency_ms'], by: ['service'], ...since(24) } },
      plain: 'SELECT service, approx_quantile(latency_ms, [0.5, 0.95, 0.99]) FROM plain GROUP BY service',
      sqlite:
        'SELECT service, min(latency_ms) FILTER (WHERE r >= 0.5 * n), min(latency_ms) FILTER (WHERE r >= 0.95 * n), min(latency_ms) FILTER (WHERE r >= 0.99 * n) FROM (SELECT service, latency_ms, row_number() OVER (PARTITION BY service ORDER BY latency_ms) AS r, count(*) OVER (PARTITION BY service) AS n FROM plain) GROUP BY service',
    },
    {
      name: 'distinct users',
      ask: { panel: { calc: ['distinct:user_id'], ...since(24) } },
      plain: 'SELECT approx_count_distinct(user_id) FROM plain',
      sqlite: 'SELECT count(DISTINCT user_id) FROM plain',
    },
    {
      name: 'top 10 of users, high cardinality',
      ask: { panel: { calc: ['count'], by: ['user_id'], top: 10, ...since(24) } },
      plain: 'SELECT user_id, sum(sample_rate) AS n FROM plain GROUP BY user_id ORDER BY n DESC LIMIT 10',
    },
    {
      name: 'LIKE in messages, every 10 min',
      ask: { panel: { calc: ['count'], where: "message LIKE '%reset by peer%'", stepMs: 600_000, ...since(24) } },
      plain: `SELECT ${step(10)}, sum(sample_rate) FROM plain WHERE message LIKE '%reset by peer%' GROUP BY step`,
    },
    {
      name: 'top 5 + other, bytes every 15 min',
      ask: { panel: { calc: ['sum:bytes_out'], by: ['service'], top: 5, other: true, stepMs: 900_000, ...since(24) } },
      plain: `WITH best AS (SELECT service, sum(bytes_out * sample_rate) AS n FROM plain GROUP BY service ORDER BY n DESC LIMIT 5) SELECT ${step(15)}, CASE WHEN service IN (SELECT service FROM best) THEN service END AS s, sum(bytes_out * sample_rate) FROM plain GROUP BY ALL`,
    },
    {
      name: 'heatmap of latency, 6 h, every 5 min',
      ask: { panel: { calc: ['heatmap:latency_ms'], stepMs: 300_000, ...since(6) } },
      plain: `SELECT ${step(5)}, ${bucket} AS bucket, sum(sample_rate) FROM plain WHERE ${from(6)} GROUP BY ALL`,
    },
    {
      name: 'exact p99',
      ask: { panel: { calc: ['exact_p99:latency_ms'], ...since(24) } },
      plain: 'SELECT quantile_disc(latency_ms, 0.99) FROM plain',
    },
    {
      name: 'trace id',
      ask: { query: { sql: `SELECT * FROM ${table} WHERE trace_id = '${traceId(Math.floor(rows / 3))}' ORDER BY time`, ...since(24) } },
      plain: `SELECT * FROM plain WHERE trace_id = '${traceId(Math.floor(rows / 3))}' ORDER BY time`,
    },
    {
      name: 'count and errors by service a minute',
      ask: { panel: { calc: ['count', 'ratio(status >= 500)'], by: ['service'], stepMs: 60_000, ...since(24) } },
      plain: `SELECT ${step(1)}, service, sum(sample_rate), sum(sample_rate) FILTER (WHERE status >= 500) FROM plain GROUP BY ALL`,
    },
  ]
}
