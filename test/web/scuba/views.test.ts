import { expect, test } from 'vitest'
import { conditionOf, groupConditions, withCondition } from '../../../src/core/scuba/explore/conditions.ts'
import { badgeOf } from '../../../src/web/scuba/coverage.ts'
import { diffRequest, rowsRequest } from '../../../src/core/scuba/explore/explored.ts'
import { exploreOf, searchOf, toggled, type Explore } from '../../../src/web/scuba/explore-state.ts'
import { heatChart, SHADES } from '../../../src/web/scuba/heat.ts'
import { changeText, short, valueText } from '../../../src/web/scuba/numbers.ts'
import {
  absolute,
  panelRequest,
  POINTS_MAX,
  rangeOf,
  SERIES_MAX,
  shifted,
  stepOf,
  unreadableTime,
} from '../../../src/core/scuba/explore/range.ts'
import { traceAnswer } from '../../../src/core/scuba/explore/trace.ts'
import type { ObjectiveStatus } from '../../../src/core/scuba/operations/slo.ts'
import { dataNotes } from '../../../src/core/scuba/slo/data-notes.ts'
import { chartsOf, isEmpty } from '../../../src/core/scuba/explore/series.ts'
import { byNeed, meterOf, stateCounts } from '../../../src/web/scuba/slo.ts'
import { placeOf } from '../../../src/web/scuba/sql-place.ts'
import { waterfall } from '../../../src/web/scuba/waterfall.ts'
import type { Coverage, PanelAnswer, PanelGroup, TraceSpan } from '../../../src/core/scuba/wire-types.ts'

const NOW = 1_800_000_000_000
const MINUTE = 60_000
const DAY = 86_400_000
const coverage: Coverage = {
  rows: 1,
  segments: 1,
  chunks: 0,
  leaves: 1,
  fromMs: NOW - 5 * MINUTE,
  toMs: NOW,
  hotToMs: NOW - MINUTE,
  missing: [],
}
const group = (service: string, series: PanelGroup['series'], isOther = false): PanelGroup => ({
  key: { service },
  isOther,
  values: { count: 1 },
  series,
})

function answer(part: Partial<PanelAnswer>): PanelAnswer {
  return {
    ...{
      table: 'requests',
      by: ['service'],
      calc: ['count'],
      stepMs: MINUTE,
      sinceMs: NOW - 5 * MINUTE,
      untilMs: NOW,
      groups: [],
      groupCount: 0,
    },
    ...{
      isGroupCountExact: true,
      accuracy: {},
      tier: 'A',
      cache: { isWhole: false, hits: 0, misses: 0 },
      rowsScanned: 10,
      coverage,
      elapsedMs: 5,
    },
    ...part,
  }
}

test('a count without rows is zero up to the newest row of the table and unknown behind it; a percentile is always unknown', () => {
  const first = NOW - 5 * MINUTE
  const series: PanelGroup['series'] = [[first, 7, 12]]
  const [count, p99] = chartsOf(answer({ calc: ['count', 'p99:latency_ms'], groups: [group('a', series)] }))
  expect(count?.lines[0]?.values).toEqual([7, 0, 0, 0, 0])
  expect(p99?.lines[0]?.values).toEqual([12, null, null, null, null])
  const [late] = chartsOf(answer({ groups: [group('a', series)], coverage: { ...coverage, hotToMs: first + MINUTE } }))
  expect(late?.lines[0]?.values).toEqual([7, 0, null, null, null])
})

test('no rows and zero rows that fit are two states', () => {
  expect(isEmpty(answer({ groups: [] }))).toBe(true)
  expect(isEmpty(answer({ groups: [{ key: {}, isOther: false, values: { count: 0 }, series: [] }] }))).toBe(true)
  expect(isEmpty(answer({ groups: [{ key: {}, isOther: false, values: { 'ratio(x)': 0 }, series: [[NOW, 0]] }] }))).toBe(false)
})

