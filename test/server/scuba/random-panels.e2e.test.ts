import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPrng } from '../../../src/core/kernel/prng.ts'
import { LIMITS } from '../../../src/core/scuba/limits.ts'
import type { PanelRequest } from '../../../src/core/scuba/wire-types.ts'
import { Leaf } from './leaf.ts'

const leaf = new Leaf()
afterAll(() => leaf.remove())

const SEED = 20_261
/** $MUSTER_PANELS: more of them */
const ROUNDS = Math.ceil(Number(process.env['MUSTER_PANELS'] ?? 200) / 25)
const random = createPrng(SEED)
const T = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 7_200_000
const pick = <V>(values: readonly V[]): V => values[random.below(values.length)] as V

/** Late rows, gaps, numbers where others have text, weights, integers too large for a double's sums. */
const rows = Array.from({ length: 5000 }, (_, i) => ({
  time: random.below(10) === 0 ? T - random.below(7_200_000) : T + Math.floor(i * 1.4) * 1000 + random.below(1000),
  ...(random.below(8) === 0 ? {} : { service: `s${Math.min(random.below(7), random.below(7))}` }),
  code: random.below(20) === 0 ? 'none' : pick([200, 200, 204, 404, 500]),
  ...(random.below(6) === 0 ? {} : { ms: random.below(3) === 0 ? -random.below(900) / 7 : random.below(100_000) / 9 }),
  n: random.below(2 ** 31) * 2 ** 20,
  who: `u${random.below(120)}`,
  ...(random.below(3) === 0 ? { sample_rate: 1 + random.below(9) } : {}),
}))

beforeAll(async () => {
  await leaf.start()
  for (let at = 0; at < rows.length; at += 1250) {
    await leaf.client.send('noise', rows.slice(at, at + 1250))
    if (at !== 3750) await leaf.seal('noise')
  }
})

const db = new Database(':memory:')
afterAll(() => db.close())
db.exec('CREATE TABLE r (time INTEGER, service TEXT, code INTEGER, ms REAL, n INTEGER, who TEXT, w INTEGER)')
const insert = db.prepare('INSERT INTO r VALUES (?, ?, ?, ?, ?, ?, ?)')
// What does not fit the column it has is no number of it.
for (const { time, service, code, ms, n, who, sample_rate: w } of rows)
  insert.run(time, service ?? null, typeof code === 'number' ? code : null, ms ?? null, n, who, w ?? 1)

const SQL: Record<string, string> = {
  count: 'sum(w)',
  'sum:ms': 'sum(ms * w)',
  'sum:n': 'sum(n * w)',
  'avg:ms': 'sum(ms * w) / sum(CASE WHEN ms IS NOT NULL THEN w END)',
  'min:ms': 'min(ms)',
  'max:n': 'max(n)',
  'ratio(code >= 500)': 'coalesce(sum(CASE WHEN code >= 500 THEN w END), 0) * 1.0 / sum(w)',
  'distinct:who': 'count(DISTINCT who)',
}
const WHERE = ['', 'code < 500', "service <> 's1' AND ms > 0", 'ms IS NULL', "who LIKE 'u1%'", 'code IS NULL OR n > 1000000000000000']

test(
  'two hundred questions about late, missing, conflicting and weighted rows are answered as plain SQL answers them',
  { timeout: 600_000 },
  async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const panels = Array.from({ length: 25 }, (): PanelRequest => {
        const sinceMs = T - 7_200_000 + random.below(10_000) * 1000
        return {
          table: 'noise',
          calc: [pick(['count', 'sum:ms', 'max:n']), ...Object.keys(SQL).filter(() => random.below(2) === 0), 'p90:ms'].filter(
            (calc, at, all) => all.indexOf(calc) === at,
          ),
          by: pick([[], ['service'], ['code'], ['service', 'code'], ['who']]),
          where: pick(WHERE),
          sinceMs,
          untilMs: sinceMs + 60_000 + random.below(7200) * 1000,
          top: 1000,
          ...(random.below(2) === 0 ? { stepMs: pick([60_000, 300_000, 1_000_000]) } : {}),
        }
      })
      const answers = await leaf.client.board({ panels, maxAgeMs: 0, deadlineMs: LIMITS.deadlineMsMax })
      panels.forEach((panel, place) => {
        const answered = answers.panels[place]
        if (answered?.ok !== true) throw new Error(`seed ${SEED}, ${JSON.stringify(panel)}: ${JSON.stringify(answered)}`)
        const { answer } = answered
        const by = panel.by ?? []
        const condition = `time >= ${panel.sinceMs} AND time < ${panel.untilMs}${panel.where === '' ? '' : ` AND (${panel.where})`}`
        const calcs = panel.calc.filter((calc) => calc in SQL)
        const expected = db
          .prepare(
            `SELECT ${[...by, ...calcs.map((calc, at) => `${SQL[calc]} AS v${at}`)].join(', ')} FROM r WHERE ${condition} GROUP BY ${by.length > 0 ? by.join(', ') : 'NULL'}`,
          )
          .all() as Record<string, number | string | null>[]
        const what = `seed ${SEED}, ${JSON.stringify(panel)}`
        expect(answer.groups.length, what).toBe(expected.length)
        const groups = new Map(answer.groups.map((group) => [JSON.stringify(by.map((name) => group.key[name])), group]))
        // Of all groups at once: one question for each group took most of this test's time.
        const valuesOf = new Map<string, { ms: number; w: number }[]>()
        const measured = db.prepare(`SELECT * FROM r WHERE ${condition} AND ms IS NOT NULL ORDER BY ms`).all() as {
          ms: number
          w: number
        }[]
        for (const one of measured) {
          const id = JSON.stringify(by.map((name) => (one as unknown as Record<string, unknown>)[name] ?? null))
          const known = valuesOf.get(id)
          if (known) known.push(one)
          else valuesOf.set(id, [one])
        }
        for (const row of expected) {
          const key = by.map((name) => row[name] ?? null)
          const group = groups.get(JSON.stringify(key))
          calcs.forEach((calc, at) => {
            const [actual, wanted] = [group?.values[calc] ?? null, row[`v${at}`] as number | null]
            const error = answer.accuracy[calc]?.errorMax ?? 0
            const slack = calc.startsWith('distinct')
              ? Math.max(3, error * 1.7 * (wanted ?? 0))
              : Math.max(1e-9, Math.abs(wanted ?? 0) * 1e-9)
            if (wanted === null) expect(actual, `${calc} of ${String(key)}: ${what}`).toBeNull()
            else expect(Math.abs((actual ?? NaN) - wanted), `${calc} of ${String(key)}: ${what}`).toBeLessThanOrEqual(slack)
          })
          const values = valuesOf.get(JSON.stringify(key)) ?? []
          const total = values.reduce((sum, { w }) => sum + w, 0)
          let below = 0
          const exact = values.find(({ w }) => (below += w) >= 0.9 * total * (1 - 1e-12))?.ms
          const p90 = group?.values['p90:ms'] ?? null
          if (exact === undefined) expect(p90, what).toBeNull()
          else
            expect(Math.abs((p90 ?? NaN) - exact), `p90 of ${String(key)}: ${what}`).toBeLessThanOrEqual(
              Math.abs(exact) * (answer.accuracy['p90:ms']?.errorMax ?? 0),
            )
          if (panel.stepMs !== undefined && group) {
            const counts = group.series.reduce((sum, point) => sum + (point[1 + panel.calc.indexOf('count')] ?? 0), 0)
            if (panel.calc.includes('count')) expect(counts, what).toBe(group.values['count'])
          }
        }
      })
    }
  },
)

