import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DISK_BOUNDS_S, Histogram } from '../../../../src/core/delos/measure/histogram.ts'

const seconds = fc.double({ min: 2e-6, max: 30, noNaN: true })
const many = fc.array(seconds, { minLength: 1, maxLength: 200 })

test('a quantile is at or above the true one, and by no more than a step of 9 %', () => {
  fc.assert(
    fc.property(many, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, share) => {
      const histogram = new Histogram()
      for (const value of values) histogram.note(value)
      const exact = values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(values.length * share)) - 1] as number
      const found = histogram.recentQuantile(share) as number
      expect(found).toBeGreaterThanOrEqual(exact * 0.999_999)
      expect(found).toBeLessThanOrEqual(exact * 1.091)
    }),
  )
})

test('buckets count up, never beyond the count, and are wrong by values within a step of the bound only', () => {
  fc.assert(
    fc.property(many, (values) => {
      const histogram = new Histogram()
      for (const value of values) histogram.note(value)
      const counts = histogram.cumulative(DISK_BOUNDS_S)
      for (const [i, bound] of DISK_BOUNDS_S.entries()) {
        expect(counts[i]).toBeGreaterThanOrEqual(values.filter((value) => value <= bound / 1.091).length)
        expect(counts[i]).toBeLessThanOrEqual(values.filter((value) => value <= bound * 1.091).length)
        expect(counts[i]).toBeGreaterThanOrEqual(counts[i - 1] ?? 0)
      }
      expect(histogram.count).toBe(values.length)
    }),
  )
})

test('what is older than two turns is in the counts and no more in the quantiles', () => {
  const histogram = new Histogram()
  histogram.note(1)
  histogram.turn()
  expect(histogram.recentQuantile(0.5)).toBeGreaterThan(0.9)
  histogram.note(0.001)
  histogram.turn()
  expect(histogram.recentQuantile(1)).toBeLessThan(0.0011)
  histogram.turn()
  expect(histogram.recentQuantile(1)).toBeNull()
  expect([histogram.count, histogram.sumS]).toEqual([2, 1.001])
})
