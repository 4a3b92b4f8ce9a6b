import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import { registrySchema } from '../../../../src/core/scuba/registry.ts'
import type { PanelAnswer, PanelRequest } from '../../../../src/core/scuba/wire-types.ts'
import { Leaf } from '../leaf.ts'

/** Three leaves with a third of the rows each, and one that holds them all. */
const parts = [new Leaf(), new Leaf(), new Leaf()]
const whole = new Leaf()
const [first = whole, second = whole, third = whole] = parts

const T = Math.floor(Date.now() / 60_000) * 60_000 - 600_000
const random = createPrng(23)
const rows = Array.from({ length: 6000 }, (_, at) => ({
  time: T + random.below(60_000),
  service: `s${Math.min(random.below(12), random.below(12))}`,
  version: random.below(30) === 0 ? null : `v${random.below(4)}`,
  status: [200, 200, 200, 404, 500][random.below(5)],
  // Whole numbers on one leaf, fractions on another.
  latency_ms: at % 3 === 0 ? random.below(1000) : random.below(100_000) / 100,
  user: `u${random.below(900)}`,
  trace: `t${random.below(5000)}`,
  // Only one of the leaves has this column.
  ...(at % 3 === 2 ? { region: `r${random.below(3)}` } : {}),
  // A number there, a text here.
  ...(at % 3 === 1 ? { code: random.below(9) } : at % 3 === 2 ? { code: `c${random.below(9)}` } : {}),
}))

beforeAll(async () => {
  await Promise.all([...parts, whole].map((leaf) => leaf.start()))
  const leaves = await Promise.all(parts.map(async (leaf) => ({ id: (await leaf.client.observed()).leaf, address: `unix:${leaf.socket}` })))
  for (const leaf of parts) await leaf.client.putRegistry(registrySchema.parse({ version: 1, leaves }))
  for (const [at, leaf] of parts.entries()) {
    const own = rows.filter((_, row) => row % 3 === at)
    await leaf.client.send('events', own.slice(0, 1200))
    if (at < 2) await leaf.seal('events')
    await leaf.client.send('events', own.slice(1200))
  }
  await whole.client.send('events', rows)
  await third.client.send('only_third', [{ time: T, word: 'there' }])
}, 120_000)
afterAll(() => Promise.all([...parts, whole].map((leaf) => leaf.remove())))

const range = { sinceMs: T, untilMs: T + 60_000, deadlineMs: 30_000 }

/** What must be the same, whoever holds the rows; sums of fractions but for their last digits. */
function said({ groups, groupCount }: PanelAnswer): unknown {
  const round = (value: unknown): unknown => (typeof value === 'number' ? Number(value.toPrecision(11)) : value)
  const flat = groups.map(({ key, isOther, values, series, heatmaps }) => ({
    key,
    isOther,
    values: Object.entries(values).map(([name, value]) => [name, round(value)]),
    series: series.map((point) => point.map(round)),
    heatmaps,
  }))
  return { flat, groupCount }
}

test.each<[string, Omit<PanelRequest, 'table'>]>([
  [
    'all calculations, no groups',
    { calc: ['count', 'sum:latency_ms', 'avg:latency_ms', 'min:latency_ms', 'max:latency_ms', 'p99:latency_ms', 'distinct:user'] },
  ],
  ['steps and groups', { calc: ['count', 'p50:latency_ms', 'ratio(status >= 500)'], by: ['service'], stepMs: 10_000 }],
  [
    'the best, the others as one',
    { calc: ['sum:status', 'distinct:user'], by: ['service', 'version'], top: 5, other: true, stepMs: 20_000 },
  ],
  ['more groups than are sent with steps', { calc: ['count', 'max:latency_ms'], by: ['user'], top: 7, other: true, stepMs: 5000 }],
  ['a column that one of them has', { calc: ['count'], by: ['REGION'] }],
  ['a condition and a heatmap', { calc: ['heatmap:latency_ms'], where: "status = 200 and user like 'u1%'", stepMs: 30_000 }],
  ['having', { calc: ['count'], by: ['service'], having: ['count > 600'] }],
  ['all rows together', { calc: ['exact_p99:latency_ms', 'count'], by: ['service'], where: 'status < 500', top: 3, other: true }],
])('three leaves answer as one that holds all rows: %s', async (_, asked) => {
  const request = { table: 'events', ...range, ...asked }
  const wanted = await whole.client.panel(request)
  for (const leaf of [first, third]) {
    const answer = await leaf.client.panel(request)
    expect(answer.coverage).toMatchObject({ rows: 1, leaves: 3, leavesAsked: 3, missing: [] })
    expect(said(answer)).toEqual(said(wanted))
    expect(answer.rowsScanned).toBe(rows.length)
  }
})

