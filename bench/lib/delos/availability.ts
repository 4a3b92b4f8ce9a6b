import type { Figure } from '../figure.ts'
import { figure } from './rounds.ts'

/** 0.0001 % of a year. */
const BUDGET_S = 31.5
/** A year with so many of both is taken for a bad one: the longest gaps that the targets allow fit into the budget then. */
const CRASHES_MIN = 105
const CHANGES_MIN = 1176

/** p99, ms, of the gaps that other parts of this run measured, by count of servers. */
export const measuredGaps = { crash: new Map<number, number>(), change: new Map<number, number>() }

/** How many leader crashes, or planned changes, of the length measured fit into a year at 99.9999 %. Arithmetic: nothing of it was observed. */
export function* availability(count: number): Generator<Figure> {
  const crashMs = measuredGaps.crash.get(count)
  const changeMs = measuredGaps.change.get(count)
  const of = `arithmetic, not observed: ${count} servers at 99.9999 % (${BUDGET_S} s a year) bear`
  if (crashMs !== undefined) {
    const fit = Math.floor((BUDGET_S * 1000) / crashMs)
    yield figure(`${of} leader crashes of ${Math.round(crashMs)} ms each`, fit, 'a year', '>=', CRASHES_MIN)
  }
  if (changeMs !== undefined) {
    const fit = Math.floor((BUDGET_S * 1000) / changeMs)
    yield figure(`${of} planned changes of ${changeMs.toPrecision(3)} ms each`, fit, 'a year', '>=', CHANGES_MIN)
  }
}
