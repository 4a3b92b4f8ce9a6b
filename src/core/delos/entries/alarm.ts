import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import type { Notable } from '../../contracts/entry.ts'
import { ALARM_KINDS } from '../alarms/conditions.ts'

const which = { kind: z.enum(ALARM_KINDS), target: z.string().min(1) }

const notable = (kind: string, target: string, text: string): Notable => ({ system: 'delos', kind, target, service: null, text })

export const alarmRaised = defineEntry({
  type: 'delos.AlarmRaised',
  body: z.object({ ...which, text: z.string() }),
  notable: ({ target, text }) => notable('alarm', target, text),
  apply: (db, { kind, target, text }, meta) => {
    db.run('INSERT OR REPLACE INTO delos_alarm (kind, target, text, at) VALUES (?, ?, ?, ?)', kind, target, text, meta.at)
  },
})

export const alarmCleared = defineEntry({
  type: 'delos.AlarmCleared',
  body: z.object(which),
  notable: ({ kind, target }) => notable('alarm', target, `${kind} of ${target} is over`),
  apply: (db, { kind, target }) => {
    db.run('DELETE FROM delos_alarm WHERE kind = ? AND target = ?', kind, target)
  },
})

export const ALARM_ENTRIES = [alarmRaised, alarmCleared] as const
