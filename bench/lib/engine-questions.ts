import type { Prng } from '../../src/core/kernel/prng.ts'
import type { PanelRequest } from '../../src/core/scuba/wire-types.ts'

/*
 * Rows and questions that engines may take in different ways: fractions, odd text, missing values, columns of two types, weights.
 */

const pick = <V>(random: Prng, values: readonly V[]): V => values[random.below(values.length)] as V

/** @param fromMs time of the first row; some are up to two hours older */
export function rowOf(at: number, fromMs: number, random: Prng): Record<string, unknown> {
  const one = (chance: number): boolean => random.below(chance) === 0
  return {
    time: one(10) ? fromMs - random.below(7_200_000) : fromMs + at * 3000 + random.below(1000),
    ...(one(8) ? {} : { service: `s${Math.min(random.below(7), random.below(7))}` }),
    'http.status': one(20) ? 'none' : pick(random, [200, 200, 204, 404, 500]),
    ...(one(6) ? {} : { ms: one(3) ? -random.below(900) / 7 : one(30) ? 0 : random.below(100_000) / 9 }),
    n: (random.below(2) === 0 ? 1 : -1) * random.below(2 ** 31) * 2 ** 20,
    ...(one(9) ? {} : { ok: random.below(2) === 0 }),
    who: `u${random.below(120)}`,
    text: pick(random, ['', 'a', 'A', "it's", 'back\\slash', 'new\nline', '"quoted"', '\\N', 'ä€😀', 'tab\t', 'NULL', '100%', 'a_b']),
    ...(one(3) ? { sample_rate: 1 + random.below(9) } : {}),
  }
}

const CONDITIONS = [
  '',
  'ok',
  'NOT ok',
  'NOT (ok AND ms > 100)',
  '"http.status" >= 400',
  '"http.status" IN (200, 404) OR "http.status" IS NULL',
  '"http.status" NOT IN (200, 204)',
  "service = 's1' AND ms > 0",
  "NOT (service <> 's1' OR ms <= 1.5e2)",
  "service IN ('s1', 's2', 's6') AND who LIKE 'u1%'",
  "who NOT LIKE '%7' AND text <> ''",
  "text LIKE '%a%'",
  "text = 'it''s' OR text = 'back\\slash' OR text = '\\N'",
  'ms BETWEEN -5 AND 1000.25',
  'n > 1000000000000000 AND n < 2000000000000000',
  'ms < n',
  'length(text) > 2 AND service IS NOT NULL',
  "coalesce(service, 'none') < 's3'",
  "text LIKE 'a_b'",
  'ms = 0 OR ms IS NULL',
  'ok = false OR sample_rate > 4',
]

const FIRST = ['count', 'sum:n', 'max:n', 'min:n']
const MORE = [
  ...[
    'count',
    'sum:ms',
    'sum:n',
    'avg:ms',
    'avg:n',
    'min:ms',
    'max:n',
    'max:time',
    'sum:ok',
    'avg:text',
    'p50:ms',
    'p99:n',
    'distinct:who',
  ],
  ...[
    'distinct:text',
    'distinct:ok',
    'distinct:ms',
    'distinct:n',
    'distinct:time',
    'ratio("http.status" >= 500)',
    'ratio(NOT ok)',
    'exact_p90:ms',
  ],
]

export function panelOf(table: string, fromMs: number, random: Prng): PanelRequest {
  const sinceMs = fromMs - 7_200_000 + random.below(12_000) * 1000
  const calc = [pick(random, FIRST), ...MORE.filter((name) => random.below(name.startsWith('exact') ? 25 : 8) === 0)]
  return {
    table,
    calc: [...new Set(calc)],
    by: pick(random, [[], [], ['service'], ['ok'], ['text'], ['who'], ['ms'], ['service', 'http.status'], ['ok', 'text'], ['time']]),
    ...(random.below(3) === 0 ? {} : { where: pick(random, CONDITIONS) }),
    sinceMs,
    untilMs: sinceMs + 60_000 + random.below(12_000) * 1000,
    top: pick(random, [3, 10, 1000]),
    other: random.below(2) === 0,
    ...(random.below(2) === 0 ? { stepMs: pick(random, [60_000, 300_000, 1_000_000]) } : {}),
  }
}

export function statementOf(table: string, random: Prng): string {
  const condition = pick(random, CONDITIONS)
  const where = condition === '' ? '' : ` WHERE ${condition}`
  return pick(random, [
    `SELECT time, service, "http.status", ms, n, ok, who, text, sample_rate FROM ${table}${where} ORDER BY ALL LIMIT 200`,
    `SELECT service, count(*), sum(n), median(ms), count(DISTINCT text) FROM ${table}${where} GROUP BY ALL ORDER BY ALL`,
    `SELECT a.service, count(*) FROM ${table} a JOIN ${table} b ON a.n = b.n${where.replaceAll(/\b(ok|ms|n|service|who|text|sample_rate)\b(?!')|"http.status"/g, 'a.$&')} GROUP BY ALL ORDER BY ALL`,
    `SELECT who, row_number() OVER (ORDER BY n, time) AS place FROM ${table}${where} ORDER BY place LIMIT 50`,
  ])
}