test('of more groups than a leaf sends the values are exact, and it is said which groups may be missing', async () => {
  const request = { table: 'events', calc: ['count'], by: ['trace'], top: 5, other: true, ...range }
  const { groups, accuracy, isGroupCountExact } = await first.client.panel(request)
  for (const { key, isOther, values } of groups) {
    if (!isOther) expect(values['count']).toBe(rows.filter(({ trace }) => trace === key['trace']).length)
  }
  expect(groups.reduce((sum, { values }) => sum + (values['count'] ?? 0), 0)).toBe(rows.length)
  expect(isGroupCountExact).toBe(false)
  // What no leaf sent has three rows at most, one on each; those that are shown have more, so they are the best.
  expect(Math.min(...groups.map(({ values }) => values['count'] ?? 0))).toBeGreaterThan(3)
  expect(accuracy['count']).toEqual({ exact: true, errorMax: 0 })
})

test('SQL of any kind is over the rows of all leaves', async () => {
  for (const sql of [
    'SELECT count(*), count(DISTINCT "user"), sum(status) FROM events',
    'SELECT service, quantile_cont(latency_ms, 0.9) FROM events WHERE region IS NULL GROUP BY ALL ORDER BY service',
    'SELECT * EXCLUDE (ingest_time, code, "code$str") FROM events WHERE trace < \'t11\' ORDER BY ALL',
    'WITH w AS (SELECT "user", row_number() OVER (PARTITION BY "user" ORDER BY "time", trace, latency_ms) AS n FROM events) SELECT max(n), count(*) FROM w',
    'SELECT coalesce(code::VARCHAR, "code$str") AS c, count(*) FROM events GROUP BY c ORDER BY c',
  ]) {
    const wanted = await whole.client.query(sql, { deadlineMs: 30_000 })
    const answer = await second.client.query(sql, { deadlineMs: 30_000 })
    expect(answer.rows, sql).toEqual(wanted.rows)
    expect(answer.coverage).toMatchObject({ rows: 1, leaves: 3, leavesAsked: 3, missing: [] })
  }
  expect((await first.client.query('SELECT word FROM only_third')).rows).toEqual([['there']])
  expect(await first.client.tables()).toMatchObject(
    expect.arrayContaining([
      expect.objectContaining({ name: 'events', rows: rows.length }),
      expect.objectContaining({ name: 'only_third', rows: 1 }),
    ]),
  )
})

test('funnels, sessions, diffs and traces are over the rows of all leaves', async () => {
  const asked = { table: 'events', actor: 'user', ...range }
  const steps = ['status = 200', 'status = 404', 'status = 500']
  expect((await first.client.funnel({ ...asked, steps })).steps).toEqual((await whole.client.funnel({ ...asked, steps })).steps)
  const { elapsedMs: _, coverage: __, ...sessions } = await first.client.sessions({ ...asked, gapMs: 1000 })
  expect(await whole.client.sessions({ ...asked, gapMs: 1000 })).toMatchObject(sessions)
  const select = { table: 'events', select: 'status = 500', ...range, columns: ['service', 'version'] }
  expect((await first.client.diff(select)).columns).toEqual((await whole.client.diff(select)).columns)
})

