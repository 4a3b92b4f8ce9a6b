import fc from 'fast-check'
import { expect, test } from 'vitest'
import { retentionTime } from '../../../src/core/scuba/retention/clock.ts'
import { planEviction } from '../../../src/core/scuba/retention/evict.ts'
import { isHeld, planRetention, type RetentionSegment } from '../../../src/core/scuba/retention/plan.ts'
import { bytesToEvict, diskLevel } from '../../../src/core/scuba/seal/pressure.ts'
import { retentionDefault, retentionPolicySchema, type Hold } from '../../../src/core/scuba/retention/policy.ts'
import { WINDOW_DAYS_MAX } from '../../../src/core/scuba/slo/file.ts'

const DAY_MS = 86_400_000
const NOW = 1_800_000_000_000

const segments = fc
  .array(fc.record({ ageDays: fc.double({ min: 0, max: 60, noNaN: true }), hours: fc.nat(30), bytes: fc.integer({ min: 1, max: 5e9 }) }), {
    maxLength: 30,
  })
  .map((parts) =>
    parts.map(({ ageDays, hours, bytes }, i): RetentionSegment => {
      const maxUs = Math.round(NOW - ageDays * DAY_MS) * 1000
      return { file: `f${i}`, rows: 100, bytes, maxUs, minUs: maxUs - hours * 3_600_000_000 }
    }),
  )
const policy = fc
  .record({ days: fc.integer({ min: 8, max: 40 }), gb: fc.integer({ min: 1, max: 80 }), isThin: fc.boolean() })
  .map(({ days, gb, isThin }) => retentionPolicySchema.parse({ days, gb, thin: isThin ? [{ afterDays: 7, keepOneIn: 10 }] : [] }))
const holds = fc.array(fc.record({ fromDays: fc.nat(60), forDays: fc.integer({ min: 1, max: 5 }) }), { maxLength: 3 }).map((spans) =>
  spans.map(({ fromDays, forDays }, i): Hold => {
    const fromMs = NOW - fromDays * DAY_MS
    return { id: i + 1, table: null, fromMs, toMs: fromMs + forDays * DAY_MS, sev: null, reason: 'x' }
  }),
)

test('what is held is never touched, what is too old and free goes, and the rest goes oldest first until it fits', () => {
  fc.assert(
    fc.property(segments, policy, holds, (all, rule, held) => {
      const plan = planRetention(all, rule, held, NOW)
      const touched = plan.steps.map(({ segment }) => segment)
      expect(touched.filter((segment) => isHeld(segment, held))).toEqual([])
      expect(new Set(touched).size).toBe(touched.length)
      const dropped = new Set(plan.steps.filter((step) => step.do === 'drop').map(({ segment }) => segment))
      const free = all.filter((segment) => !isHeld(segment, held))
      for (const segment of free) if (segment.maxUs / 1000 + rule.days * DAY_MS <= NOW) expect(dropped.has(segment)).toBe(true)
      const kept = free.filter((segment) => !dropped.has(segment))
      const newestDropped = Math.max(0, ...[...dropped].map(({ maxUs }) => maxUs))
      for (const { maxUs } of kept) expect(maxUs).toBeGreaterThanOrEqual(newestDropped)
      // Too much stays only where nothing free is left to go.
      if (plan.bytesAfter > rule.gb * 1e9) expect(kept).toEqual([])
    }),
  )
})

test('after its steps are done, a plan finds nothing more to do', () => {
  fc.assert(
    fc.property(segments, policy, holds, (all, rule, held) => {
      const { steps } = planRetention(all, rule, held, NOW)
      const done = all.flatMap((segment): RetentionSegment[] => {
        const step = steps.find((each) => each.segment === segment)
        if (step?.do === 'drop') return []
        return [step ? { ...segment, thinned: step.to, bytes: segment.bytes / step.to } : segment]
      })
      expect(planRetention(done, rule, held, NOW).steps).toEqual([])
    }),
  )
})

