import type { Controller } from '../contracts/controller.ts'
import type { Proposal } from '../contracts/entry.ts'
import type { ReadDb } from '../contracts/storage.ts'
import { judge, serviceOf, type AlertStateName, type Evaluation } from './alert/judge.ts'
import { compileRule } from './alert/rule.ts'
import type { LateVerdict } from './alert/late.ts'
import { AlertLateVerdict, AlertMoved } from './machine.ts'
import { alertLate, alertMoveCounts, alerts, isAlertActive, type StoredAlert } from './queries.ts'

/** Newest evaluation per rule name. */
export interface AlertSoft {
  evaluations: ReadonlyMap<string, Evaluation>
  /** what late rows would have changed of a rule; null: nothing */
  late?: (rule: string) => { version: number; verdicts: readonly LateVerdict[] } | null
}

export const ALERTS = 'scuba.alerts'

/** Evaluations older than this many of the rule's own rounds say nothing about now. */
const STALE_ROUNDS = 3
const HOUR_MS = 3_600_000

/** Turns evaluations into moves. An evaluation that was judged before changes nothing: its moves are in the state. */
export const alertController: Controller<AlertSoft> = {
  name: ALERTS,
  wakes: ['scuba.Alert'],
  decide: (db, now, soft) => {
    const entries: Proposal[] = []
    for (const stored of alerts(db)) {
      entries.push(...lateNotes(db, stored, soft))
      const evaluation = soft.evaluations.get(stored.rule.name)
      const compiled = compileRule(stored.rule)
      if (!evaluation || evaluation.version !== stored.version || !isAlertActive(stored, now)) continue
      if (now - evaluation.atMs > STALE_ROUNDS * compiled.everyMs + 10_000) continue
      const counts = alertMoveCounts(db, stored.rule.name, now - HOUR_MS)
      const rows = new Map([...counts.keys()].map((group) => [group, 'inactive' as AlertStateName]))
      for (const { group, state } of stored.states) rows.set(group, state)
      const states = [...rows].map(([group, state]) => ({ group, state, movesInHour: counts.get(group) ?? 0 }))
      for (const move of judge(compiled, states, evaluation)) {
        const title = `${stored.rule.summary ?? stored.rule.name}${move.group === '' ? '' : ` (${move.group})`}`
        entries.push(AlertMoved.of({ rule: stored.rule.name, title: title.slice(0, 200), ...move }))
      }
    }
    return { entries, wakeAt: null }
  },
}

/** Each once: what was noted is in the state. */
function lateNotes(db: ReadDb, { rule, version }: StoredAlert, { late }: AlertSoft): Proposal[] {
  const found = late?.(rule.name)
  if (!found || found.version !== version || found.verdicts.length === 0) return []
  const known = alertLate(db, rule.name, 1000)
  return found.verdicts
    .filter((verdict) =>
      known.every(
        ({ group, fromMs, toMs, would }) =>
          group !== verdict.group || fromMs !== verdict.fromMs || toMs !== verdict.toMs || would !== verdict.would,
      ),
    )
    .map((verdict) => AlertLateVerdict.of({ rule: rule.name, service: rule.service ?? serviceOf(verdict.group), ...verdict }))
}
