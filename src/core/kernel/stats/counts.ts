import { assert } from '../assert.ts'
import { logMeanExp, logSpaced, logSumExp, logWeighted } from './log-math.ts'

/**
 * E-processes for counts of failing units in two arms. An e-value is evidence against "nothing is wrong":
 * 1 at the start, its expectation never above 1 while nothing is wrong, so it may be looked at any time; at or above
 * 1/α the claim is refused with a false alarm rate of at most α (Ville). Conditions on the total of both arms, so load
 * and spikes that both arms share cancel.
 */

/** Failing units of one stretch of time in which the canary's share did not change. */
export interface CountPart {
  /** share of the units that goes to the canary, 0 < share < 1 */
  share: number
  /** failing units of the canary and of everything else; integers ≥ 0 */
  canary: number
  control: number
  /** a late start begins with this part */
  isRestart?: boolean
}

/** One alternative: what a failing unit of either arm adds to the log of its likelihood ratio. */
interface Weights {
  canary: number
  control: number
}

const RATIOS = 64
const HARM_RATIOS = logSpaced(1.05, 100, RATIOS)
/** Late starts (mixture of restarts): the share of the prior they hold together, and how many there may be. */
export const RESTARTS_MAX = 7
const RESTART_PRIOR = 0.2

/** Where a failing unit falls when the canary fails `ratio` times as often: probability of the canary. */
function canaryOdds(share: number, ratio: number): number {
  return (share * ratio) / (share * ratio + 1 - share)
}

function weightsOf(share: number, ratios: readonly number[], nullRatio: number): Weights[] {
  const theta0 = canaryOdds(share, nullRatio)
  return ratios.map((ratio) => {
    const theta = canaryOdds(share, ratio)
    return { canary: Math.log(theta / theta0), control: Math.log((1 - theta) / (1 - theta0)) }
  })
}

/** Weights depend on share and tolerance alone, of which a process sees few: a small memo, bounded. */
const memo = new Map<string, Weights[]>()
const MEMO_MAX = 256

function memoWeights(key: string, make: () => Weights[]): Weights[] {
  const known = memo.get(key)
  if (known) return known
  if (memo.size >= MEMO_MAX) memo.clear()
  const made = make()
  memo.set(key, made)
  return made
}

function harmWeights(share: number, tolerance: number): Weights[] {
  return memoWeights(`h${share}/${tolerance}`, () =>
    weightsOf(
      share,
      HARM_RATIOS.map((ratio) => ratio * (1 + tolerance)),
      1 + tolerance,
    ),
  )
}

function gateWeights(share: number, ratio: number): Weights[] {
  return memoWeights(`g${share}/${ratio}`, () => weightsOf(share, logSpaced(0.5, ratio / 1.05, RATIOS), ratio))
}

function addTo(logs: number[], part: CountPart, weights: readonly Weights[]): number[] {
  assert(part.share > 0 && part.share < 1, 'a share lies between 0 and 1')
  return weights.map((w, i) => (logs[i] ?? 0) + part.canary * w.canary + part.control * w.control)
}

/**
 * ln E against "the canary fails at most (1 + tolerance) times as often as the control": the mean over 64 ratios,
 * log-uniform in [1.05, 100]·(1 + tolerance), of the likelihood ratio of the parts.
 */
export function harmLogE(parts: readonly CountPart[], tolerance: number): number {
  let logs: number[] = []
  for (const part of parts) logs = addTo(logs, part, harmWeights(part.share, tolerance))
  return logs.length === 0 ? 0 : logMeanExp(logs)
}

/**
 * The same with late starts: 0.8·E₀ + 0.2/7·ΣEⱼ, where Eⱼ sees only the parts from the j-th restart on. A restart that has
 * not begun counts 1. Without it an hour of good data would hide a later fault. Restarts after the seventh are ignored.
 */
export function harmLogEWithRestarts(parts: readonly CountPart[], tolerance: number): number {
  const first = parts.filter((part) => part.isRestart).slice(0, RESTARTS_MAX)
  const restarts: number[] = []
  let logs: number[] = []
  for (const part of parts.toReversed()) {
    logs = addTo(logs, part, harmWeights(part.share, tolerance))
    if (part.isRestart && first.includes(part)) restarts.push(logMeanExp(logs))
  }
  const whole = logs.length === 0 ? 0 : logMeanExp(logs)
  while (restarts.length < RESTARTS_MAX) restarts.push(0)
  return logWeighted([[1 - RESTART_PRIOR, whole], ...restarts.map((log) => [RESTART_PRIOR / RESTARTS_MAX, log] as const)])
}

/**
 * The reverse e-process, for promotion: ln E against "the canary fails at least `ratio` times as often". 64 alternatives
 * from 0.5 to ratio/1.05. At 1/β = 20 the step may pass.
 */
export function gateLogE(parts: readonly CountPart[], ratio: number): number {
  let logs: number[] = []
  for (const part of parts) logs = addTo(logs, part, gateWeights(part.share, ratio))
  return logs.length === 0 ? 0 : logMeanExp(logs)
}

/** Alternatives of {@link floorLogE} as parts of the floor rate, with their prior: nearly all on "never fails". */
const FLOOR_PRIOR: readonly (readonly [rateOfFloor: number, prior: number])[] = [
  [0, 0.998],
  [0.1, 0.001],
  [0.3, 0.001],
]

/**
 * ln E against "a unit fails with probability ≥ floorRate": for metrics that hardly ever fail, where ratios say
 * nothing. 3,000 units without a failure show less than 1e-3 at 1/β = 20.
 */
export function floorLogE(units: number, failing: number, floorRate: number): number {
  return logSumExp(
    FLOOR_PRIOR.map(([part, prior]) => {
      const rate = part * floorRate
      if (rate === 0 && failing > 0) return -Infinity
      const perFailure = failing === 0 ? 0 : failing * Math.log(part)
      return Math.log(prior) + perFailure + (units - failing) * Math.log((1 - rate) / (1 - floorRate))
    }),
  )
}
