import type { Controller } from '../../contracts/controller.ts'
import { alarmCleared, alarmRaised } from '../entries/alarm.ts'
import { HOLD_MS, type AlarmKind, type Condition } from './conditions.ts'

export const ALARMS = 'delos.alarms'

/** What the server sees now; null: it has not looked since it started, so nothing is over. */
export interface AlarmSoft {
  conditions: readonly Condition[] | null
}

interface AlarmRow {
  kind: AlarmKind
  target: string
}

/** Tells of what lasts, once, and that it is over. */
export const alarmController: Controller<AlarmSoft | undefined> = {
  name: ALARMS,
  wakes: ['delos.Alarm'],
  decide: (db, now, soft) => {
    const conditions = soft?.conditions ?? null
    if (conditions === null) return { entries: [], wakeAt: null }
    const raised = db.all<AlarmRow>('SELECT kind, target FROM delos_alarm ORDER BY kind, target')
    const isSame = (a: AlarmRow, b: AlarmRow): boolean => a.kind === b.kind && a.target === b.target
    const open = conditions.filter((condition) => !raised.some((row) => isSame(row, condition)))
    const isDue = ({ kind, since }: Condition): boolean => since + HOLD_MS[kind] <= now
    const later = open.filter((condition) => !isDue(condition)).map(({ kind, since }) => since + HOLD_MS[kind])
    return {
      entries: [
        ...open.filter(isDue).map(({ kind, target, text }) => alarmRaised.of({ kind, target, text })),
        ...raised.filter((row) => !conditions.some((condition) => isSame(row, condition))).map((row) => alarmCleared.of(row)),
      ],
      wakeAt: later.length === 0 ? null : Math.min(...later),
    }
  },
}
