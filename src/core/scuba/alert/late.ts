import { isAlerting, isWindowBreached, type AlertStateName, type EvaluatedGroup } from './judge.ts'
import type { CompiledRule } from './rule.ts'

/** What was said of a rule at the end of one of its windows, while the rows of then were all there were. */
export interface JudgedRound {
  /** end of the window, ms */
  untilMs: number
  /** groups whose window breached */
  breached: ReadonlySet<string>
  /** groups of which somebody had been told already: for them a window changes nothing */
  alerting: ReadonlySet<string>
}

/** Rows that came late would have made it otherwise, for some rounds in a row. */
export interface LateVerdict {
  group: string
  /** ends of the first and the last window, ms */
  fromMs: number
  toMs: number
  would: 'fire' | 'not fire'
  /** of the last bucket with those rows */
  value: number | null
}

/** Of a rule, more at once are not worth a note each. */
export const LATE_VERDICTS_MAX = 20

export function judgedRound(
  compiled: CompiledRule,
  groups: readonly EvaluatedGroup[],
  states: readonly { group: string; state: AlertStateName }[],
  untilMs: number,
): JudgedRound {
  return {
    untilMs,
    breached: new Set(groups.filter(({ buckets }) => isWindowBreached(compiled, buckets, untilMs)).map(({ group }) => group)),
    alerting: new Set(states.filter(({ state }) => isAlerting(state)).map(({ group }) => group)),
  }
}

/**
 * Where the rows that are there now say otherwise than was said: a group that breached though nobody was told, or one that was told of
 * though it did not.
 * @param rounds oldest first
 * @param groups buckets of all their windows
 */
export function lateVerdicts(compiled: CompiledRule, rounds: readonly JudgedRound[], groups: readonly EvaluatedGroup[]): LateVerdict[] {
  const buckets = new Map(groups.map((group) => [group.group, group.buckets]))
  const names = new Set([...buckets.keys(), ...rounds.flatMap(({ breached }) => [...breached])])
  return [...names].flatMap((group) => {
    const its = buckets.get(group) ?? []
    const verdicts: LateVerdict[] = []
    let isOpen = false
    for (const { untilMs, breached, alerting } of rounds) {
      const isBreached = isWindowBreached(compiled, its, untilMs)
      const would = isBreached ? ('fire' as const) : ('not fire' as const)
      if (alerting.has(group) || isBreached === breached.has(group)) {
        isOpen = false
        continue
      }
      const value = its.findLast(({ startMs }) => startMs < untilMs)?.value ?? null
      const last = verdicts.at(-1)
      if (isOpen && last?.would === would) verdicts[verdicts.length - 1] = { ...last, toMs: untilMs, value }
      else verdicts.push({ group, fromMs: untilMs, toMs: untilMs, would, value })
      isOpen = true
    }
    return verdicts
  })
}
