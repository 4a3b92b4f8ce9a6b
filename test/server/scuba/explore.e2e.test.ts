import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPrng } from '../../../src/core/kernel/prng.ts'
import { Leaf } from './leaf.ts'

const leaf = new Leaf()
beforeAll(() => leaf.start())
afterAll(() => leaf.remove())

const T = Math.floor(Date.now() / 60_000) * 60_000 - 600_000
const range = { sinceMs: T, untilMs: T + 600_000 }

const refusalOf = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  )

test('a diff puts first the columns whose values tell the selection from the rest', async () => {
  await leaf.client.send(
    'calls',
    Array.from({ length: 2000 }, (_, i) => ({
      time: T + i,
      host: `h${i % 10}`,
      build: i % 10 === 3 ? 'bad' : 'good',
      bytes: (i % 10 === 3 ? 5000 : 40) + (i % 77),
      status: i % 10 === 3 && i % 20 === 3 ? 500 : 200,
    })),
  )
  const { columns, selectionRows, baselineRows } = await leaf.client.diff({
    table: 'calls',
    select: 'status >= 500',
    columns: ['host', 'build', 'bytes'],
    ...range,
  })
  expect([selectionRows, baselineRows]).toEqual([100, 1900])
  const by = Object.fromEntries(columns.map((column) => [column.name, column]))
  // Of the others 100 of 1,900 rows are of the same build, host and size.
  for (const name of ['host', 'build', 'bytes']) expect(by[name]?.difference).toBeCloseTo(1 - 100 / 1900, 2)
  expect(by['build']?.values[0]).toMatchObject({ selection: expect.any(Number) as number })
  expect(by['bytes']?.isRanges).toBe(true)
  expect(await refusalOf(leaf.client.diff({ table: 'calls', select: 'true) --' }))).toMatchObject({ code: 'SCUBA_SQL' })
  expect(await refusalOf(leaf.client.diff({ table: 'calls', select: 'statsu >= 500' }))).toMatchObject({ code: 'SCUBA_COLUMN_UNKNOWN' })
})

test('a funnel counts who did each step after the one before, within the time', async () => {
  const step = (user: string, what: string, at: number): object => ({ time: T + at * 1000, user, what })
  await leaf.client.send('clicks', [
    ...[step('a', 'cart', 1), step('a', 'pay', 2), step('a', 'done', 3)],
    ...[step('b', 'cart', 1), step('b', 'pay', 90)],
    ...[step('c', 'pay', 1), step('c', 'cart', 2)],
    step('d', 'done', 1),
  ])
  const asked = { table: 'clicks', actor: 'USER', steps: ["what = 'cart'", "what = 'pay'", "what = 'done'"], ...range }
  const { steps } = await leaf.client.funnel(asked)
  expect(steps.map(({ actors, ofFirst, medianMs }) => [actors, ofFirst, medianMs])).toEqual([
    [3, 1, null],
    [2, 2 / 3, 45_000],
    [1, 1 / 3, 1000],
  ])
  expect((await leaf.client.funnel({ ...asked, withinMs: 30_000 })).steps.map(({ actors }) => actors)).toEqual([3, 1, 1])
})

test('a pause ends a session', async () => {
  const at = [0, 10, 20, 200, 205, 500].map((second) => ({ time: T + second * 1000, user: 'x' }))
  await leaf.client.send('visits', [...at, { time: T, user: 'y' }, { time: T, other: 1 }])
  expect(await leaf.client.sessions({ table: 'visits', actor: 'user', gapMs: 60_000, ...range })).toMatchObject({
    sessions: 4,
    actors: 2,
    rows: 7,
    bounces: 2,
    duration: { max: 20_000 },
    eventsPerSession: { max: 3 },
  })
})

test('a trace is the tree of its spans and what else carries its id', async () => {
  const span = (id: string, parent: string, start: number, more: object = {}): object => ({
    ...{ time: T + start, trace_id: 't1', span_id: id, parent_span_id: parent, name: `op ${id}`, service: 'web', duration_ms: 10 },
    ...more,
  })
  await leaf.client.send('traces', [
    span('c', 'b', 3),
    span('b', 'a', 2, { status: 'error' }),
    span('a', '', 1, { duration_ms: 40 }),
    span('lost', 'gone', 9),
    { ...span('z', '', 0), trace_id: 't2' },
  ])
  await leaf.client.send('logs', [{ time: T + 5, trace_id: 't1', text: 'it happened' }])
  const { spans, rows, startMs, durationMs } = await leaf.client.trace({ trace: 't1', ...range })
  expect(spans.map(({ id, depth, isError }) => [id, depth, isError])).toEqual([
    ['a', 0, false],
    ['b', 1, true],
    ['c', 2, false],
    ['lost', 0, false],
  ])
  expect(rows).toMatchObject([{ table: 'logs', timeMs: T + 5, text: 'text=it happened' }])
  expect([startMs, durationMs]).toEqual([T + 1, 40])
  expect(await refusalOf(leaf.client.trace({ trace: 'nobody' }))).toMatchObject({ code: 'NOT_FOUND', exit: 3 })
})

