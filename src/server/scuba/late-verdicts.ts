import { lateVerdicts, judgedRound, LATE_VERDICTS_MAX, type JudgedRound, type LateVerdict } from '../../core/scuba/alert/late.ts'
import type { AlertStateName, EvaluatedGroup } from '../../core/scuba/alert/judge.ts'
import type { CompiledRule } from '../../core/scuba/alert/rule.ts'
import { askRule } from './alert-query.ts'
import type { ScubaClient } from './client.ts'

/** Rows that are later than this change no verdict any more. */
const LATE_MS_MAX = 3_600_000
/** Buckets of one question. */
const STEPS_MAX = 4000
const LOOK_MS_MIN = 10_000
const LOOK_MS_MAX = 60_000

interface Judged {
  /** of the rule */
  version: number
  rounds: JudgedRound[]
  /** by {@link performance.now} */
  lookedAtMs: number
  verdicts: LateVerdict[]
}

/**
 * Remembers what was said of rules within the last hour, and looks whether rows that came since say otherwise. What was said before the
 * server came is not known to it.
 */
export class LateVerdicts {
  readonly #judged = new Map<string, Judged>()

  /** A rule was judged on all rows there were. */
  record(
    compiled: CompiledRule,
    version: number,
    groups: readonly EvaluatedGroup[],
    states: readonly { group: string; state: AlertStateName }[],
    untilMs: number,
  ): void {
    const { name } = compiled.rule
    let judged = this.#judged.get(name)
    if (judged?.version !== version) this.#judged.set(name, (judged = { version, rounds: [], lookedAtMs: performance.now(), verdicts: [] }))
    const newest = judged.rounds.at(-1)
    if (newest === undefined || newest.untilMs < untilMs) judged.rounds.push(judgedRound(compiled, groups, states, untilMs))
  }

  isDue({ rule: { name }, everyMs }: CompiledRule): boolean {
    const judged = this.#judged.get(name)
    return judged !== undefined && performance.now() - judged.lookedAtMs >= Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, 6 * everyMs))
  }

  /** Looks at the rounds of the last hour again. Says whether there is something new in {@link of}. A question that fails is asked again later. */
  async look(client: Pick<ScubaClient, 'panel' | 'query'>, compiled: CompiledRule, nowMs: number): Promise<boolean> {
    const judged = this.#judged.get(compiled.rule.name)
    if (!judged) return false
    judged.lookedAtMs = performance.now()
    const { everyMs, forMs } = compiled
    const windowMs = Math.max(forMs, everyMs)
    const oldestMs = nowMs - Math.min(LATE_MS_MAX, STEPS_MAX * everyMs - windowMs)
    // What a clock that went back left ahead of it is not remembered either.
    judged.rounds = judged.rounds.filter(({ untilMs }) => untilMs >= oldestMs && untilMs <= nowMs)
    const [first] = judged.rounds
    const last = judged.rounds.at(-1)
    if (!first || !last) return false
    const { groups, coverage } = await askRule(client, compiled, first.untilMs - windowMs, last.untilMs, { user: 'alerts' })
    if (coverage < 1) return false
    const rounds = judged.rounds.filter(({ untilMs }) => untilMs <= last.untilMs)
    const verdicts = lateVerdicts(compiled, rounds, groups).slice(0, LATE_VERDICTS_MAX)
    if (verdicts.length === 0) return false
    judged.verdicts = [...judged.verdicts, ...verdicts].slice(-LATE_VERDICTS_MAX)
    // Told once: from now on they count as what was said.
    judged.rounds = judged.rounds.map((round) => (round.untilMs <= last.untilMs ? corrected(round, verdicts) : round))
    return true
  }

  /** What late rows said of a rule, newest last; null: nothing of this version of it. */
  of(name: string): { version: number; verdicts: readonly LateVerdict[] } | null {
    return this.#judged.get(name) ?? null
  }

  /** Forgets rules that are no longer there. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#judged.keys()) if (!names.has(name)) this.#judged.delete(name)
  }
}

function corrected(round: JudgedRound, verdicts: readonly LateVerdict[]): JudgedRound {
  const its = verdicts.filter(({ fromMs, toMs }) => round.untilMs >= fromMs && round.untilMs <= toMs)
  if (its.length === 0) return round
  const breached = new Set(round.breached)
  for (const { group, would } of its) {
    if (would === 'fire') breached.add(group)
    else breached.delete(group)
  }
  return { ...round, breached }
}