test('a browser gets no more series and points than its bounds, whatever the answer has', () => {
  const many = Array.from({ length: 80 }, (_, i) => group(`s${i}`, [[NOW - MINUTE, 1]]))
  const earlier = { sinceMs: 0, untilMs: 1, groups: many, rowsScanned: 0, coverage }
  const [chart] = chartsOf(answer({ groups: many, compare: earlier, stepMs: 1000, sinceMs: NOW - 5_000_000 }))
  expect(chart?.lines.length).toBe(SERIES_MAX)
  expect(chart?.steps.length).toBe(POINTS_MAX)
  expect(chart?.steps.at(-1)).toBe(NOW - 1000)
  expect(86_400_000 / stepOf(86_400_000, '1s')).toBeLessThanOrEqual(POINTS_MAX)
  expect(stepOf(3_600_000, '10s')).toBe(10_000)
})

test('the earlier line of a group has its colour, also where the groups come in another order', () => {
  const compare = { sinceMs: 0, untilMs: 1, groups: [group('b', []), group('a', [[NOW - MINUTE, 3]])], rowsScanned: 0, coverage }
  const [chart] = chartsOf(answer({ groups: [group('a', []), group('b', [])], compare }))
  expect(chart?.lines.map(({ label, index }) => [label, index])).toEqual([
    ['a', 0],
    ['b', 1],
    ['b, earlier', 1],
    ['a, earlier', 0],
  ])
})

test('a relative range is asked as relative; a fixed one as its times; a heat map as cells of one group', () => {
  expect(panelRequest({ table: 't', since: '15m' }, NOW)).toMatchObject({ lastMs: 15 * MINUTE, stepMs: 5000, calc: ['count'] })
  const fixed = absolute({ table: 't', since: '1h' }, NOW)
  expect(panelRequest(fixed, NOW + 99 * MINUTE)).toMatchObject({ sinceMs: NOW - 60 * MINUTE, untilMs: NOW })
  expect(panelRequest({ table: 't', view: 'heat', heat: 'ms', by: ['a'], compare: '1d' }, NOW)).toEqual({
    table: 't',
    calc: ['heatmap:ms'],
    lastMs: 60 * MINUTE,
    stepMs: 30_000,
  })
  expect(panelRequest({ table: 't', view: 'table' }, NOW).stepMs).toBeUndefined()
  expect(panelRequest({ table: 't', where: ['a = 1', 'b = 2'] }, NOW).where).toBe('(a = 1) AND (b = 2)')
})

test('the range before ends where this one begins, and the one after comes back to now', () => {
  const before = shifted({ table: 't', since: '1h' }, -1, NOW)
  expect(rangeOf(before, NOW)).toEqual({ sinceMs: NOW - 120 * MINUTE, untilMs: NOW - 60 * MINUTE, isLive: false })
  expect(rangeOf(shifted(before, 1, NOW + 1000), NOW)).toMatchObject({ isLive: false, untilMs: NOW })
  expect(shifted(shifted(before, 1, NOW), 1, NOW)).toMatchObject({ since: '1h' })
})

test('what is clicked becomes a condition that also holds for NULL, quotes and reserved names', () => {
  expect(conditionOf('service', "o'neil")).toBe("service = 'o''neil'")
  expect(conditionOf('user', null, true)).toBe('"user" IS NOT NULL')
  expect(conditionOf('Status', 500, true)).toBe('"Status" IS DISTINCT FROM 500')
  expect(groupConditions(['a', 'b'], { a: true, b: '' })).toEqual(['a = true', "b = ''"])
  expect(withCondition(['a = 1'], 'a = 1')).toEqual(['a = 1'])
  expect(toggled(['a', 'b'], 'a')).toEqual(['b'])
})

test('what the explorer shows stands in its address, and comes back from it', () => {
  const state: Explore = {
    asked: { table: 'requests', where: ["path = '/a&b'"], by: ['service'], since: '6h' },
    tab: 'rows',
    mark: { fromMs: 1000, toMs: 2000 },
    only: ['a = 1', 'b = 2'],
  }
  expect(exploreOf(new URLSearchParams(searchOf(state)))).toEqual(state)
  expect(exploreOf(new URLSearchParams('tab=nothing&mark=9-3'))).toEqual({ asked: {}, tab: 'groups', mark: null, only: [] })
})

