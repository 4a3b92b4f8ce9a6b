import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { createPrng, type Prng } from '../src/core/kernel/prng.ts'
import type { PanelAnswer, PanelRequest, QueryAnswer } from '../src/core/scuba/wire-types.ts'
import { writeClickHouse } from '../src/server/scuba/clickhouse/settings.ts'
import { Chdb, noChdb } from '../test/support/chdb.ts'
import { ClickHouseServer, noClickHouse } from '../test/support/clickhouse.ts'
import { inDirectory } from './lib/directory.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { ScratchLeaf } from '../src/server/scuba/measure/scratch-leaf.ts'

/*
 * Whether all engines say the same. `agree`: generated rows in a leaf that seals into files, in one that seals into Debian's ClickHouse
 * 18.16 and in one that seals into the newest (chdb), a part of them unsealed; generated panels and statements, each asked of all. Answers
 * are equal, or differ by no more than they say themselves. $MUSTER_BENCH_ROUNDS: how many questions × data, 2,000 unless it says
 * otherwise; $MUSTER_BENCH_SEED; chdb is 540 MB and is fetched.
 */

const figure = figuresOf('scuba-engines')
export const parts = ['agree']

const ROUNDS = Number(process.env['MUSTER_BENCH_ROUNDS'] ?? 2000)
const SEED = Number(process.env['MUSTER_BENCH_SEED'] ?? 7)
/** questions of one set of rows */
const A_SET = 250
const AT_ONCE = 10
const ROWS = 2000
/** recent, or retention would drop it */
const T = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 5 * 3_600_000

export async function* run(): AsyncGenerator<Figure> {
  yield* inDirectory('scuba-engines', agree)
  yield figure('load average of the last minute', loadavg()[0] ?? 0, '')
}

interface Side {
  name: string
  leaf: ScratchLeaf
}

async function* agree(dir: string): AsyncGenerator<Figure> {
  const stores = [
    ...(noClickHouse === null ? [{ name: 'ClickHouse 18.16', server: new ClickHouseServer() }] : []),
    ...(noChdb() === null ? [{ name: 'chdb', server: new Chdb() }] : []),
  ]
  const sides: Side[] = []
  const makeLeaf = async (name: string, url: string | null): Promise<ScratchLeaf> => {
    const leaf = new ScratchLeaf(join(dir, name))
    mkdirSync(leaf.dir)
    writeClickHouse(leaf.dir, url)
    await leaf.start()
    return leaf
  }
  let oracle: ScratchLeaf | null = null
  try {
    oracle = await makeLeaf('duckdb', null)
    for (const { name, server } of stores) {
      await server.start()
      sides.push({ name, leaf: await makeLeaf(name.replaceAll(/\W/g, ''), server.url) })
    }
    yield* compare(oracle, sides)
  } finally {
    for (const leaf of [oracle, ...sides.map((side) => side.leaf)]) await leaf?.end('SIGKILL')
    for (const { server } of stores) await server.remove()
  }
}