test('an explanation names the files after pruning and the values that would be read', async () => {
  await leaf.seal('calls')
  const { tables, cells, analyzed } = await leaf.client.explain({
    sql: "select host, count(*) from calls where build = 'bad' group by 1",
    analyze: true,
  })
  expect(tables).toMatchObject([{ name: 'calls', files: 1, filesAfterPruning: 1, segments: 1, chunks: 0, rows: 2000 }])
  expect(tables[0]?.columns.toSorted()).toEqual(['build', 'host'])
  expect(cells).toBe(4000)
  expect(analyzed?.rows).toBe(1)
  expect((await leaf.client.explain({ sql: 'select count(*) from calls', untilMs: T - 1 })).tables).toMatchObject([
    { filesAfterPruning: 0, rows: 0 },
  ])
  expect(
    (await leaf.client.explain({ sql: `select count(*) from calls where time < make_timestamp(${(T - 1) * 1000})` })).tables,
  ).toMatchObject([{ filesAfterPruning: 0, rows: 0 }])
})

test('an explanation says whether parts of files make the answer, how many are known, and why not', async () => {
  const sql = 'select host, min(bytes) from calls group by host order by 1'
  const first = await leaf.client.explain({ sql, analyze: true })
  expect(first).toMatchObject({ tier: 'A', why: null, tables: [{ filesKnown: 0 }], analyzed: { cache: { hits: 0, misses: 1 } } })
  expect(await leaf.client.explain({ sql })).toMatchObject({ tier: 'A', tables: [{ filesKnown: 1 }], cells: 0 })
  for (const [other, why] of [
    ['select * from calls', 'star'],
    ['select avg(bytes) from calls', 'avg'],
    ['select sum(bytes / 2) from calls', 'fractions'],
    ['select median(status) from calls group by status', 'median'],
    ['select count(*) from calls a join calls b on a.host = b.host', 'more than one table'],
    ['select count(*) from calls where host = (select max(host) from calls)', 'inner query'],
    ['select host, count(*), row_number() over () from calls group by host', 'window'],
    ['select count(*) from calls where random() < 2', 'random'],
    ['select host, build, count(*) from calls group by rollup (host, build)', 'grouping sets'],
    ['with a as (select * from calls) select count(*) from a', 'more than one table'],
    ['select upper(host) as build, count(*) from calls group by build, host having length(build) > 1', 'something else'],
  ] as const) {
    const explained = await leaf.client.explain({ sql: other })
    expect([explained.tier, explained.why], other).toEqual(['B', expect.stringContaining(why)])
  }
})

test('an earlier range is answered for the same groups, on the steps of this one', async () => {
  const day = 86_400_000
  await leaf.client.send('compared', [
    ...Array.from({ length: 6 }, (_, i) => ({ time: T + i * 1000, service: i < 4 ? 'a' : 'b' })),
    ...Array.from({ length: 3 }, (_, i) => ({ time: T - 7 * day + i * 1000, service: 'a' })),
    { time: T - 7 * day, service: 'c' },
  ])
  const { groups, compare } = await leaf.client.panel({
    table: 'compared',
    calc: ['count'],
    by: ['service'],
    stepMs: 1000,
    sinceMs: T,
    untilMs: T + 10_000,
    compare: '1w',
  })
  expect(groups.map(({ key, values }) => [key['service'], values['count']])).toEqual([
    ['a', 4],
    ['b', 2],
  ])
  expect(compare?.groups.map(({ key, values, series }) => [key['service'], values['count'], series[0]])).toEqual([['a', 3, [T, 1]]])
  const sql = await leaf.client.query('select count(*) from compared', { sinceMs: T, untilMs: T + 10_000, compare: '1w' })
  expect([sql.rows, sql.compare?.rows]).toEqual([[[6]], [[4]]])
})

test('only groups for which it holds are shown, and counted', async () => {
  const asked = { table: 'compared', calc: ['count'], by: ['service'], sinceMs: T, untilMs: T + 10_000 }
  expect(await leaf.client.panel({ ...asked, having: ['count >= 3'] })).toMatchObject({
    groupCount: 1,
    groups: [{ key: { service: 'a' } }],
  })
  expect(await refusalOf(leaf.client.panel({ ...asked, having: ['p99:x > 1'] }))).toMatchObject({ code: 'USAGE' })
})