/** Statements of all kinds that can be put together from parts of files, and some that cannot. */
function randomSql(): string {
  const keys = pick([
    [],
    ['service'],
    ['code'],
    ['service', 'code'],
    ["date_trunc('minute', time)"],
    ["time_bucket(INTERVAL '7 minutes', time)"],
  ])
  const values = [
    ...['count(*)', 'count(ms)', 'sum(n)', 'min(ms)', 'max(who)', 'sum(code) + count(*)', 'count(*) FILTER (WHERE code >= 500)'],
    ...['count(DISTINCT who)', 'max(time)', 'round(count(*) / 7, 2)', 'bool_or(code = 404)', 'sum(CASE WHEN ms > 10 THEN 1 ELSE 0 END)'],
    ...['avg(ms)', 'min(upper(service))', 'count_if(ms IS NULL)', 'sum(sample_rate)'],
  ].filter(() => random.below(4) === 0)
  const list = [...keys.map((key, at) => `${key} AS k${at}`), ...(values.length > 0 ? values : ['count(*)'])]
  const where = [
    ...(random.below(2) === 0 ? [] : [`(${pick(WHERE.slice(1))})`]),
    ...(random.below(2) === 0 ? [] : [`time >= make_timestamp(${(T - random.below(7_200_000)) * 1000})`]),
    ...(random.below(2) === 0 ? [] : [`time < '${new Date(T + random.below(7_200_000)).toISOString()}'`]),
    // Before the first row, also when the hour ends meanwhile: the two answers are not of the same now.
    ...(random.below(4) > 0 ? [] : ["time BETWEEN now() - INTERVAL '7 hours' AND now()"]),
  ]
  const having = keys.length > 0 && random.below(3) === 0 ? ' HAVING count(*) > $least' : ''
  const order = keys.length > 0 ? ` ORDER BY ${keys.map((_, at) => pick([`k${at}`, `${at + 1} DESC NULLS LAST`])).join(', ')}` : ''
  const limit = order !== '' && random.below(3) === 0 ? ` LIMIT ${1 + random.below(8)} OFFSET ${random.below(3)}` : ''
  return `SELECT ${list.join(', ')} FROM noise${where.length > 0 ? ` WHERE ${where.join(' AND ')}` : ''}${keys.length > 0 ? ` GROUP BY ${keys.map((key, at) => pick([`k${at}`, String(at + 1), key])).join(', ')}` : ''}${having}${order}${limit}`
}

test('SQL that is put together from parts of files gives exactly what all rows together give', { timeout: 300_000 }, async () => {
  const tiers = { A: 0, B: 0 }
  let hits = 0
  const statements = Array.from({ length: 3 * ROUNDS }, () => ({ sql: randomSql(), sinceMs: T - 7_200_000 - random.below(3_600_000) }))
  for (const turn of ['first', 'with more rows']) {
    for (const { sql, sinceMs } of statements) {
      // The longest there is: what is claimed is what is answered, also on a machine with much other work.
      const asked = { sinceMs, deadlineMs: LIMITS.deadlineMsMax, ...(sql.includes('$least') ? { params: { least: 100 } } : {}) }
      const parts = await leaf.client.query(sql, asked)
      tiers[parts.tier] += 1
      hits += parts.cache.hits
      // Of an average of fractions the last digit is another each time: it depends on their order.
      if (parts.tier === 'B') continue
      const plain = await leaf.client.query(sql, { ...asked, raw: true })
      expect(plain.tier).toBe('B')
      expect([parts.columns, parts.rows], `seed ${SEED}, ${turn}: ${sql}`).toEqual([plain.columns, plain.rows])
    }
    if (turn === 'first') await leaf.client.send('noise', rows.slice(0, 50))
  }
  expect(tiers.A).toBeGreaterThan(tiers.B)
  expect(hits).toBeGreaterThan(0)
})
