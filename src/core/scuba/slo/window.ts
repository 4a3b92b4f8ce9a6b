import { civilOf, daysOf } from '../../kernel/civil.ts'
import { instantOf, wallOf, type ZoneTable } from '../../kernel/zone.ts'
import type { Window } from './objective.ts'

const DAY_MS = 86_400_000

/** When the window that `atMs` lies in began, ms; and how long it is as a whole. @param zone of a calendar window */
export function windowAt(window: Window, atMs: number, zone: ZoneTable): { fromMs: number; lengthMs: number } {
  if (window.kind === 'rolling') return { fromMs: atMs - window.ms, lengthMs: window.ms }
  const { year, month } = civilOf(Math.floor(wallOf(zone, atMs) / DAY_MS))
  const fromMs = instantOf(zone, daysOf({ year, month, day: 1 }) * DAY_MS)
  const next = month === 12 ? { year: year + 1, month: 1, day: 1 } : { year, month: month + 1, day: 1 }
  return { fromMs, lengthMs: instantOf(zone, daysOf(next) * DAY_MS) - fromMs }
}
