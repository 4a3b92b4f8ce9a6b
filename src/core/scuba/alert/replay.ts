import { judge, type AlertMove, type AlertStateName, type EvaluatedGroup } from './judge.ts'
import type { CompiledRule } from './rule.ts'

const HOUR_MS = 3_600_000

export interface ReplayedAlert extends AlertMove {
  atMs: number
}

/** A rule judged round by round, as the server would have: for trying it on past rows, and for tests. */
export class AlertReplay {
  readonly moves: ReplayedAlert[] = []
  readonly #compiled: CompiledRule
  readonly #states = new Map<string, AlertStateName>()
  readonly #lastSeen = new Map<string, number>()
  #sinceMs: number | null = null

  constructor(compiled: CompiledRule) {
    this.#compiled = compiled
  }

  /** The server comes new: what the log has of the rule stays, what was only seen does not. */
  restart(nowMs: number): void {
    this.#lastSeen.clear()
    this.#sinceMs = nowMs
  }

  /** Judges the groups' buckets of the rule's whole look-back that end at `untilMs`. Rounds come in the order of time. */
  add(untilMs: number, groups: EvaluatedGroup[], failure: { text: string; count: number } | null = null): void {
    this.#sinceMs ??= untilMs
    for (const { group, buckets } of groups) if (buckets.length > 0) this.#lastSeen.set(group, untilMs)
    const counts = new Map<string, number>()
    for (let i = this.moves.length - 1; i >= 0; i -= 1) {
      const move = this.moves[i]
      if (move === undefined || move.atMs <= untilMs - HOUR_MS) break
      counts.set(move.group, (counts.get(move.group) ?? 0) + 1)
    }
    const names = new Set([...this.#states.keys(), ...counts.keys()])
    const states = [...names].map((group) => ({
      group,
      state: this.#states.get(group) ?? ('inactive' as const),
      movesInHour: counts.get(group) ?? 0,
    }))
    const moves = judge(this.#compiled, states, {
      version: 0,
      atMs: untilMs,
      untilMs,
      failure: failure?.text ?? null,
      failures: failure?.count ?? 0,
      groups,
      groupsCut: 0,
      lastSeen: this.#lastSeen,
      sinceMs: this.#sinceMs,
      isSettling: false,
    })
    for (const move of moves) {
      if (move.to === 'inactive') this.#states.delete(move.group)
      else this.#states.set(move.group, move.to)
      this.moves.push({ ...move, atMs: untilMs })
    }
  }
}