async function* compare(oracle: ScratchLeaf, sides: readonly Side[]): AsyncGenerator<Figure> {
  const random = createPrng(SEED)
  const differences = new Map(sides.map(({ name }) => [name, 0]))
  const spent = new Map([['DuckDB', 0], ...sides.map(({ name }): [string, number] => [name, 0])])
  const timed = async <V>(name: string, ask: () => Promise<V>): Promise<V> => {
    const started = performance.now()
    const answer = await ask()
    spent.set(name, (spent.get(name) ?? 0) + performance.now() - started)
    return answer
  }
  const compared = new Map(sides.map(({ name }) => [name, 0]))
  let late = 0
  let asked = 0
  for (let set = 0; asked < ROUNDS; set += 1) {
    const table = `data_${set}`
    await fill([oracle, ...sides.map(({ leaf }) => leaf)], table, random)
    for (const until = Math.min(ROUNDS, asked + A_SET); asked < until; asked += AT_ONCE) {
      const panels = Array.from({ length: AT_ONCE - 2 }, () => panelOf(table, random))
      const statements = Array.from({ length: 2 }, () => statementOf(table, random))
      const wanted = await timed('DuckDB', () => answersOf(oracle, panels, statements))
      for (const { name, leaf } of sides) {
        const answers = await timed(name, () => answersOf(leaf, panels, statements))
        for (const [at, answer] of answers.entries()) {
          if (isLate(wanted[at]) || isLate(answer)) {
            late += 1
            continue
          }
          compared.set(name, (compared.get(name) ?? 0) + 1)
          const why = difference(wanted[at], answer)
          if (why === null) continue
          differences.set(name, (differences.get(name) ?? 0) + 1)
          process.stderr.write(`seed ${SEED}, ${name}: ${why}\n  ${JSON.stringify(panels[at] ?? statements[at - panels.length])}\n`)
        }
      }
    }
  }
  yield figure('answers that did not come in time to be compared', late, '')
  for (const { name } of sides) yield figure(`${name}: question × data pairs compared`, compared.get(name) ?? 0, '')
  for (const { name } of sides) yield figure(`${name}: answers that differ by more than they say`, differences.get(name) ?? 0, '', '<=', 0)
  for (const [name, ms] of spent) yield figure(`${name}: time a question`, ms / Math.max(1, asked), 'ms')
}

/** On a busy machine, or while an engine that hung is started anew. */
const isLate = (answer: Answer | undefined): boolean => typeof answer === 'string' && /SCUBA_(DEADLINE|DOWN)/.test(answer)

type Answer = PanelAnswer | QueryAnswer | string

async function answersOf({ client }: ScratchLeaf, panels: PanelRequest[], statements: readonly string[]): Promise<Answer[]> {
  const board = await client.board({ panels, maxAgeMs: 0, deadlineMs: 60_000 })
  const answers: Answer[] = board.panels.map((one) => (one.ok ? one.answer : JSON.stringify(one)))
  for (const sql of statements)
    answers.push(await client.query(sql, { deadlineMs: 60_000 }).catch((error: unknown) => JSON.stringify(error)))
  return answers
}

/** Sealed twice, a part of the second seal late, the last rows unsealed. */
async function fill(leaves: readonly ScratchLeaf[], table: string, random: Prng): Promise<void> {
  const rows = Array.from({ length: ROWS }, (_, at) => rowOf(at, random))
  for (const leaf of leaves) {
    for (const [from, to] of [
      [0, ROWS * 0.5],
      [ROWS * 0.5, ROWS * 0.8],
      [ROWS * 0.8, ROWS],
    ] as const) {
      await leaf.client.send(table, rows.slice(from, to))
      if (to < ROWS) await seal(leaf, table)
    }
  }
}

async function seal({ socket }: ScratchLeaf, table: string): Promise<void> {
  const sent = request({ socketPath: socket, method: 'POST', path: `/v1/scuba/tables/${table}/seal` })
  sent.end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.resume()
  if (response.statusCode !== 200) throw new Error(`seal: ${response.statusCode}`)
}

const pick = <V>(random: Prng, values: readonly V[]): V => values[random.below(values.length)] as V