test('rows and differences are of the marked stretch and the opened point alone', () => {
  const state: Explore = {
    asked: { table: 't', where: ['a = 1'], since: '1h' },
    tab: 'rows',
    mark: { fromMs: NOW - 2000, toMs: NOW - 1000 },
    only: ['b = 2'],
  }
  expect(rowsRequest(state, NOW, 100)).toEqual({
    sql: 'SELECT * FROM t WHERE (a = 1) AND (b = 2) ORDER BY time DESC LIMIT 100',
    sinceMs: NOW - 2000,
    untilMs: NOW - 1000,
  })
  expect(diffRequest(state, NOW)).toMatchObject({
    select: `(time >= make_timestamp(${NOW - 2000}000)) AND (time < make_timestamp(${NOW - 1000}000)) AND (b = 2)`,
    where: 'a = 1',
    sinceMs: NOW - 60 * MINUTE,
  })
  expect(diffRequest({ ...state, mark: null, only: [] }, NOW)).toBeNull()
})

test('a heat map keeps its rows when its bands are put together, and its fullest cell is darkest', () => {
  const lows = Array.from({ length: 200 }, (_, i) => i)
  const chart = heatChart(
    {
      lows,
      highest: 200,
      cells: [
        [0, 0, 5],
        [0, 1, 5],
        [1000, 199, 1000],
        [5000, 1, 9],
      ],
    },
    [0, 1000],
    1000,
  )
  expect(chart.bands.length).toBeLessThanOrEqual(48)
  expect(chart.cells.reduce((sum, { count }) => sum + count, 0)).toBe(1010)
  expect(chart.cells.find(({ count }) => count === 1000)?.shade).toBe(SHADES)
  expect(chart.bands.at(-1)).toMatchObject({ high: 200, count: 1000 })
  expect(chart.bands[0]).toEqual({ low: 0, high: 1, count: 5 })
  const gap = heatChart(
    {
      lows: [10, 1000],
      highest: 1020,
      cells: [
        [0, 0, 1],
        [0, 1, 1],
      ],
    },
    [0],
    1000,
  )
  expect(gap.cells.map(({ band }) => band)).toEqual([0, gap.bands.length - 1])
  expect(gap.bands.length).toBeGreaterThan(40)
})

test('rows of a heat map that follow each other are bands without gaps, however wide they are', () => {
  for (const width of [1.02, 1.02 ** 2, 1.02 ** 8, 1.9]) {
    const lows = Array.from({ length: 40 }, (_, i) => 3 * width ** i)
    const cells = lows.map((_, row): [number, number, number] => [0, row, 1])
    const { bands } = heatChart({ lows, highest: 3 * width ** 40, cells }, [0], 1000)
    expect(bands.map(({ count }) => count)).toEqual(lows.map(() => 1))
  }
})

test('objectives that want somebody come first, and what all have in common is said once', () => {
  const status = (service: string, state: ObjectiveStatus['state'], sev: number | null, dataFromMs = NOW - 2 * DAY): ObjectiveStatus =>
    ({ service, objective: 'availability', state, sev, dataFromMs, windowFromMs: NOW - 30 * DAY, asOfMs: NOW }) as ObjectiveStatus
  const all = [status('a', 'ok', null), status('b', 'burning', 4), status('c', 'spent', 4), status('d', 'burning', 2)]
  expect(byNeed(all).map(({ service }) => service)).toEqual(['d', 'b', 'c', 'a'])
  expect(stateCounts(all)).toBe('2 burning, 1 spent, 1 ok')
  expect(dataNotes(all)).toEqual(['all: from 2 d of data'])
  expect(dataNotes([...all, status('e', 'ok', null, NOW - 30 * DAY)])[0]).toBe(
    'a availability, b availability, c availability, d availability: from 2 d of data',
  )
})

test('a range that is no time is refused, not taken for another', () => {
  expect(
    [{ since: 'abc' }, { since: '1h', until: 'x' }, { since: '7d' }, { since: '2026-11-30T09:00:00Z' }, {}].map(unreadableTime),
  ).toEqual(['abc', 'x', null, null, null])
})

test('the time of a trace is that of its spans; rows of other tables that carry its id come when they come', () => {
  const row = { table: 'logs', timeMs: NOW + 3_600_000, text: '' }
  const span = { id: 'a', parent: null, depth: 0, name: 'a', service: null, startMs: NOW, durationMs: 20, isError: false, attributes: {} }
  expect(traceAnswer('t', [span], [row])).toMatchObject({ startMs: NOW, durationMs: 20 })
  expect(traceAnswer('t', [], [row])).toMatchObject({ startMs: row.timeMs, durationMs: 0 })
})

