import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPrng } from '../../../src/core/kernel/prng.ts'
import { alertRuleSchema, compileRule } from '../../../src/core/scuba/alert/rule.ts'
import { askRule } from '../../../src/server/scuba/alert-query.ts'
import { LateVerdicts } from '../../../src/server/scuba/late-verdicts.ts'
import { Leaf } from './leaf.ts'

const leaf = new Leaf()
beforeAll(() => leaf.start())
afterAll(() => leaf.remove())

interface Row {
  time: number
  version: string | null
  status: number
  latency_ms: number | null
  user: string
}

// Recent, or retention would drop the sealed ones.
const T = Math.floor(Date.now() / 60_000) * 60_000 - 600_000
const random = createPrng(11)
const rows: Row[] = Array.from({ length: 6000 }, () => ({
  time: T + random.below(60_000),
  version: random.below(30) === 0 ? null : `v${Math.min(random.below(9), random.below(9))}`,
  status: [200, 200, 200, 404, 500][random.below(5)] ?? 200,
  latency_ms: random.below(20) === 0 ? null : random.below(100_000) / 100,
  user: `u${random.below(500)}`,
}))

/** numpy's `linear`, R's type 7: what quantile_cont says it is. */
const percentile = (values: number[], q: number): number | null => {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const low = sorted[Math.floor(at)] ?? 0
  return low + ((sorted[Math.ceil(at)] ?? low) - low) * (at - Math.floor(at))
}

const CALCS: [string, (rows: Row[]) => number | null][] = [
  ['count', (of) => of.length],
  ['sum:latency_ms', (of) => sum(latencies(of))],
  ['avg:latency_ms', (of) => (latencies(of).length === 0 ? null : (sum(latencies(of)) ?? 0) / latencies(of).length)],
  ['min:latency_ms', (of) => (latencies(of).length === 0 ? null : Math.min(...latencies(of)))],
  ['max:latency_ms', (of) => (latencies(of).length === 0 ? null : Math.max(...latencies(of)))],
  ['p50:latency_ms', (of) => nearestRank(latencies(of), 0.5)],
  ['p99.9:latency_ms', (of) => nearestRank(latencies(of), 0.999)],
  ['distinct:user', (of) => new Set(of.map(({ user }) => user)).size],
  ['ratio(status >= 500)', (of) => (of.length === 0 ? null : of.filter(({ status }) => status >= 500).length / of.length)],
]
/** Tier B: everything in one SELECT, so all of it is exact. */
const EXACT: [string, (rows: Row[]) => number | null][] = [
  ['count', (of) => of.length],
  ['exact_p50:latency_ms', (of) => percentile(latencies(of), 0.5)],
  ['exact_p99.9:latency_ms', (of) => percentile(latencies(of), 0.999)],
  ['distinct:user', (of) => new Set(of.map(({ user }) => user)).size],
]
const nearestRank = (values: number[], q: number): number | null =>
  [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(q * values.length - 1e-9) - 1)] ?? null
const latencies = (of: Row[]): number[] => of.flatMap(({ latency_ms: ms }) => (ms === null ? [] : [ms]))
const sum = (values: number[]): number | null => (values.length === 0 ? null : values.reduce((a, b) => a + b, 0))

const expectClose = (actual: number | null | undefined, wanted: number | null, errorMax: number, what: string): void => {
  if (wanted === null) expect(actual, what).toBeNull()
  else expect(Math.abs((actual ?? NaN) - wanted), what).toBeLessThanOrEqual(Math.max(errorMax, 1e-9) * Math.max(1, Math.abs(wanted)))
}

/** A distinct count of few may be off by more than its share: two of them meet in one register now and then. */
const expectDistinct = (actual: number | null | undefined, wanted: number | null, errorMax: number, what: string): void => {
  const off = Math.abs((actual ?? NaN) - (wanted ?? NaN))
  expect(off, what).toBeLessThanOrEqual(errorMax === 0 ? 0 : Math.max(5, errorMax * 1.7 * (wanted ?? 0)))
}