function rowOf(at: number, random: Prng): Record<string, unknown> {
  const one = (chance: number): boolean => random.below(chance) === 0
  return {
    time: one(10) ? T - random.below(7_200_000) : T + at * 3000 + random.below(1000),
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

function panelOf(table: string, random: Prng): PanelRequest {
  const sinceMs = T - 7_200_000 + random.below(12_000) * 1000
  const calc = [pick(random, FIRST), ...MORE.filter((name) => random.below(name.startsWith('exact') ? 25 : 5) === 0)]
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

function statementOf(table: string, random: Prng): string {
  const condition = pick(random, CONDITIONS)
  const where = condition === '' ? '' : ` WHERE ${condition}`
  return pick(random, [
    `SELECT time, service, "http.status", ms, n, ok, who, text, sample_rate FROM ${table}${where} ORDER BY ALL LIMIT 200`,
    `SELECT service, count(*), sum(n), median(ms), count(DISTINCT text) FROM ${table}${where} GROUP BY ALL ORDER BY ALL`,
    `SELECT a.service, count(*) FROM ${table} a JOIN ${table} b ON a.n = b.n${where.replaceAll(/\b(ok|ms|n|service|who|text|sample_rate)\b(?!')|"http.status"/g, 'a.$&')} GROUP BY ALL ORDER BY ALL`,
    `SELECT who, row_number() OVER (ORDER BY n, time) AS place FROM ${table}${where} ORDER BY place LIMIT 50`,
  ])
}

/** Why two answers to one question are not the same, or null. */
function difference(wanted: Answer | undefined, actual: Answer): string | null {
  if (wanted === undefined || typeof wanted === 'string' || typeof actual === 'string')
    return wanted === actual ? null : `${text(wanted)} against ${text(actual)}`
  if (actual.coverage.missing.length > 0) return `something is missing: ${actual.coverage.missing.join('; ')}`
  if ('rows' in wanted || 'rows' in actual) {
    const [rows, others] = [(wanted as QueryAnswer).rows, (actual as QueryAnswer).rows]
    if (rows.length !== others.length) return `${rows.length} rows against ${others.length}`
    const at = rows.findIndex((row, place) => !row.every((value, column) => isClose(value, others[place]?.[column], 1e-9)))
    return at < 0 ? null : `row ${at}: ${JSON.stringify(rows[at])} against ${JSON.stringify(others[at])}`
  }
  return panelDifference(wanted, actual)
}

const text = (answer: Answer | undefined): string => (typeof answer === 'string' ? answer.slice(0, 300) : 'an answer')

function panelDifference(wanted: PanelAnswer, actual: PanelAnswer): string | null {
  if (wanted.groups.length !== actual.groups.length) return `${wanted.groups.length} groups against ${actual.groups.length}`
  const idOf = ({ key, isOther }: PanelAnswer['groups'][number]): string => JSON.stringify([key, isOther])
  const others = new Map(actual.groups.map((group) => [idOf(group), group]))
  for (const group of wanted.groups) {
    const other = others.get(idOf(group))
    if (!other) return `the group ${idOf(group)} is not there`
    const steps = new Map(other.series.map(([step, ...values]) => [step, values]))
    if (group.series.length !== other.series.length) return `${idOf(group)}: ${group.series.length} steps against ${other.series.length}`
    for (const [at, calc] of wanted.calc.entries()) {
      const pairs = [
        [group.values[calc], other.values[calc]],
        ...group.series.map(([step, ...values]) => [values[at], steps.get(step)?.[at]]),
      ]
      const bound = wanted.accuracy[calc]?.errorMax ?? 0
      // Each of the two may be off by as much; few are counted one or two wrong.
      const slack = bound === 0 ? 1e-9 : 2.1 * bound
      const wrong = pairs.find(([one, two]) => !isClose(one, two, slack, calc.startsWith('distinct') ? 4 : 0))
      if (wrong) return `${calc} of ${idOf(group)}: ${String(wrong[0])} against ${String(wrong[1])}`
    }
  }
  return null
}

function isClose(one: unknown, two: unknown, share: number, least = 0): boolean {
  if (typeof one !== 'number' || typeof two !== 'number') {
    const [a, b] = [one ?? null, two ?? null]
    return a === b || (a !== null && b !== null && typeof a !== 'boolean' && Number(a) === Number(b))
  }
  return Math.abs(one - two) <= Math.max(least, share * Math.max(Math.abs(one), Math.abs(two)), 1e-9)
}
