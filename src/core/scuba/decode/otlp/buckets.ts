import { DECODE } from '../limits.ts'
import type { Buckets, ExponentialPoint } from './messages.ts'

/** `[upper bound, count]`, ascending, empty ones left out; null: without an upper bound. Counts are of the bucket alone. */
export type BucketPair = readonly [number | null, number]

export function pairsOfBounds(bounds: readonly number[], counts: readonly bigint[]): BucketPair[] {
  return counts
    .map((count, i): BucketPair => [bounds[i] ?? null, Number(count)])
    .filter(([, count]) => count > 0)
    .slice(0, DECODE.valueItemsMax)
}

/**
 * Buckets of an exponential histogram under the same form. Bucket i of scale s is (base^i, base^(i+1)], base = 2^(2^-s) ("Metrics Data
 * Model", ExponentialHistogram); a negative one mirrors it, so its upper bound is -base^i. Zeros stand at `zero_threshold`.
 */
export function pairsOfExponential(point: ExponentialPoint): BucketPair[] {
  const power = (index: number): number => 2 ** (index * 2 ** -point.scale)
  const { positive, negative, zero_count: zeros, zero_threshold: threshold } = point
  return [
    ...present(negative)
      .map(({ index, count }): BucketPair => [-bounded(power(index)), count])
      .toReversed(),
    ...(zeros > 0n ? [[bounded(threshold), Number(zeros)] as const] : []),
    ...present(positive).map(({ index, count }): BucketPair => [bounded(power(index + 1)), count]),
  ].slice(0, DECODE.valueItemsMax)
}

const bounded = (value: number): number => (Number.isFinite(value) ? value : Number.MAX_VALUE)

function present(buckets: Buckets | null): { index: number; count: number }[] {
  if (buckets === null) return []
  return buckets.bucket_counts
    .map((count, i) => ({ index: buckets.offset + i, count: Number(count) }))
    .filter(({ count }) => count > 0)
    .slice(0, DECODE.valueItemsMax)
}
