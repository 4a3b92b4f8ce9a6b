import { floorLogE, gateLogE, harmLogEWithRestarts, type CountPart } from '../../kernel/stats/counts.ts'
import { logWeighted } from '../../kernel/stats/log-math.ts'
import { expectedCanaryUnits, SRM_LOG_THRESHOLD, SRM_SILENT_EXPECTED, srmLogE } from '../../kernel/stats/srm.ts'
import { latencyGateLogE, latencyHarmLogE, latencyHereLogE, latencyMs, observeLatency, startLatency, type LatencyState } from './latency.ts'
import { COVERAGE_MIN, LATE_MS, RESTART_EVERY_MS, type JudgePolicy, type Window } from './policy.ts'

/**
 * The judge of one step: windows in, a verdict out. Pure and without a clock, so that the same windows
 * give the same verdict wherever they are read again.
 */
export interface JudgeState {
  policy: JudgePolicy
  /** failing users of the rollout: finished steps, then this one (evidence of harm is kept over the steps) */
  parts: CountPart[]
  /** how many of `parts` belong to the steps before */
  earlierParts: number
  /** failing users of this step since its gate was started */
  gate: { parts: CountPart[]; canary: number; units: number }
  units: { canary: number; control: number }
  latency: LatencyState
  srm: { canary: number; control: number; controlSinceCanary: number }
  windows: number
  /** windows that were not counted, by reason */
  refused: Record<string, number>
  /** when the step's evidence begins, and up to where it was read */
  fromMs: number
  toMs: number
  /** end of the last window that was counted */
  goodToMs: number
  /** first moment the evidence crossed 1/α, and by which metric; it stays crossed */
  crossed: { atMs: number; metric: string; logE: number } | null
  srmCrossedAtMs: number | null
}

export interface Earlier {
  parts: readonly CountPart[]
  latencyLogE: number
}

/** A judge that has seen nothing of this step. `fromMs`: when the share took effect. */
export function startJudge(policy: JudgePolicy, fromMs: number, earlier: Earlier = { parts: [], latencyLogE: 0 }): JudgeState {
  return {
    policy,
    parts: [...earlier.parts, { share: policy.share, canary: 0, control: 0, isRestart: earlier.parts.length > 0 }],
    earlierParts: earlier.parts.length,
    gate: { parts: [], canary: 0, units: 0 },
    units: { canary: 0, control: 0 },
    latency: startLatency(earlier.latencyLogE),
    srm: { canary: 0, control: 0, controlSinceCanary: 0 },
    windows: 0,
    refused: {},
    fromMs,
    toMs: fromMs,
    goodToMs: fromMs,
    crossed: null,
    srmCrossedAtMs: null,
  }
}

/** Why a window cannot be trusted, or null. */
function refusalOf(state: JudgeState, window: Window): string | null {
  const counts = [window.canary.units, window.canary.failing, window.control.units, window.control.failing]
  if (counts.some((n) => !Number.isFinite(n))) return 'not-a-number'
  if (counts.some((n) => n < 0)) return 'negative'
  if (window.canary.failing > window.canary.units || window.control.failing > window.control.units) return 'failing-over-units'
  if (window.fromMs < state.toMs) return 'time-runs-back'
  if (!(window.coverage >= COVERAGE_MIN)) return 'coverage'
  return null
}

/** The state after a window. Windows come in order of time; one that cannot be trusted is counted as refused only. */
export function observe(state: JudgeState, window: Window): JudgeState {
  const refusal = refusalOf(state, window)
  const endMs = window.fromMs + window.durationMs
  if (refusal !== null) {
    return { ...state, toMs: Math.max(state.toMs, endMs), refused: { ...state.refused, [refusal]: (state.refused[refusal] ?? 0) + 1 } }
  }
  const { canary, control } = window
  const next: JudgeState = {
    ...state,
    parts: withCounts(state, window),
    gate: {
      parts: withFailing(state.gate.parts, 0, state.policy, window),
      canary: state.gate.canary + canary.failing,
      units: state.gate.units + canary.units,
    },
    units: { canary: state.units.canary + canary.units, control: state.units.control + control.units },
    latency: observeLatency(state.latency, window, state.policy.latency),
    srm: {
      canary: state.srm.canary + canary.units,
      control: state.srm.control + control.units,
      controlSinceCanary: canary.units > 0 ? 0 : state.srm.controlSinceCanary + control.units,
    },
    windows: state.windows + 1,
    toMs: endMs,
    goodToMs: endMs,
  }
  const harm = harmOf(next)
  if (next.crossed === null && harm.total >= -Math.log(state.policy.alpha)) {
    next.crossed = { atMs: endMs, metric: harm.errors >= harm.latency ? 'errors' : 'latency', logE: harm.total }
  }
  if (next.srmCrossedAtMs === null && isSrmBroken(next)) next.srmCrossedAtMs = endMs
  return next
}

