import { describe, expect, test } from 'vitest'
import {
  addNotSlowerWindow,
  addSlowerWindow,
  alternativesLogE,
  bucketMs,
  bucketsOfFactor,
  exceeding,
  histQuantile,
  histTotal,
  latencyBucket,
} from '../../../../src/core/kernel/stats/latency.ts'
import { logMeanExp } from '../../../../src/core/kernel/stats/log-math.ts'
import { quantile, variates } from './random.ts'

/** Canary units until the mean of the three edges reaches `line`, at most `unitsMax`. */
function unitsToAlarm(random: ReturnType<typeof variates>, slower: number, canaryUnits: number, line: number, unitsMax: number): number {
  const controlUnits = 3000
  let before = random.latencies(controlUnits)
  let edges: number[][] = [[], [], []]
  for (let units = canaryUnits; units <= unitsMax; units += canaryUnits) {
    const canary = random.latencies(canaryUnits, slower)
    const control = random.latencies(controlUnits)
    edges = [0.5, 0.9, 0.99].map((p, i) => {
      const edge = histQuantile(before, p) ?? 0
      return addSlowerWindow(edges[i] ?? [], {
        priorRate: exceeding(before, edge) / histTotal(before),
        canaryUnits,
        canaryOver: exceeding(canary, edge),
        controlUnits,
        controlOver: exceeding(control, edge),
      })
    })
    if (logMeanExp(edges.map(alternativesLogE)) >= line) return units
    before = control
  }
  return Infinity
}

describe('latency', () => {
  test('a latency lies in the bucket whose upper edge is the next power of 1.02', () => {
    for (const ms of [0.2, 1, 1.5, 7, 50, 999, 30_000]) {
      const bucket = latencyBucket(ms)
      expect(bucketMs(bucket)).toBeGreaterThanOrEqual(ms * 0.999_999)
      if (ms > 1) expect(bucketMs(bucket - 1)).toBeLessThan(ms)
    }
    expect(bucketsOfFactor(1.2)).toBe(9)
  })

  test('quantile and exceedance of a histogram', () => {
    const hist = new Map([
      [10, 50],
      [20, 40],
      [30, 10],
    ])
    expect(histQuantile(hist, 0.5)).toBe(10)
    expect(histQuantile(hist, 0.9)).toBe(20)
    expect(histQuantile(hist, 0.99)).toBe(30)
    expect(exceeding(hist, 20)).toBe(10)
    expect(histQuantile(new Map(), 0.5)).toBeNull()
  })

  test('a window without canary or without control requests says nothing', () => {
    const window = { priorRate: 0.1, canaryUnits: 0, canaryOver: 0, controlUnits: 100, controlOver: 50 }
    expect(alternativesLogE(addSlowerWindow([], window))).toBeCloseTo(0)
    expect(alternativesLogE([])).toBe(0)
  })

  // Known from many runs, median/p95: +10 % 1.5k/2.6k, +20 % 400/700 (α 1e-4).
  test.each([
    [1.2, 50, 400, 700],
    [1.1, 100, 1500, 2600],
  ])('a canary slower by ×%d is found in the published number of units', (slower, chunk, median, p95) => {
    const random = variates(31)
    const units = Array.from({ length: 40 }, () => unitsToAlarm(random, slower, chunk, Math.log(1e4), 20_000))
    expect(quantile(units, 0.5) / median).toBeLessThan(1.35)
    expect(quantile(units, 0.95) / p95).toBeLessThan(1.4)
  })

  test('a canary that is equally fast alarms in at most α of the runs', () => {
    const random = variates(37)
    const alarms = Array.from({ length: 150 }, () => unitsToAlarm(random, 1, 100, Math.log(100), 2000)).filter(Number.isFinite)
    expect(alarms.length / 150).toBeLessThanOrEqual(0.014)
  })

  test('the gate passes an equally fast canary and not one that is 20 % slower at p90', () => {
    const random = variates(41)
    const gate = (slower: number): number => {
      let logs: number[] = []
      let before = random.latencies(3000)
      for (let window = 0; window < 10; window += 1) {
        const canary = random.latencies(200, slower)
        const control = random.latencies(3000)
        const edge = histQuantile(before, 0.9) ?? 0
        logs = addNotSlowerWindow(logs, {
          priorRate: exceeding(before, edge) / histTotal(before),
          canaryUnits: 200,
          canaryOver: exceeding(canary, edge + bucketsOfFactor(1.2)),
          controlUnits: 3000,
          controlOver: exceeding(control, edge),
        })
        before = control
      }
      return alternativesLogE(logs)
    }
    expect(gate(1)).toBeGreaterThan(Math.log(20))
    expect(gate(1.25)).toBeLessThan(Math.log(20))
  })
})
