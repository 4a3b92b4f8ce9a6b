const WINDOW_MS = 10_000
const BUCKETS = 400
/** buckets grow by this factor, so a percentile is at most this far off */
const GROWTH = 1.05
const MIN_MS = 0.01

/** Counts of latencies by logarithmic bucket, of the current window and the one before. */
export interface Histogram {
  current: Uint32Array
  previous: Uint32Array
  startedMs: number
}

export function createHistogram(): Histogram {
  return { current: new Uint32Array(BUCKETS), previous: new Uint32Array(BUCKETS), startedMs: 0 }
}

const LOG_GROWTH = Math.log(GROWTH)

export function addLatency(histogram: Histogram, ms: number, nowMs: number): void {
  turn(histogram, nowMs)
  const bucket = ms <= MIN_MS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / MIN_MS) / LOG_GROWTH))
  histogram.current[bucket] = (histogram.current[bucket] ?? 0) + 1
}

/** The latency below which a share `p` of the last 10 to 20 s lies, in ms; null without any. */
export function percentile(histogram: Histogram, p: number, nowMs: number): number | null {
  turn(histogram, nowMs)
  const counts = histogram.current.map((count, i) => count + (histogram.previous[i] ?? 0))
  let rest = counts.reduce((sum, count) => sum + count, 0) * p
  if (rest === 0) return null
  const bucket = counts.findIndex((count) => (rest -= count) <= 0)
  return Number((MIN_MS * GROWTH ** bucket).toFixed(2))
}

function turn(histogram: Histogram, nowMs: number): void {
  const age = nowMs - histogram.startedMs
  if (age < WINDOW_MS) return
  histogram.previous = age < 2 * WINDOW_MS ? histogram.current : new Uint32Array(BUCKETS)
  histogram.current = new Uint32Array(BUCKETS)
  histogram.startedMs = nowMs
}
