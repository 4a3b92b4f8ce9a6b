import type { LatencyHist } from '../../kernel/stats/latency.ts'

/** What the judge goes by in one step of a rollout. Rates and shares are fractions, not parts per million. */
export interface JudgePolicy {
  /** false alarm rate of the whole rollout; E ≥ 1/α fails */
  alpha: number
  /** a gate passes at 1/β */
  beta: number
  /** assigned share of the canary */
  share: number
  /**
   * `assigned`: each request was sent to an arm by the share, so requests that are missing are harm. `observed`: requests go to tasks as
   * the mesh likes, so each window has the share that came, and which arm gets how much says nothing.
   */
  split: 'assigned' | 'observed'
  /** d: how much a good canary may fail more often because tasks differ */
  tolerance: number
  /** the gate shows that the canary fails less than this many times as often */
  gateRatio: number
  /** or that it fails less often than this */
  floorRate: number
  latency: LatencyPolicy
}

export interface LatencyPolicy {
  /** d_latency: a good canary may be slower by this part */
  tolerance: number
  /** latencies up to this are all equally good, ms */
  floorMs: number
  /** the gate shows that p90 is not slower by this factor */
  gateRatio: number
}

/** Units of one arm in a window. */
export interface ArmWindow {
  /** requests */
  units: number
  /** users who failed for the first time in this step and arm */
  failing: number
  hist: LatencyHist
}

/** What came in during a stretch of time, the same for both arms. */
export interface Window {
  fromMs: number
  durationMs: number
  canary: ArmWindow
  /** everything that is not canary */
  control: ArmWindow
  /** part of the rows that were there to be read, 0..1 */
  coverage: number
}

/** A window with less than this is not counted. */
export const COVERAGE_MIN = 0.98
/** Data older than this is no data, ms. */
export const LATE_MS = 30_000
/** A late start begins every 30 minutes of a step. */
export const RESTART_EVERY_MS = 30 * 60_000