/** The parts with the window's failing users; a late start begins at each 30-minute mark of the step. */
function withCounts(state: JudgeState, window: Window): CountPart[] {
  const marks = Math.floor((window.fromMs - state.fromMs) / RESTART_EVERY_MS)
  const parts = state.parts.slice()
  const starts = parts.slice(state.earlierParts).filter(({ isRestart }, i) => i === 0 || isRestart === true).length
  for (let start = starts; start <= marks; start += 1) parts.push({ share: state.policy.share, canary: 0, control: 0, isRestart: true })
  return withFailing(
    parts,
    parts.findLastIndex(({ isRestart }, i) => i === state.earlierParts || isRestart === true),
    state.policy,
    window,
  )
}

/** The parts with the window's failing users in the one of its share, not before part `from`. */
function withFailing(parts: readonly CountPart[], from: number, policy: JudgePolicy, window: Window): CountPart[] {
  const share = policy.split === 'assigned' ? policy.share : observedShare(window)
  // Where one arm had no requests there is nothing to compare.
  if (share === null || window.canary.failing + window.control.failing === 0) return [...parts]
  const at = parts.findIndex((part, i) => i >= from && part.share === share)
  const { canary, control, ...rest } = parts[at] ?? { share, canary: 0, control: 0 }
  const part = { ...rest, canary: canary + window.canary.failing, control: control + window.control.failing }
  return at < 0 ? [...parts, part] : parts.with(at, part)
}

/** Steps of ln(odds) of an observed share: as few parts as fit, at an error far below every tolerance. */
const ODDS_STEP = 0.05

/** The canary's share of the window's requests, nearly; null: one arm had none. */
function observedShare({ canary, control }: Window): number | null {
  if (canary.units === 0 || control.units === 0) return null
  const odds = Math.exp(ODDS_STEP * Math.round(Math.log(canary.units / control.units) / ODDS_STEP))
  return odds / (1 + odds)
}

function isSrmBroken(state: JudgeState): boolean {
  if (state.policy.split === 'observed') return false
  if (expectedCanaryUnits(state.srm.controlSinceCanary, state.policy.share) >= SRM_SILENT_EXPECTED) return true
  return srmLogE(state.srm.canary, state.srm.control, state.policy.share) >= SRM_LOG_THRESHOLD
}

/** ln E of harm: each metric, and their mean, which holds under any dependence between them. */
export function harmOf(state: JudgeState): { errors: number; latency: number; total: number } {
  const errors = harmLogEWithRestarts(state.parts, state.policy.tolerance)
  const latency = latencyHarmLogE(state.latency)
  return {
    errors,
    latency,
    total: logWeighted([
      [0.5, errors],
      [0.5, latency],
    ]),
  }
}

/** ln E of latency harm of this step alone. */
export function latencyOwnLogE(state: JudgeState): number {
  return latencyHereLogE(state.latency)
}

/** The gate begins again, as after a hold; evidence of harm stays. */
export function restartGate(state: JudgeState): JudgeState {
  return {
    ...state,
    gate: { parts: [], canary: 0, units: 0 },
    latency: { ...state.latency, notSlower: [], floor: { units: 0, over: 0 } },
  }
}

export type VerdictKind = 'continue' | 'pass' | 'fail' | 'inconclusive' | 'blind'

/** A verdict with all its numbers; logs are milli-nats (1000·ln E), so that an entry holds integers. */
export interface JudgeVerdict {
  verdict: VerdictKind
  /** `errors`, `latency`, `srm`, `no-traffic`, `coverage`, `late`, `gate:errors`, `gate:latency`, `gates` */
  reason: string
  numbers: JudgeNumbers
}

