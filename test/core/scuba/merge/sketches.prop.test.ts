import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import { bucketOf, heatmapOf, Histogram, HISTOGRAM_ERROR_MAX } from '../../../../src/core/scuba/merge/histogram.ts'
import { HyperLogLog, REGISTERS, REGISTERS_MANY, standardError } from '../../../../src/core/scuba/merge/hyperloglog.ts'

const number = fc.oneof(fc.double({ noNaN: true, min: -1e12, max: 1e12 }), fc.integer({ min: -1000, max: 1000 }), fc.constant(0))
const weighted = fc.array(fc.tuple(number, fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 60 })
const histogramOf = (values: readonly [number, number][]): Histogram => {
  const histogram = new Histogram()
  for (const [value, weight] of values) histogram.add(bucketOf(value), weight)
  return histogram
}

test('a percentile of a histogram is within its stated error of the weighted nearest rank', () => {
  fc.assert(
    fc.property(weighted, fc.double({ min: 0.001, max: 0.999, noNaN: true }), (values, q) => {
      const total = values.reduce((sum, [, weight]) => sum + weight, 0)
      let below = 0
      const exact = [...values].sort((a, b) => a[0] - b[0]).find(([, weight]) => (below += weight) >= q * total * (1 - 1e-12))?.[0] ?? NaN
      expect(Math.abs((histogramOf(values).quantile(q) ?? NaN) - exact)).toBeLessThanOrEqual(Math.abs(exact) * HISTOGRAM_ERROR_MAX + 1e-300)
    }),
  )
})

test('histograms put together in any order and in any pieces are the histogram of all', () => {
  fc.assert(
    fc.property(weighted, fc.infiniteStream(fc.nat(3)), (values, places) => {
      const pieces = [new Histogram(), new Histogram(), new Histogram(), new Histogram()]
      for (const [value, weight] of values) pieces[places.next().value as number]?.add(bucketOf(value), weight)
      const merged = new Histogram()
      for (const piece of pieces.reverse()) merged.merge(piece)
      expect(new Map([...merged.counts].sort())).toEqual(new Map([...histogramOf(values).counts].sort()))
    }),
  )
})

test('a heatmap has at most 40 rows, counts every value once, and keeps zero and the signs apart', () => {
  fc.assert(
    fc.property(weighted, (values) => {
      const { lows, cells } = heatmapOf(new Map([[0, histogramOf(values)]]))
      expect(lows.length).toBeLessThanOrEqual(40)
      expect([...lows].sort((a, b) => a - b)).toEqual(lows)
      expect(cells.reduce((sum, [, , weight]) => sum + weight, 0)).toBe(values.reduce((sum, [, weight]) => sum + weight, 0))
      const positive = values.filter(([value]) => value > 0).reduce((sum, [, weight]) => sum + weight, 0)
      const firstPositive = lows.findIndex((low, row) => low > 0 || (low === 0 && row === lows.length - 1 && positive > 0))
      if (positive === 0) expect(lows.every((low) => low <= 0)).toBe(true)
      else
        expect(cells.filter(([, row]) => row >= firstPositive && (lows[row] ?? 0) > 0).reduce((sum, [, , weight]) => sum + weight, 0)).toBe(
          positive,
        )
    }),
  )
})

/** A hash as good as the engine's, divided as `registerSql` does. */
const codeOf = (hash: bigint, registers: number): number => {
  const bits = BigInt(Math.log2(registers))
  const rest = hash >> bits
  let rank = 1
  while (rank <= 64 - Number(bits) && ((rest >> BigInt(rank - 1)) & 1n) === 0n) rank += 1
  return Number(hash & BigInt(registers - 1)) * 64 + rank
}

test.each([REGISTERS, REGISTERS_MANY])(
  'of %d registers an estimate is within three standard errors, also of few and of many',
  (registers) => {
    const random = createPrng(registers)
    const word = (): bigint => BigInt(random.below(2 ** 32))
    for (const wanted of [0, 1, 10, 100, 1000, 5000, 20_000, 100_000]) {
      const [sketch, half] = [new HyperLogLog(registers), new HyperLogLog(registers)]
      for (let i = 0; i < wanted; i += 1) {
        const code = codeOf((word() << 32n) | word(), registers)
        ;(i % 2 === 0 ? sketch : half).add(code)
        // What is in both counts once.
        if (i % 3 === 0) half.add(code)
      }
      sketch.merge(half)
      expect(Math.abs(sketch.estimate() - wanted), String(wanted)).toBeLessThanOrEqual(Math.max(2, 3 * standardError(registers) * wanted))
    }
  },
)
