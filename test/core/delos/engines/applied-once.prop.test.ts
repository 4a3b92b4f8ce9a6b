import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AppliedOnce, PROPOSERS_MAX, WINDOW } from '../../../../src/core/delos/engines/applied-once.ts'

test('every batch within the window is let through once, whatever the order and however often it comes', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: WINDOW })), { maxLength: 300 }), (batches) => {
      const once = new AppliedOnce()
      const seen = new Set<string>()
      for (const [proposer, seq] of batches) {
        expect(once.admit(proposer, seq)).toBe(!seen.has(`${proposer}/${seq}`))
        seen.add(`${proposer}/${seq}`)
      }
    }),
  )
})

test('a copy made from its rows at any moment decides as the first one does', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 500 })), { maxLength: 300 }), fc.nat(300), (batches, at) => {
      const once = new AppliedOnce()
      let copy = new AppliedOnce()
      for (const [i, [proposer, seq]] of batches.entries()) {
        if (i === at) copy = new AppliedOnce(JSON.parse(JSON.stringify(once.rows())))
        const isAdmitted = once.admit(proposer, seq)
        if (i >= at) expect(copy.admit(proposer, seq)).toBe(isAdmitted)
      }
      expect(once.rows().length).toBeLessThanOrEqual(PROPOSERS_MAX)
      for (const [, , applied] of once.rows()) expect(applied.length).toBeLessThanOrEqual(WINDOW)
    }),
  )
})

test('a batch that comes later than the window is not applied: nobody can know whether it was', () => {
  const once = new AppliedOnce()
  once.admit(1, WINDOW + 1)
  expect([once.admit(1, 1), once.admit(1, 2)]).toEqual([false, true])
})
