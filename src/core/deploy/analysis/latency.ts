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
  type LatencyHist,
} from '../../kernel/stats/latency.ts'
import { floorLogE } from '../../kernel/stats/counts.ts'
import { logMeanExp, logWeighted } from '../../kernel/stats/log-math.ts'
import type { LatencyPolicy, Window } from './policy.ts'

/** Quantiles of the control whose exceedance is compared. */
const QUANTILES = [0.5, 0.9, 0.99] as const
/** The control must have this many requests before its quantiles are taken as edges: smaller windows are put together. */
const CONTROL_MIN = 200
/** Share of requests above p90. */
const OVER_P90 = 0.1
/** Prior of the evidence of earlier steps, against a fresh start in this one. */
const CARRIED_PRIOR = 0.8

/** What the latency test remembers between windows. */
export interface LatencyState {
  /** ln E at the end of the steps before */
  carriedLogE: number
  /** control's histogram of the window before: gives the edges */
  before: LatencyHist | null
  pending: { canary: Map<number, number>; control: Map<number, number> }
  /** running logs per alternative, one row an edge */
  slower: number[][]
  notSlower: number[]
  /** canary requests, and those slower than the floor times the gate's ratio */
  floor: { units: number; over: number }
  /** all of the step, for people */
  canary: Map<number, number>
  control: Map<number, number>
}

export function startLatency(carriedLogE: number): LatencyState {
  const empty = (): Map<number, number> => new Map()
  return {
    carriedLogE,
    before: null,
    pending: { canary: empty(), control: empty() },
    slower: QUANTILES.map(() => []),
    notSlower: [],
    floor: { units: 0, over: 0 },
    canary: empty(),
    control: empty(),
  }
}

function merge(into: Map<number, number>, from: LatencyHist): Map<number, number> {
  for (const [bucket, n] of from) into.set(bucket, (into.get(bucket) ?? 0) + n)
  return into
}

/** The next state. Changes the histograms of the given one, which is not used again. */
export function observeLatency(state: LatencyState, window: Window, policy: LatencyPolicy): LatencyState {
  const floorEdge = latencyBucket(policy.floorMs * policy.gateRatio)
  const next: LatencyState = {
    ...state,
    canary: merge(state.canary, window.canary.hist),
    control: merge(state.control, window.control.hist),
    floor: {
      units: state.floor.units + histTotal(window.canary.hist),
      over: state.floor.over + exceeding(window.canary.hist, floorEdge),
    },
  }
  merge(next.pending.canary, window.canary.hist)
  merge(next.pending.control, window.control.hist)
  if (histTotal(next.pending.control) < CONTROL_MIN) return next
  const { canary, control } = next.pending
  next.pending = { canary: new Map(), control: new Map() }
  next.before = control
  const before = state.before
  if (before === null) return next
  const sides = (edge: number, canaryEdge: number) => ({
    priorRate: exceeding(before, edge) / histTotal(before),
    canaryUnits: histTotal(canary),
    canaryOver: exceeding(canary, canaryEdge),
    controlUnits: histTotal(control),
    controlOver: exceeding(control, edge),
  })
  const shift = bucketsOfFactor(1 + policy.tolerance)
  const floor = latencyBucket(policy.floorMs)
  next.slower = QUANTILES.map((quantile, i) => {
    const edge = Math.max(floor, histQuantile(before, quantile) ?? floor)
    return addSlowerWindow(state.slower[i] ?? [], sides(edge, edge + shift))
  })
  const p90 = histQuantile(before, 0.9) ?? 0
  if (p90 >= floor) next.notSlower = addNotSlowerWindow(state.notSlower, sides(p90, p90 + bucketsOfFactor(policy.gateRatio)))
  return next
}

/** ln E against "not slower" from this step alone: the mean over the edges. */
export function latencyHereLogE(state: LatencyState): number {
  return logMeanExp(state.slower.map(alternativesLogE))
}

/** ln E against "not slower": earlier steps count, but a fresh start does too. */
export function latencyHarmLogE(state: LatencyState): number {
  const here = latencyHereLogE(state)
  return logWeighted([
    [CARRIED_PRIOR, state.carriedLogE + here],
    [1 - CARRIED_PRIOR, here],
  ])
}

/** ln E for promotion: p90 is shown not to be slower by the ratio, or to be below the floor anyway. */
export function latencyGateLogE(state: LatencyState): number {
  return Math.max(alternativesLogE(state.notSlower), floorLogE(state.floor.units, state.floor.over, OVER_P90))
}

export function latencyMs(hist: LatencyHist, quantile: number): number | null {
  const bucket = histQuantile(hist, quantile)
  return bucket === null ? null : Math.round(bucketMs(bucket) * 10) / 10
}
