import { logMeanExp, logSpaced, xLogY } from './log-math.ts'

/**
 * Latency as exceedances of a few edges: per window the e-value of a two-sample Bernoulli test (Turner, Ly,
 * Grünwald 2024, "Generic E-variables for exact sequential k-sample tests"), whose alternative was fixed by the window before.
 */

/** Requests by latency: bucket i holds (1.02^(i−1), 1.02^i] ms; index 0 is everything up to 1 ms. */
export type LatencyHist = ReadonlyMap<number, number>

const LOG_BASE = Math.log(1.02)
/** R − 1 of the alternatives "the canary exceeds R times as often". */
const SLOWER = logSpaced(0.01, 100, 48).map((x) => 1 + x)
/** R of the alternatives of the gate: the canary exceeds less often than it would if it were slower. */
const NOT_SLOWER = logSpaced(0.05, 1 / 1.02, 48)
/** An alternative's rate stays below 1, so that a single fast request cannot refute it for ever. */
const RATE_MAX = 0.98

/** The bucket of a latency. */
export function latencyBucket(latencyMs: number): number {
  return latencyMs <= 1 ? 0 : Math.ceil(Math.log(latencyMs) / LOG_BASE - 1e-9)
}

/** Upper edge of a bucket, ms. */
export function bucketMs(bucket: number): number {
  return 1.02 ** bucket
}

/** Buckets that a factor on the latency moves it by. */
export function bucketsOfFactor(factor: number): number {
  return Math.round(Math.log(factor) / LOG_BASE)
}

export function histTotal(hist: LatencyHist): number {
  let total = 0
  for (const n of hist.values()) total += n
  return total
}

/** The bucket in which the quantile lies; null for an empty histogram. */
export function histQuantile(hist: LatencyHist, quantile: number): number | null {
  const total = histTotal(hist)
  if (total === 0) return null
  let seen = 0
  const buckets = [...hist].sort(([a], [b]) => a - b)
  for (const [bucket, n] of buckets) {
    seen += n
    if (seen >= quantile * total) return bucket
  }
  return buckets.at(-1)?.[0] ?? null
}

/** How many are slower than the upper edge of `bucket`. */
export function exceeding(hist: LatencyHist, bucket: number): number {
  let count = 0
  for (const [i, n] of hist) if (i > bucket) count += n
  return count
}

/** Counts of one window at one edge. */
export interface EdgeWindow {
  /** control's exceedance rate in the window before: the alternative may only know the past */
  priorRate: number
  canaryUnits: number
  canaryOver: number
  controlUnits: number
  controlOver: number
}

/** ln of the window's e-value for each alternative R: canary at R·θ, control at θ, against both at the pooled rate. */
function windowLogs(w: EdgeWindow, ratios: readonly number[]): number[] {
  const control = Math.min(Math.max(w.priorRate, 1e-6), RATE_MAX)
  const units = w.canaryUnits + w.controlUnits
  if (w.canaryUnits === 0 || w.controlUnits === 0) return ratios.map(() => 0)
  return ratios.map((ratio) => {
    const canary = Math.min(ratio * control, Math.max(RATE_MAX, control))
    const pooled = (w.canaryUnits * canary + w.controlUnits * control) / units
    return (
      xLogY(w.canaryOver, canary / pooled) +
      xLogY(w.canaryUnits - w.canaryOver, (1 - canary) / (1 - pooled)) +
      xLogY(w.controlOver, control / pooled) +
      xLogY(w.controlUnits - w.controlOver, (1 - control) / (1 - pooled))
    )
  })
}

/** Running logs, one per alternative; start with `[]`. The next ones after a window. */
export function addSlowerWindow(logs: readonly number[], window: EdgeWindow): number[] {
  return windowLogs(window, SLOWER).map((x, i) => (logs[i] ?? 0) + x)
}

/** The same for the gate, where control is counted at an edge and the canary at that edge times the ratio that would be too slow. */
export function addNotSlowerWindow(logs: readonly number[], window: EdgeWindow): number[] {
  return windowLogs(window, NOT_SLOWER).map((x, i) => (logs[i] ?? 0) + x)
}

/** ln of the mean over the alternatives; 0 before the first window. */
export function alternativesLogE(logs: readonly number[]): number {
  return logs.length === 0 ? 0 : logMeanExp(logs)
}