test('a counter grows by its steps, and begins at zero again when it drops', async () => {
  const sample = (series: string, at: number, value: number): object => ({ time: T + at * 1000, series, job: series[0], value })
  await leaf.client.send('counters', [sample('a1', 0, 10), sample('a1', 10, 25), sample('a2', 0, 100)])
  await leaf.seal('counters')
  await leaf.client.send('counters', [sample('a1', 20, 5), sample('a1', 30, 6), sample('a2', 10, 107), sample('b1', 0, 1)])
  const { groups, tier } = await leaf.client.panel({
    table: 'counters',
    calc: ['increase:value', 'rate:value'],
    by: ['job'],
    sinceMs: T,
    untilMs: T + 40_000,
  })
  expect(tier).toBe('A')
  expect(groups.map(({ key, values }) => [key['job'], values['increase:value'], values['rate:value']])).toEqual([
    ['a', 28, 28 / 40],
    ['b', null, null],
  ])
})

test('what counters grew is the same from parts of files as from all rows, with resets, ends of series, and samples that come late', async () => {
  const random = createPrng(7)
  const at = Array.from({ length: 30 }, () => ({ value: random.below(50), time: T + random.below(1000) }))
  const send = (rounds: number): Promise<unknown> =>
    leaf.client.send(
      'grown',
      Array.from({ length: rounds * at.length }, (_, i) => {
        const counter = at[i % at.length] ?? { value: 0, time: T }
        counter.time += 500 + random.below(1000)
        counter.value = random.below(12) === 0 ? random.below(5) : counter.value + random.below(9)
        const value = random.below(15) === 0 ? { marker: 'stale' } : { value: counter.value }
        return {
          time: counter.time,
          series: `s${i % at.length}`,
          job: `j${(i % at.length) % 7}`,
          kind: i % 2 === 0 ? 'even' : 'odd',
          ...value,
        }
      }),
    )
  const ask = async (tier: string, where = "job <> 'j2'"): Promise<void> => {
    for (const asked of [
      { by: ['job'], stepMs: 5000 },
      { by: ['job'], top: 3, other: true },
      { by: ['kind', 'job'], stepMs: 4000, top: 4, other: true, where },
      { stepMs: 7000 },
      { by: ['job'], calc: ['rate:value'], having: ['rate:value > 0.5'] },
    ]) {
      for (const untilMs of [T + 100_000, T + 21_234]) {
        const panel = { table: 'grown', calc: ['increase:value', 'rate:value'], ...asked, sinceMs: T + 3000, untilMs }
        const [parts, plain] = [await leaf.client.panel(panel), await leaf.client.panel({ ...panel, raw: true })]
        expect([parts.groups, parts.groupCount, parts.tier], JSON.stringify(panel)).toEqual([plain.groups, plain.groupCount, tier])
      }
    }
  }
  await send(9)
  await leaf.seal('grown')
  await send(12)
  await ask('A')
  await leaf.client.send('grown', [{ time: T + 6001, series: 's1', job: 'j1', kind: 'odd', value: 7 }])
  await ask('B', "job = 'j1'")
})

test('a caller who goes away stops its query', { timeout: 60_000 }, async () => {
  const abort = new AbortController()
  const slow = refusalOf(
    leaf.client.query(
      'select count(*) from range(300000) a, range(300000) b where (a.range * b.range) % 7 = 3',
      { deadlineMs: 60_000 },
      abort.signal,
    ),
  )
  await sleep(300)
  abort.abort()
  await slow
  // The engine has but two threads: what follows would wait for minutes if it still ran.
  expect((await leaf.client.query('select 42', { deadlineMs: 20_000 })).rows).toEqual([[42]])
})

test('a segment that is lost makes an answer partial, and one that has to be full is refused', async () => {
  const { readdirSync, rmSync } = await import('node:fs')
  const { join } = await import('node:path')
  await leaf.client.send('holed', [{ time: T, a: 1 }])
  await leaf.seal('holed')
  await leaf.client.send('holed', [{ time: T, a: 2 }])
  await leaf.end('SIGTERM')
  for (const file of readdirSync(join(leaf.dir, 'segments'))) if (file.startsWith('holed-')) rmSync(join(leaf.dir, 'segments', file))
  await leaf.start()
  const asked = { table: 'holed', calc: ['sum:a'], ...range }
  expect(await leaf.client.panel(asked)).toMatchObject({ coverage: { rows: 0.5 }, groups: [{ values: { 'sum:a': 2 } }] })
  expect(await refusalOf(leaf.client.panel({ ...asked, require: 'full' }))).toMatchObject({ code: 'SCUBA_PARTIAL', exit: 8 })
  expect(await refusalOf(leaf.client.query('select a from holed', { require: 'full' }))).toMatchObject({ code: 'SCUBA_PARTIAL', exit: 8 })
})
