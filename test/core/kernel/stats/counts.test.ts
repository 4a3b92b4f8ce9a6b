import { describe, expect, test } from 'vitest'
import { floorLogE, gateLogE, harmLogE, harmLogEWithRestarts, type CountPart } from '../../../../src/core/kernel/stats/counts.ts'
import { quantile, variates } from './random.ts'

const ALPHA_LOG = Math.log(1e4)
const SHARE = 1e-3

/** Canary units until the e-value of one metric reaches 1e4, base rate 1e-3. */
function unitsToAlarm(seed: number, ratio: number, chunk: number, runs: number): number[] {
  const { poisson } = variates(seed)
  return Array.from({ length: runs }, () => {
    const part: CountPart = { share: SHARE, canary: 0, control: 0 }
    for (let units = chunk; ; units += chunk) {
      part.canary += poisson(chunk * 1e-3 * ratio)
      part.control += poisson((chunk * 1e-3 * (1 - SHARE)) / SHARE)
      if (harmLogE([part], 0) >= ALPHA_LOG) return units
    }
  })
}

describe('harm of a count metric', () => {
  test('without a failing unit there is no evidence', () => {
    expect(harmLogE([], 0)).toBe(0)
    expect(harmLogE([{ share: 0.05, canary: 0, control: 0 }], 0.3)).toBeCloseTo(0)
    expect(harmLogEWithRestarts([], 0)).toBeCloseTo(0)
  })

  test('equal parts of the same share add up to one part', () => {
    const one = harmLogE([{ share: 0.05, canary: 9, control: 40 }], 0)
    const two = harmLogE(
      [
        { share: 0.05, canary: 4, control: 30 },
        { share: 0.05, canary: 5, control: 10 },
      ],
      0,
    )
    expect(two).toBeCloseTo(one, 9)
  })

  test('tolerance lowers the evidence of the same counts', () => {
    const parts = [{ share: 0.05, canary: 12, control: 60 }]
    expect(harmLogE(parts, 0.3)).toBeLessThan(harmLogE(parts, 0))
  })

  test('large counts do not overflow', () => {
    expect(harmLogE([{ share: 0.001, canary: 1e6, control: 1e6 }], 0)).toBeGreaterThan(1e6)
    expect(Number.isFinite(harmLogE([{ share: 0.001, canary: 0, control: 1e9 }], 0))).toBe(true)
  })

  // Known from many runs: canary units to alarm at base rate 1e-3, median/p95: ×2 28k/54k, ×5 2.5k/5.9k, ×10 750/1.6k.
  test.each([
    [2, 300, 28_000, 54_000],
    [5, 40, 2500, 5900],
    [10, 10, 750, 1600],
  ])('a canary that fails ×%d as often is found in the published number of units', (ratio, chunk, median, p95) => {
    const units = unitsToAlarm(11, ratio, chunk, 150)
    expect(quantile(units, 0.5) / median).toBeGreaterThan(0.75)
    expect(quantile(units, 0.5) / median).toBeLessThan(1.25)
    expect(quantile(units, 0.95) / p95).toBeLessThan(1.35)
  })

  test('false alarms of good canaries, looked at after every window, stay below α with shared spikes and load', () => {
    const { poisson, rng } = variates(23)
    const alphaLog = Math.log(100)
    let alarms = 0
    const runs = 3000
    for (let run = 0; run < runs; run += 1) {
      const part: CountPart = { share: 0.05, canary: 0, control: 0 }
      for (let window = 0; window < 40; window += 1) {
        const rate = 2 * (rng.next() < 0.05 ? 5 : 1)
        part.canary += poisson(rate * 0.05)
        part.control += poisson(rate * 0.95)
        if (harmLogE([part], 0) >= alphaLog) {
          alarms += 1
          break
        }
      }
    }
    expect(alarms / runs).toBeLessThanOrEqual(0.01)
  })

  test('late starts find a fault that begins after an hour of good data sooner', () => {
    const unitsUntil = (withRestarts: boolean): number => {
      const { poisson } = variates(5)
      const found = Array.from({ length: 40 }, () => {
        const good = 360_000
        const first: CountPart = { share: SHARE, canary: poisson(good * 1e-3), control: poisson((good * 1e-3) / SHARE) }
        const late: CountPart = { share: SHARE, canary: 0, control: 0, isRestart: true }
        for (let units = 500; ; units += 500) {
          late.canary += poisson(500 * 1e-3 * 3)
          late.control += poisson((500 * 1e-3) / SHARE)
          const log = withRestarts ? harmLogEWithRestarts([first, late], 0) : harmLogE([first, late], 0)
          if (log >= ALPHA_LOG) return units
        }
      })
      return quantile(found, 0.5)
    }
    expect(unitsUntil(true)).toBeLessThan(0.6 * unitsUntil(false))
  })
})

describe('gate', () => {
  // Known from many runs: expected canary failures, median/p95: ρ 5: 1.3/2.8 · 3: 2.9/8.1 · 2: 8.4/26 · 1.5: 30/94.
  test.each([
    [5, 1.3, 2.8],
    [3, 2.9, 8.1],
    [2, 8.4, 26],
    [1.5, 30, 94],
  ])('a good canary passes ρ = %d after the published number of expected failures', (ratio, median, p95) => {
    const { poisson } = variates(3)
    const needed = Array.from({ length: 200 }, () => {
      const part: CountPart = { share: SHARE, canary: 0, control: 0 }
      const step = median / 30
      for (let expected = step; ; expected += step) {
        part.canary += poisson(step)
        part.control += poisson(step / SHARE)
        if (gateLogE([part], ratio) >= Math.log(20) || expected > 1000) return expected
      }
    })
    expect(quantile(needed, 0.5) / median).toBeGreaterThan(0.7)
    expect(quantile(needed, 0.5) / median).toBeLessThan(1.3)
    expect(quantile(needed, 0.95) / p95).toBeLessThan(1.35)
  })

  test('a canary that is as bad as ρ passes in at most one of twenty runs', () => {
    const { poisson } = variates(17)
    let passed = 0
    for (let run = 0; run < 1000; run += 1) {
      const part: CountPart = { share: 0.05, canary: 0, control: 0 }
      for (let window = 0; window < 60; window += 1) {
        part.canary += poisson(0.5 * 3 * 0.05)
        part.control += poisson(0.5 * 0.95)
        if (gateLogE([part], 3) >= Math.log(20)) {
          passed += 1
          break
        }
      }
    }
    expect(passed / 1000).toBeLessThanOrEqual(0.05)
  })

  test('3,000 units without a failure show a rate below 1e-3, 2,900 do not', () => {
    expect(floorLogE(3000, 0, 1e-3)).toBeGreaterThanOrEqual(Math.log(20))
    expect(floorLogE(2900, 0, 1e-3)).toBeLessThan(Math.log(20))
    expect(floorLogE(3000, 1, 1e-3)).toBeLessThan(Math.log(20))
    expect(floorLogE(30_000, 1, 1e-3)).toBeGreaterThanOrEqual(Math.log(20))
  })
})