test('rows that come in later are in the next answer', async () => {
  await second.client.send('later', [{ time: T, n: 1 }])
  const count = async (): Promise<unknown> =>
    (await first.client.panel({ table: 'later', calc: ['count'], ...range })).groups[0]?.values['count']
  await expect.poll(count, { timeout: 2000 }).toBe(1)
  await third.client.send('later', [{ time: T, n: 2 }])
  expect(await count()).toBe(2)
})

test('a tail has the rows of all leaves, and the live aggregate counts them', async () => {
  const seen: unknown[] = []
  const end = new AbortController()
  const tail = first.client.tail('requests', ({ user }) => seen.push(user), end.signal)
  const request = (user: string, status: number): object => ({ time: T, service: 'web', status, latency_ms: 5, user })
  const live = () => first.client.live({ table: 'requests', service: 'web', fromMs: T - 1000 })
  await expect
    .poll(
      async () => {
        for (const [at, leaf] of parts.entries()) await leaf.client.send('requests', [request(`u${at}`, 200)])
        return new Set(seen)
      },
      { timeout: 5000, interval: 200 },
    )
    .toEqual(new Set(['u0', 'u1', 'u2']))
  end.abort()
  await tail
  await second.client.send('requests', [request('u1', 500)])
  const { rows: counted } = await first.client.query('SELECT count(*), count(*) FILTER (status = 500) FROM requests')
  await expect
    .poll(async () => (await live()).buckets.map(({ requests, failing }) => [requests, failing]), { timeout: 3000 })
    .toEqual(counted)
  expect(await live()).toMatchObject({
    ...{ coverage: 1, users: { primary: 3 }, isUsersExact: false, missing: [] },
    failingUsers: [{ user: 'u1', arm: 'primary', firstMs: T }],
  })
})

test('without one of them the answer says which, and how much is missing; whoever needs all of it gets none', async () => {
  const { leaf: lost } = await second.client.observed()
  await second.end('SIGKILL')
  const request = { table: 'events', calc: ['count'], ...range }
  const { coverage, groups } = await first.client.panel(request)
  expect(coverage).toMatchObject({ leaves: 2, leavesAsked: 3 })
  expect(coverage.rows).toBeCloseTo(2 / 3, 2)
  expect(coverage.missing).toEqual([expect.stringContaining(lost)])
  expect(groups[0]?.values['count']).toBe(4000)
  const answer = await first.client.query('SELECT count(*) FROM events')
  expect(answer.rows).toEqual([[4000]])
  expect(answer.coverage.rows).toBeCloseTo(2 / 3, 2)
  const live = await first.client.live({ table: 'requests', service: 'web', fromMs: T - 1000 })
  expect(live.coverage).toBeLessThan(1)
  expect(live.missing).toEqual([expect.stringContaining(lost)])
  await expect(first.client.panel({ ...request, require: 'full' })).rejects.toMatchObject({ code: 'SCUBA_PARTIAL' })
  await expect(first.client.query('SELECT count(*) FROM events', { require: 'full' })).rejects.toMatchObject({ code: 'SCUBA_PARTIAL' })
  await second.start()
  const again = async (): Promise<number> => (await first.client.panel(request)).coverage.rows
  await expect.poll(again, { timeout: 5000 }).toBe(1)
})

test('a leaf that hangs costs the deadline once, then nobody waits for it', async () => {
  const { pid } = await third.client.health()
  process.kill(pid, 'SIGSTOP')
  try {
    const request = { table: 'events', calc: ['count'], ...range, deadlineMs: 2000 }
    const started = performance.now()
    const { coverage } = await first.client.panel(request)
    expect(performance.now() - started).toBeLessThan(4500)
    expect(coverage).toMatchObject({ leaves: 2, leavesAsked: 3 })
    await expect
      .poll(
        async () => {
          const again = performance.now()
          await first.client.panel(request)
          return performance.now() - again
        },
        { timeout: 8000 },
      )
      .toBeLessThan(500)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
})