test('panels over chunks and segments equal the same figures worked out in plain JavaScript', async () => {
  await leaf.client.send('requests', rows.slice(0, 2500))
  await leaf.seal('requests')
  await leaf.client.send('requests', rows.slice(2500))
  for (let round = 0; round < 16; round += 1) {
    const calcs = round % 4 === 3 ? EXACT : CALCS
    const calc = calcs.map(([text]) => text)
    const by = ([[], ['version'], ['VERSION', 'status']] as const)[round % 3] ?? []
    const sinceMs = T + random.below(20_000)
    const untilMs = sinceMs + 10_000 + random.below(30_000)
    const stepMs = [1000, 7000, 60_000][random.below(3)] ?? 1000
    const top = 1 + random.below(6)
    const isFiltered = random.below(2) === 0
    const answer = await leaf.client.panel({
      table: 'requests',
      calc,
      by: [...by],
      sinceMs,
      untilMs,
      stepMs,
      top,
      other: true,
      ...(isFiltered ? { where: 'status < $max', params: { max: 500 } } : {}),
    })
    const matching = rows.filter(({ time, status }) => time >= sinceMs && time < untilMs && (!isFiltered || status < 500))
    const keyOf = (row: Row): string => JSON.stringify(by.map((name) => row[name.toLowerCase() as 'version' | 'status']))
    const groups = Map.groupBy(matching, keyOf)
    const judge = (text: string): typeof expectClose => (text.startsWith('distinct') ? expectDistinct : expectClose)
    const errorOf = (text: string): number => answer.accuracy[text]?.errorMax ?? NaN
    expect(answer).toMatchObject({ groupCount: groups.size, isGroupCountExact: true, tier: calcs === EXACT ? 'B' : 'A' })
    const shown = answer.groups.filter(({ isOther }) => !isOther)
    expect(shown.length).toBe(Math.min(top, groups.size))
    const counts = [...groups.values()].map(({ length }) => length).sort((a, b) => b - a)
    expect(shown.map(({ values }) => values['count'])).toEqual(counts.slice(0, top))
    const shownKeys = new Set(shown.map(({ key }) => JSON.stringify(Object.values(key))))
    for (const group of answer.groups) {
      const of = group.isOther
        ? matching.filter((row) => !shownKeys.has(keyOf(row)))
        : (groups.get(JSON.stringify(Object.values(group.key))) ?? [])
      calcs.forEach(([text, oracle]) =>
        expectClose(group.values[text], oracle(of), errorOf(text), `${text} of ${JSON.stringify(group.key)}`),
      )
      const steps = Map.groupBy(of, ({ time }) => Math.floor(time / stepMs) * stepMs)
      expect(group.series.map(([at]) => at)).toEqual([...steps.keys()].sort((a, b) => a - b))
      for (const [at, ...values] of group.series)
        calcs.forEach(([text, oracle], i) => judge(text)(values[i], oracle(steps.get(at) ?? []), errorOf(text), `${text} at ${at}`))
    }
    expect(answer.groups.some(({ isOther }) => isOther)).toBe(groups.size > top)
  }
})

test('counts, sums, averages and ratios are weighted by sample_rate where a table has it', async () => {
  await leaf.client.send('sampled', [
    { x: 10, ok: true, sample_rate: 9 },
    { x: 20, ok: false },
    { ok: true, sample_rate: 2 },
  ])
  const answer = await leaf.client.panel({ table: 'sampled', calc: ['count', 'sum:x', 'avg:x', 'ratio(ok)'] })
  expect(answer.groups[0]?.values).toEqual({ count: 12, 'sum:x': 110, 'avg:x': 11, 'ratio(ok)': 11 / 12 })
})