export interface JudgeNumbers {
  sharePpm: number
  tolerancePpm: number
  unitsCanary: number
  unitsControl: number
  failingCanary: number
  failingControl: number
  harm: { errors: number; latency: number; total: number; line: number }
  gate: { errors: number; latency: number; isOpen: { errors: boolean; latency: boolean }; line: number; ratio: number; floorPpm: number }
  srm: { value: number; line: number }
  latencyMs: { quantile: number; canary: number | null; control: number | null }[]
  crossedAtMs: number | null
  crossedMetric: string | null
  windows: number
  refused: Record<string, number>
  dataToMs: number
}

const milli = (log: number): number => (Number.isFinite(log) ? Math.round(1000 * log) : -1_000_000_000)

/** All numbers of the state, for `deploy why`. */
export function numbersOf(state: JudgeState): JudgeNumbers {
  const { policy } = state
  const harm = harmOf(state)
  const gateLine = -Math.log(policy.beta)
  const here = state.parts.slice(state.earlierParts)
  return {
    sharePpm: Math.round(policy.share * 1e6),
    tolerancePpm: Math.round(policy.tolerance * 1e6),
    unitsCanary: state.units.canary,
    unitsControl: state.units.control,
    failingCanary: here.reduce((sum, part) => sum + part.canary, 0),
    failingControl: here.reduce((sum, part) => sum + part.control, 0),
    harm: { errors: milli(harm.errors), latency: milli(harm.latency), total: milli(harm.total), line: milli(-Math.log(policy.alpha)) },
    gate: {
      errors: milli(errorsGate(state)),
      latency: milli(latencyGateLogE(state.latency)),
      isOpen: { errors: errorsGate(state) >= gateLine, latency: latencyGateLogE(state.latency) >= gateLine },
      line: milli(gateLine),
      ratio: policy.gateRatio,
      floorPpm: Math.round(policy.floorRate * 1e6),
    },
    srm: { value: milli(srmLogE(state.srm.canary, state.srm.control, policy.share)), line: milli(SRM_LOG_THRESHOLD) },
    latencyMs: [0.5, 0.9, 0.99].map((quantile) => ({
      quantile,
      canary: latencyMs(state.latency.canary, quantile),
      control: latencyMs(state.latency.control, quantile),
    })),
    crossedAtMs: state.crossed?.atMs ?? state.srmCrossedAtMs,
    crossedMetric: state.crossed?.metric ?? (state.srmCrossedAtMs === null ? null : 'srm'),
    windows: state.windows,
    refused: state.refused,
    dataToMs: state.goodToMs,
  }
}

/** Either the ratio is shown to be below ρ, or the canary's own rate below the floor. */
function errorsGate(state: JudgeState): number {
  const { gate, policy } = state
  const byRatio = gateLogE(gate.parts, policy.gateRatio)
  return Math.max(byRatio, floorLogE(gate.units, gate.canary, policy.floorRate))
}

/** What the state says at log time `nowMs`. Never `pass` without data of both arms. */
export function verdict(state: JudgeState, nowMs: number): JudgeVerdict {
  const numbers = numbersOf(state)
  const say = (kind: VerdictKind, reason: string): JudgeVerdict => ({ verdict: kind, reason, numbers })
  if (state.crossed !== null) return say('fail', state.crossed.metric)
  if (state.srmCrossedAtMs !== null) return say('fail', 'srm')
  if (nowMs - state.goodToMs > LATE_MS) return say('blind', state.toMs > state.goodToMs ? 'coverage' : 'late')
  if (state.toMs > state.goodToMs) return say('blind', 'coverage')
  if (state.units.canary + state.units.control === 0) return say('inconclusive', 'no-traffic')
  if (state.units.canary === 0) return say('continue', 'gate:errors')
  // A gate that was reached and then fell back is not open: the moment of the verdict counts.
  if (!numbers.gate.isOpen.errors) return say('continue', 'gate:errors')
  if (!numbers.gate.isOpen.latency) return say('continue', 'gate:latency')
  return say('pass', 'gates')
}
