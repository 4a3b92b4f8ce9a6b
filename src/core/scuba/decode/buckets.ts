import { DECODE } from './limits.ts'

/** `[upper bound, count]`, ascending, empty ones left out; null: without an upper bound. Counts are of the bucket alone. */
export type BucketPair = readonly [number | null, number]

/** Bucket `index` of scale s holds (base^index, base^(index+1)], base = 2^(2^-s); a negative one mirrors it. Ascending, none twice. */
export interface IndexedBucket {
  index: number
  count: number
}
export interface ExponentialBuckets {
  scale: number
  /** values up to this far from zero count as zero */
  zeroThreshold: number
  zeros: number
  positive: readonly IndexedBucket[]
  negative: readonly IndexedBucket[]
}

/**
 * Buckets with bounds of their own: the last count is of what lies above the last bound.
 * @param counts one more than bounds
 */
export function pairsOfBounds(bounds: readonly number[], counts: readonly number[]): BucketPair[] {
  let pairs = counts.map((count, i): BucketPair => [bounds[i] ?? null, count]).filter(([, count]) => count > 0)
  // Neighbours put together lose detail; buckets left out would lose values.
  while (pairs.length > DECODE.bucketsMax) {
    const finer = pairs
    pairs = finer.flatMap(([bound, count], i) => {
      if (i === finer.length - 1 && i % 2 === 0) return [[bound, count] as const]
      return i % 2 === 0 ? [] : [[bound, count + (finer[i - 1]?.[1] ?? 0)] as const]
    })
  }
  return pairs
}

/**
 * Buckets of an exponential histogram under the same form ("Metrics Data Model", ExponentialHistogram): the upper bound of a negative one is
 * -base^index, zeros stand at their threshold. Of more buckets than a row holds, two become one, as the model has it for a smaller scale.
 * @returns the scale that the pairs are of, too
 */
export function pairsOfExponential(buckets: ExponentialBuckets): { scale: number; pairs: BucketPair[] } {
  let { scale, positive, negative } = buckets
  while (positive.length + negative.length >= DECODE.bucketsMax) {
    scale -= 1
    positive = halved(positive)
    negative = halved(negative)
  }
  const power = (index: number): number => bounded(2 ** (index * 2 ** -scale))
  const pairs = [
    ...negative.map(({ index, count }): BucketPair => [-power(index), count]).toReversed(),
    ...(buckets.zeros > 0 ? [[bounded(buckets.zeroThreshold), buckets.zeros] as const] : []),
    ...positive.map(({ index, count }): BucketPair => [power(index + 1), count]),
  ]
  return { scale, pairs }
}

function halved(buckets: readonly IndexedBucket[]): IndexedBucket[] {
  const wider: IndexedBucket[] = []
  for (const { index, count } of buckets) {
    const last = wider.at(-1)
    const half = Math.floor(index / 2)
    if (last?.index === half) last.count += count
    else wider.push({ index: half, count })
  }
  return wider
}

const bounded = (value: number): number => (Number.isFinite(value) ? value : Number.MAX_VALUE)