test('a clock that leaps ahead and is put right costs at most as long again as it was wrong, and retention never runs ahead of it', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ leapMs: fc.integer({ min: -1e12, max: 1e12 }), elapsedMs: fc.nat(DAY_MS) })), (moves) => {
      let trueMs = NOW
      let time = retentionTime(null, trueMs, 0)
      for (const { leapMs, elapsedMs } of moves) {
        trueMs += elapsedMs
        const clockMs = trueMs + leapMs
        time = retentionTime(time, clockMs, elapsedMs)
        expect(time.atMs).toBeLessThanOrEqual(clockMs)
        const sinceStart = trueMs - NOW
        expect(time.atMs).toBeLessThanOrEqual(NOW + 2 * sinceStart)
      }
      // Put right, it is right once it has caught up with what it may have fallen behind.
      time = retentionTime(time, trueMs, 0)
      const behindMs = trueMs - time.atMs
      expect(retentionTime(time, trueMs + behindMs, behindMs).atMs).toBe(trueMs + behindMs)
    }),
  )
})

test('thinning is told from young to old, in whole fractions, and before rows are gone', () => {
  const accepted = (thin: object[], days = 30): boolean => retentionPolicySchema.safeParse({ days, thin }).success
  expect(accepted([{ afterDays: 7, keepOneIn: 10 }])).toBe(true)
  expect(
    accepted([
      { afterDays: 7, keepOneIn: 10 },
      { afterDays: 14, keepOneIn: 100 },
    ]),
  ).toBe(true)
  expect(
    accepted([
      { afterDays: 7, keepOneIn: 10 },
      { afterDays: 14, keepOneIn: 25 },
    ]),
  ).toBe(false)
  expect(
    accepted([
      { afterDays: 14, keepOneIn: 100 },
      { afterDays: 7, keepOneIn: 10 },
    ]),
  ).toBe(false)
  expect(accepted([{ afterDays: 30, keepOneIn: 10 }])).toBe(false)
})

test('what objectives measured is kept for a whole window of the longest kind and the two before it, other tables 30 days', () => {
  expect(retentionDefault('muster_slo').days).toBeGreaterThanOrEqual(2 * 30 + WINDOW_DAYS_MAX)
  expect(retentionDefault('requests')).toEqual({ days: 30, gb: 100, thin: [] })
})

test("for a disk that fills up the oldest go, as few as are enough, neither what is held nor the last hour, and muster's own last", () => {
  fc.assert(
    fc.property(segments, segments, holds, fc.integer({ min: 1, max: 5e10 }), (users, own, held, wanted) => {
      const tables = [
        { table: 't', isOwn: false, segments: users, holds: held },
        { table: 'muster_x', isOwn: true, segments: own, holds: held },
      ]
      const plan = planEviction(tables, wanted, NOW)
      const gone = new Set([...plan.values()].flat())
      const may = [...users, ...own].filter((segment) => !isHeld(segment, held) && segment.maxUs / 1000 < NOW - 3_600_000)
      for (const segment of gone) expect(may).toContain(segment)
      const bytes = [...gone].reduce((sum, segment) => sum + segment.bytes, 0)
      const left = may.filter((segment) => !gone.has(segment))
      if (bytes < wanted) expect(left).toEqual([])
      else if (gone.size > 0) expect(bytes - Math.max(...[...gone].map((segment) => segment.bytes))).toBeLessThan(wanted)
      for (const { segments: its } of tables) {
        const newest = Math.max(0, ...its.filter((segment) => gone.has(segment)).map(({ maxUs }) => maxUs))
        for (const segment of left) if (its.includes(segment)) expect(segment.maxUs).toBeGreaterThanOrEqual(newest)
      }
      if ((plan.get('muster_x') ?? []).length > 0) expect(left.filter((segment) => users.includes(segment))).toEqual([])
    }),
  )
})

test('so much is evicted that the disk is below the bound again, and nothing below it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1e6, max: 1e14 }), fc.double({ min: 0, max: 1, noNaN: true }), (total, share) => {
      const free = Math.floor(total * share)
      const bytes = bytesToEvict(total, free)
      expect(bytes > 0).toBe(['evict', 'full'].includes(diskLevel(total, free)))
      if (bytes > 0) expect(['ok', 'warn']).toContain(diskLevel(total, free + bytes))
    }),
  )
})
