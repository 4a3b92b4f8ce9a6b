import { expect, test } from 'vitest'
import { sloFileSchema } from '../../../../src/core/scuba/slo/file.ts'
import { evaluateSlo, type SloEvaluation } from '../../../../src/core/scuba/slo/evaluate.ts'
import { judgeSlo, QUIET, type SloState } from '../../../../src/core/scuba/slo/judge.ts'
import { compileSlo } from '../../../../src/core/scuba/slo/objective.ts'
import type { Span } from '../../../../src/core/scuba/slo/ring.ts'
import { BUCKET_MS, SliSeries } from '../../../../src/core/scuba/slo/series.ts'
import { tiersOf } from '../../../../src/core/scuba/slo/tiers.ts'
import { windowAt } from '../../../../src/core/scuba/slo/window.ts'
import { must } from '../../../../src/core/kernel/assert.ts'
import { schedulingZone } from '../../../../src/server/zones.ts'

const UTC = { tz: 'UTC', version: '', transitions: [{ atMs: 0, offsetSec: 0 }] }
const END = 1_700_000_000_000
const slo = compileSlo(
  sloFileSchema.parse({
    service: 'feed',
    objectives: [{ availability: '99.95%' }, { latency: 'p99 <= 200 ms' }, { error_rate: '< 0.1%' }],
  }),
)
const availability = must(slo.objectives[0], 'availability')

/** Ten requests a second up to END, a share of them bad in the newest `badMs`. */
function seriesOf(share: number, badMs: number, options: { perBucket?: number; hours?: number } = {}): SliSeries {
  const { perBucket = 100, hours = 7 } = options
  const series = new SliSeries()
  for (let at = END - hours * 3_600_000; at < END; at += BUCKET_MS) {
    const bad = at >= END - badMs ? share * perBucket : 0
    if (at < END - 6.5 * 3_600_000) {
      if (at % 60_000 === 0) series.putMinute(at, { good: 6 * perBucket, total: 6 * perBucket })
    } else series.put(at, { good: perBucket - bad, total: perBucket })
  }
  return series
}
const look = (series: SliSeries, over: { excluded?: Span[]; isWhole?: boolean; asOfMs?: number } = {}): SloEvaluation =>
  evaluateSlo(availability, series, {
    version: 1,
    atMs: END,
    asOfMs: END,
    window: slo.window,
    zone: UTC,
    excluded: [],
    isWhole: true,
    ...over,
  })
const kinds = (state: SloState, evaluation: SloEvaluation) =>
  judgeSlo(availability, state, evaluation).map(({ kind, tier, sev }) => [kind, tier, sev])

test('each kind of objective is good events over all events', () => {
  expect(slo.objectives.map(({ name, good, target, text }) => [name, good, target, text])).toEqual([
    ['availability', 'status < 500', 0.9995, '99.95 %'],
    ['latency', '"latency_ms" <= 200', 0.99, 'p99 ≤ 200ms'],
    ['error-rate', 'status < 500', 0.999, '< 0.1 %'],
  ])
  expect(slo.objectives.map(({ isLive }) => isLive)).toEqual([true, false, true])
  expect(sloFileSchema.safeParse({ service: 'a', objectives: [{ availability: '99%', latency: 'p99 <= 1s' }] }).success).toBe(false)
  expect(sloFileSchema.safeParse({ service: 'a', objectives: [{ availability: '100%' }] }).success).toBe(false)
  expect(sloFileSchema.safeParse({ service: 'a', objectives: [{ error_rate: '< 1%' }, { error_rate: '< 2%' }] }).success).toBe(false)
})

test('a factor that asks for more than half of all events to be bad is lowered to half, and says so', () => {
  expect(tiersOf(0.9995).map(({ threshold, isClamped }) => [threshold, isClamped])).toEqual([
    [0.04, false],
    [0.0216, false],
    [0.0072, false],
    [0.003, false],
    [0.0015, false],
    [0.0005, false],
  ])
  expect(tiersOf(0.99)[0]).toMatchObject({ threshold: 0.5, isClamped: true })
  expect(tiersOf(0.985)[1]).toMatchObject({ threshold: 0.5, isClamped: true })
})

