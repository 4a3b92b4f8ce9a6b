import fc from 'fast-check'
import { expect, test } from 'vitest'
import { gateLogE, harmLogE, harmLogEWithRestarts } from '../../../../src/core/kernel/stats/counts.ts'
import { srmLogE } from '../../../../src/core/kernel/stats/srm.ts'

const share = fc.double({ min: 1e-4, max: 0.9, noNaN: true })

/** ln of the binomial probability of k of n. */
function binomialLog(n: number, k: number, p: number): number {
  let log = k * Math.log(p) + (n - k) * Math.log(1 - p)
  for (let i = 1; i <= k; i += 1) log += Math.log((n - k + i) / i)
  return log
}

/** E of an e-value over all outcomes of n failing units of which each is the canary's with probability p. */
function expectation(n: number, p: number, logE: (canary: number, control: number) => number): number {
  let sum = 0
  for (let k = 0; k <= n; k += 1) sum += Math.exp(binomialLog(n, k, p) + logE(k, n - k))
  return sum
}

test('the expected e-value of a canary that is not worse is at most 1', () => {
  fc.assert(
    fc.property(share, fc.integer({ min: 0, max: 40 }), fc.double({ min: 0, max: 1, noNaN: true }), (w, n, d) => {
      const odds = (w * (1 + d)) / (w * (1 + d) + 1 - w)
      expect(expectation(n, odds, (canary, control) => harmLogE([{ share: w, canary, control }], d))).toBeLessThan(1 + 1e-6)
    }),
    { numRuns: 60, seed: 1 },
  )
})

test('the expected gate value of a canary that is ρ times as bad is at most 1', () => {
  fc.assert(
    fc.property(share, fc.integer({ min: 0, max: 40 }), fc.constantFrom(1.5, 2, 3, 5, 10), (w, n, ratio) => {
      const odds = (w * ratio) / (w * ratio + 1 - w)
      expect(expectation(n, odds, (canary, control) => gateLogE([{ share: w, canary, control }], ratio))).toBeLessThan(1 + 1e-6)
    }),
    { numRuns: 60, seed: 2 },
  )
})

test('the expected sample ratio value of a canary that gets what it was sent is at most 1', () => {
  fc.assert(
    fc.property(share, fc.integer({ min: 0, max: 60 }), (w, n) => {
      expect(expectation(n, w, (canary, control) => srmLogE(canary, control, w))).toBeLessThan(1 + 1e-6)
    }),
    { numRuns: 60, seed: 3 },
  )
})

test('one more failing canary unit never lowers the evidence of harm, and one more of the control never raises it', () => {
  fc.assert(
    fc.property(share, fc.nat(500), fc.nat(500), fc.boolean(), (w, canary, control, isRestart) => {
      const at = (c: number, b: number): number => harmLogEWithRestarts([{ share: w, canary: c, control: b, isRestart }], 0)
      expect(at(canary + 1, control)).toBeGreaterThanOrEqual(at(canary, control) - 1e-9)
      expect(at(canary, control + 1)).toBeLessThanOrEqual(at(canary, control) + 1e-9)
    }),
    { numRuns: 200, seed: 4 },
  )
})