test('a span stands on the axis of its trace and is never too narrow to be seen', () => {
  const span = (id: string, startMs: number, durationMs: number, service: string): TraceSpan => ({
    id,
    parent: null,
    depth: 0,
    name: id,
    service,
    startMs,
    durationMs,
    isError: false,
    attributes: {},
  })
  const { bars, services } = waterfall({
    startMs: 100,
    durationMs: 100,
    spans: [span('a', 100, 100, 'web'), span('b', 150, 0, 'db'), span('c', 90, 500, 'web')],
  })
  expect(services).toEqual(['web', 'db'])
  expect(bars.map(({ left, service }) => [left, service])).toEqual([
    [0, 0],
    [0.5, 1],
    [0, 0],
  ])
  expect(bars.every(({ left, width }) => width > 0 && left + width <= 1.002)).toBe(true)
  // A duration stands where it has room.
  expect(bars.map(({ label }) => label)).toEqual(['inside', 'after', 'inside'])
  const many = Array.from({ length: 40 }, (_, i) => span(`s${i}`, 195, 1, `service-${i % 20}`))
  const busy = waterfall({ startMs: 100, durationMs: 100, spans: [...many, span('x', 150, 1, 'service-19')] })
  expect(busy.bars.map(({ label }) => label)).toContain('before')
  expect(busy.services[busy.named[0] ?? -1]).toBe('service-19')
  expect([busy.named.length, busy.unnamed]).toEqual([12, 8])
})

test('an error of SQL is shown at its line and column, or where its unknown column stands', () => {
  const sql = 'select a\nfrom t where bb = 1'
  expect(placeOf(sql, { line: 2, column: 6 })).toEqual({ line: 2, column: 6, offset: 14, text: 'from t where bb = 1' })
  expect(placeOf(sql, { position: 9 })).toMatchObject({ line: 2, column: 1, offset: 9 })
  expect(placeOf(sql, { column: 'bb', position: 7 })).toMatchObject({ line: 2, column: 14 })
  expect(placeOf(sql, { line: 9, column: 1 })).toBeNull()
  expect(placeOf(sql, undefined)).toBeNull()
})

test('the badge says what is missing and how exact it is, and 99.99 % is not whole', () => {
  expect(badgeOf({ coverage, rowsScanned: 1234, elapsedMs: 5 }, NOW)).toMatchObject({
    kind: 'whole',
    text: '● 100 % · newest 60 s ago · 1,234 rows, 5.0 ms',
  })
  const part = badgeOf(
    {
      coverage: { ...coverage, rows: 0.9999, missing: ['one segment is lost'] },
      rowsScanned: 1,
      elapsedMs: 50,
      accuracy: { 'p99:x': { exact: false, errorMax: 0.01 } },
    },
    NOW,
  )
  expect(part.kind).toBe('part')
  expect(part.text).toContain('▲ 99.9 %')
  expect(part.notes).toEqual(['one segment is lost', 'p99:x is within 1 %'])
  expect(badgeOf({ coverage: { ...coverage, hotToMs: null }, rowsScanned: 0, elapsedMs: 1 }, NOW).kind).toBe('none')
})

test('numbers are written in their unit with three digits', () => {
  expect([0, 0.04212, 999.6, 1234, 12_345_678].map(short)).toEqual(['0', '0.042', '1000', '1.23k', '12.3M'])
  expect(valueText(0.0123, 'ratio(status >= 500)')).toBe('1.23 %')
  expect([1500, 600_000, 86_000_000, 200_000_000].map((ms) => valueText(ms, 'p99:latency_ms'))).toEqual([
    '1.5 s',
    '10 min',
    '23.9 h',
    '2.31 d',
  ])
  expect(valueText(null, 'count')).toBe('–')
  expect([changeText(3, 2), changeText(1, 2), changeText(1, 0), changeText(null, 2)]).toEqual(['+50 %', '−50 %', 'new', '–'])
})

test('a budget that is overspent is not drawn as one that is empty by chance', () => {
  expect(meterOf({ left: 0.42, leftMs: 540_000 })).toEqual({ left: 0.42, text: '42 % left', outage: '9m of full outage', kind: 'good' })
  expect(meterOf({ left: -0.5, leftMs: 0 })).toEqual({ left: 0, text: '✖ spent 1.5 ×', outage: null, kind: 'spent' })
  expect(meterOf(null).kind).toBe('unknown')
})
