import type { Check } from '../spec/checks.ts'

/** One look at a check. `value` null: there was no data. */
export interface Sample {
  atMs: number
  value: number | null
  /** requests the value rests on; null where that has no meaning */
  requests: number | null
}

export interface CheckState {
  /** `waiting`: not looked at yet */
  status: 'waiting' | 'ok' | 'breach' | 'blind'
  value: number | null
  atMs: number
  /** since when it holds without a break; null while it does not */
  okSinceMs: number | null
  /** bad samples in a row */
  bad: number
  lastDataMs: number
  /** lowest and highest value seen */
  lowest: number | null
  highest: number | null
  /** value of the baseline, for bounds taken from it */
  baseline: number | null
}

/** So many bad samples in a row are a breach: one alone may be a matter of a few requests. */
const BAD_MAX = 2
/** So long without data is blind, which counts as a breach: no data is never a pass. */
export const BLIND_MS = 3000

export function startCheck(nowMs: number): CheckState {
  return {
    status: 'waiting',
    value: null,
    atMs: nowMs,
    okSinceMs: null,
    bad: 0,
    lastDataMs: nowMs,
    lowest: null,
    highest: null,
    baseline: null,
  }
}

/** Takes a sample. Pure; `isBaseline` while no fault is armed: then the value becomes the baseline too. */
export function stepCheck(check: Check, state: CheckState, sample: Sample, isBaseline: boolean): CheckState {
  if (sample.value === null) {
    const isBlind = sample.atMs - state.lastDataMs >= BLIND_MS
    return { ...state, atMs: sample.atMs, ...(isBlind ? { status: 'blind' as const, okSinceMs: null } : {}) }
  }
  const baseline = isBaseline ? sample.value : state.baseline
  const isGood = isWithin(check, sample.value, baseline) || (sample.requests !== null && sample.requests < check.requestsMin)
  const bad = isGood ? 0 : state.bad + 1
  return {
    status: bad >= BAD_MAX ? 'breach' : isGood ? 'ok' : state.status === 'waiting' || state.status === 'blind' ? 'waiting' : state.status,
    value: sample.value,
    atMs: sample.atMs,
    okSinceMs: isGood ? (state.okSinceMs ?? sample.atMs) : null,
    bad,
    lastDataMs: sample.atMs,
    lowest: Math.min(state.lowest ?? sample.value, sample.value),
    highest: Math.max(state.highest ?? sample.value, sample.value),
    baseline,
  }
}

function isWithin(check: Check, value: number, baseline: number | null): boolean {
  if (check.min !== null && value < check.min) return false
  const max = check.fromBaseline && check.max !== null && baseline !== null ? Math.max(3 * baseline, baseline + check.max) : check.max
  return max === null || value <= max
}