test('an unknown table, column or calculation says what was meant', async () => {
  const refusal = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => null,
      (error: unknown) => error,
    )
  expect(await refusal(leaf.client.panel({ table: 'request', calc: ['count'] }))).toMatchObject({ code: 'SCUBA_TABLE_UNKNOWN', exit: 3 })
  expect(await refusal(leaf.client.panel({ table: 'requests', calc: ['p99:latency'] }))).toMatchObject({
    code: 'SCUBA_COLUMN_UNKNOWN',
    exit: 3,
  })
  expect(await refusal(leaf.client.panel({ table: 'requests', calc: ['median:latency_ms'] }))).toMatchObject({ code: 'USAGE', exit: 2 })
  expect(await refusal(leaf.client.panel({ table: 'requests', calc: ['count'], stepMs: 1 }))).toMatchObject({ code: 'SCUBA_TOO_LARGE' })
})

test('exact percentiles of all rows alone are taken from one bucket, and equal those of all values in order', async () => {
  const values = [
    -3.5,
    -3.5,
    0,
    0,
    0,
    1e-9,
    ...Array.from({ length: 400 }, () => 7),
    ...Array.from({ length: 900 }, () => random.below(9000) / 7),
  ]
  const kept = values.filter((value) => value < 1000)
  await leaf.client.send('exact', [...values.map((ms, i) => ({ time: T + i, ms })), { time: T, other: 1 }])
  const calc = ['exact_p0:ms', 'exact_p0.2:ms', 'exact_p25:ms', 'exact_p50:ms', 'exact_p77.7:ms', 'exact_p99.9:ms']
  for (const [where, of] of [
    ['', values],
    ['ms < 1000', kept],
    ['ms = 7 OR ms = 0', values.filter((v) => v === 7 || v === 0)],
  ] as const) {
    const { groups, accuracy, tier } = await leaf.client.panel({ table: 'exact', calc, where, sinceMs: T - 1000, untilMs: T + 60_000 })
    expect(tier).toBe('B')
    for (const text of calc) {
      const q = Number(/p([\d.]+):/.exec(text)?.[1]) / 100
      expectClose(groups[0]?.values[text], percentile([...of], q), 0, `${text} where ${where}`)
      expect(accuracy[text]?.exact).toBe(true)
    }
  }
  expect((await leaf.client.panel({ table: 'exact', calc, where: 'ms > 1e6', sinceMs: T - 1000, untilMs: T + 60_000 })).groups).toEqual([])
})

test('rows that come late say once what they would have changed of the verdicts before them', async () => {
  const rule = compileRule(
    alertRuleSchema.parse({
      name: 'late',
      table: 'tardy',
      sev: 2,
      calc: 'ratio(status >= 500)',
      by: ['service'],
      fire: '> 10%',
      every: '1s',
    }),
  )
  const untilMs = Math.floor(Date.now() / 1000) * 1000 - 10_000
  const row = (status: number) => ({ time: untilMs - 500, service: 'web', status })
  await leaf.client.send('tardy', [row(200), row(200)])
  const late = new LateVerdicts()
  const { groups } = await askRule(leaf.client, rule, untilMs - 60_000, untilMs, { user: 'alerts' })
  late.record(rule, 7, groups, [], untilMs)
  expect(await late.look(leaf.client, rule, Date.now())).toBe(false)
  await leaf.client.send('tardy', [row(500)])
  expect(await late.look(leaf.client, rule, Date.now())).toBe(true)
  expect(late.of('late')).toMatchObject({
    version: 7,
    verdicts: [{ group: 'service=web', fromMs: untilMs, toMs: untilMs, would: 'fire', value: 1 / 3 }],
  })
  expect(await late.look(leaf.client, rule, Date.now())).toBe(false)
  // More than an hour late they are too late.
  await leaf.client.send(
    'tardy',
    Array.from({ length: 30 }, () => row(200)),
  )
  expect(await late.look(leaf.client, rule, untilMs + 3_600_001)).toBe(false)
})
