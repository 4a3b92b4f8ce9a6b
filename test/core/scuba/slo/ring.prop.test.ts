import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CountsRing } from '../../../../src/core/scuba/slo/ring.ts'

const STEP_MS = 10_000
const LENGTH = 180

/** Steps set in an order of no kind, some again, some so old that their slot is another's; sums of any window between, with spans left out. */
const deed = fc.oneof(
  fc.record({ set: fc.nat(3 * LENGTH), good: fc.nat(9), bad: fc.nat(9) }),
  fc.record({
    from: fc.nat(3 * LENGTH),
    steps: fc.nat(LENGTH),
    offMs: fc.nat(STEP_MS - 1),
    skip: fc.array(fc.tuple(fc.nat(90), fc.nat(40)), { maxLength: 3 }),
  }),
)

test('a sum of a window is the sum of its steps, whatever was set, set again or summed before', () => {
  fc.assert(
    fc.property(fc.array(deed, { minLength: 1, maxLength: 120 }), (deeds) => {
      const ring = new CountsRing(STEP_MS, LENGTH)
      const slots = new Map<number, { step: number; good: number; total: number }>()
      for (const one of deeds) {
        if ('set' in one) {
          const [step, counts] = [one.set, { good: one.good, total: one.good + one.bad }]
          const isOld = (slots.get(step % LENGTH)?.step ?? -1) > step
          if (!isOld) slots.set(step % LENGTH, { step, ...counts })
          expect(ring.set(step * STEP_MS, counts)).toBe(!isOld)
          if (!isOld) expect(ring.at(step * STEP_MS)).toEqual(counts)
          continue
        }
        const fromMs = one.from * STEP_MS - one.offMs
        const toMs = (one.from + one.steps) * STEP_MS
        const skip = one.skip.map(([at, steps]) => ({ fromMs: (one.from + at) * STEP_MS, toMs: (one.from + at + steps) * STEP_MS }))
        const wanted = { good: 0, total: 0 }
        for (const { step, good, total } of slots.values()) {
          const atMs = step * STEP_MS
          if (atMs < fromMs || atMs >= toMs || skip.some((span) => atMs >= span.fromMs && atMs < span.toMs)) continue
          wanted.good += good
          wanted.total += total
        }
        expect(ring.sum(fromMs, toMs, skip)).toEqual(wanted)
      }
    }),
    { numRuns: 300 },
  )
})
