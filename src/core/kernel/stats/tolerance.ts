/**
 * How much a good canary may differ because tasks differ: learned from the spread between the control's
 * own tasks. One task cannot tell a bad change from a bad machine.
 */

/** τ taken when fewer control tasks than this, or no history, can be asked. */
export const TASKS_MIN = 8
export const SPREAD_UNKNOWN = 0.2
/** Standard errors of the canary's mean that are tolerated. */
const SPREADS = 2.6
/** Quantile of the standard normal at 1 − 1 %. */
const Z_99 = 2.326_347_874

/** Upper 1 % point of χ² with `freedom` degrees of freedom (Wilson and Hilferty 1931; within 1 % from 3 on). */
export function chiSquare99(freedom: number): number {
  const part = 2 / (9 * freedom)
  return freedom * (1 - part + Z_99 * Math.sqrt(part)) ** 3
}

/**
 * τ, the spread between tasks beyond chance, from failing units per control task over at least 10 minutes:
 * τ² = max(0, (S² − m)/m²), and 0 unless the dispersion test (χ², P − 1) rejects at 1 %.
 */
export function taskSpread(failingPerTask: readonly number[]): number {
  const tasks = failingPerTask.length
  if (tasks < TASKS_MIN) return SPREAD_UNKNOWN
  const mean = failingPerTask.reduce((sum, x) => sum + x, 0) / tasks
  if (mean === 0) return 0
  const variance = failingPerTask.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (tasks - 1)
  const dispersion = ((tasks - 1) * variance) / mean
  if (dispersion <= chiSquare99(tasks - 1)) return 0
  return Math.sqrt(Math.max(0, (variance - mean) / mean ** 2))
}

/** d of {@link harmLogE}: exp(2.6·τ/√k) − 1 for k canary tasks. */
export function toleranceOf(spread: number, canaryTasks: number): number {
  return Math.exp((SPREADS * spread) / Math.sqrt(Math.max(1, canaryTasks))) - 1
}
