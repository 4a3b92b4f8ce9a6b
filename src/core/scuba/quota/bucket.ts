import type { Quota } from './quota.ts'

/** What may still come in; negative: more came than was allowed, which the time that follows has to make up for. */
export interface Bucket {
  levelBytes: number
  atMs: number
}

type Rate = Pick<Quota, 'bytesPerSecond' | 'burstBytes'>

/** A token bucket at a later time. A clock that went back adds nothing; a smaller burst is what it is at once. */
export function filled(bucket: Bucket | null, { bytesPerSecond, burstBytes }: Rate, nowMs: number): Bucket {
  if (bucket === null) return { levelBytes: burstBytes, atMs: nowMs }
  const passedMs = Math.max(0, nowMs - bucket.atMs)
  return { levelBytes: Math.min(burstBytes, bucket.levelBytes + (bytesPerSecond * passedMs) / 1000), atMs: nowMs }
}

/**
 * How long a sender has to wait until it may send again, ms; 0: it may. A batch is taken as long as the bucket is not empty, however
 * large it is: one that is larger than the burst would never get in else. What it takes too much, the wait after it makes up for.
 */
export function quotaWaitMs({ levelBytes }: Bucket, { bytesPerSecond }: Rate): number {
  return levelBytes > 0 ? 0 : Math.max(1, Math.ceil((-levelBytes * 1000) / bytesPerSecond))
}