test('a half of errors pages after the first bad 10 s, one percent by the hour only', () => {
  expect(kinds(QUIET, look(seriesOf(0.5, 10_000)))).toEqual([['burn_started', 'fast', 2]])
  expect(kinds(QUIET, look(seriesOf(0.01, 10_000)))).toEqual([])
  expect(look(seriesOf(0.01, 3_600_000)).now).toMatchObject({ tier: '1', sev: 2 })
})

test('a page stands on ten bad events; fewer are a ticket that says how many', () => {
  const [move] = judgeSlo(availability, QUIET, look(seriesOf(0.5, 10_000, { perBucket: 4 })))
  expect(move).toMatchObject({ kind: 'burn_started', sev: 4, reason: expect.stringContaining('only 2 bad of 48 events') as string })
})

test('a worse tier raises what burns, a lesser one changes nothing', () => {
  expect(kinds({ tier: '2', sev: 3, isSpent: false }, look(seriesOf(0.5, 30_000)))).toContainEqual(['burn_raised', 'fast', 2])
  expect(kinds({ tier: 'fast', sev: 2, isSpent: true }, look(seriesOf(0.01, 3_600_000)))).toEqual([])
})

test('a burn is over after a minute below every tier, and never while history is still being read', () => {
  const burning: SloState = { tier: 'fast', sev: 2, isSpent: true }
  const good = seriesOf(0, 0)
  expect(kinds(burning, look(good))).toEqual([
    ['burn_ended', 'fast', 2],
    ['budget_restored', 'fast', 4],
  ])
  expect(kinds(burning, look(good, { isWhole: false }))).toEqual([])
  const fresh = seriesOf(0, 0)
  for (let at = END - 80_000; at < END - 40_000; at += BUCKET_MS) fresh.put(at, { good: 50, total: 100 })
  // Below now, above half a minute ago.
  expect(look(fresh, { asOfMs: END }).hasHeld).toBe(true)
  expect(kinds({ ...burning, isSpent: true }, look(fresh))).toEqual([])
})

test('what is excluded counts nowhere, and the figure with it is still told', () => {
  const series = seriesOf(0.5, 600_000)
  const span = { fromMs: Math.floor((END - 600_000) / 60_000) * 60_000, toMs: END + 60_000 }
  const without = look(series, { excluded: [span] })
  expect(without.now).toBeNull()
  expect(without.budget.bad).toBe(0)
  expect(without.budgetWithExcluded?.bad).toBe(3000)
  expect(look(series).budgetWithExcluded).toBeNull()
})

test('a budget is spent by what the target allows of all events, not by the first bad one', () => {
  expect(kinds({ tier: 'fast', sev: 2, isSpent: false }, look(seriesOf(0.5, 30_000)))).toEqual([['budget_spent', 'fast', 4]])
  const little = new SliSeries()
  little.put(END - BUCKET_MS, { good: 9, total: 10 })
  expect(kinds({ tier: 'fast', sev: 2, isSpent: false }, look(little))).toEqual([])
  expect(look(little)).toMatchObject({ dataFromMs: END - BUCKET_MS - ((END - BUCKET_MS) % 60_000) })
})

test('a bucket that is put again replaces the one before; an older one never drives out a newer', () => {
  const series = new SliSeries()
  series.put(END, { good: 5, total: 10 })
  series.put(END, { good: 9, total: 10 })
  series.put(END - 7 * 3_600_000, { good: 0, total: 1000 })
  expect(series.fine(END, END + BUCKET_MS)).toEqual({ good: 9, total: 10 })
  expect(series.minutes(END - 3_600_000, END + 60_000)).toEqual({ good: 9, total: 10 })
})

test('a calendar window begins with the month of its zone, also across a change of the clock', () => {
  const berlin = schedulingZone('Europe/Berlin', Date.UTC(2026, 2, 31, 22, 30))
  const month = { kind: 'month', timezone: 'Europe/Berlin' } as const
  expect(windowAt(month, Date.UTC(2026, 2, 31, 21, 59), berlin)).toEqual({
    fromMs: Date.UTC(2026, 1, 28, 23),
    lengthMs: (31 * 24 - 1) * 3_600_000,
  })
  expect(windowAt(month, Date.UTC(2026, 2, 31, 22, 0), berlin).fromMs).toBe(Date.UTC(2026, 2, 31, 22))
  expect(windowAt({ kind: 'rolling', ms: 1000 }, END, UTC)).toEqual({ fromMs: END - 1000, lengthMs: 1000 })
})
