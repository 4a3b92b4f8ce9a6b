import { UTC } from '../../kernel/cron.ts'
import type { TwSoft } from '../soft.ts'
import { parseRecurrence, windowAt, type Window } from './rrule.ts'

/** A rule for windows, as tables keep it. */
export interface WindowRule {
  /** recurrence rule */
  window: string
  window_ms: number
  zone: string
  /** log time from which the rule counts */
  since: number
}

/** The window that is open or comes next; a text: why nobody can tell. */
export function windowOf({ window, window_ms, zone: name, since }: WindowRule, soft: Pick<TwSoft, 'zoneOf'>, now: number): Window | string {
  const zone = soft.zoneOf?.(name) ?? (name === 'UTC' ? UTC : null)
  if (zone === null) return `a time zone ${name}, which nobody here knows`
  const rule = parseRecurrence(window)
  if (typeof rule === 'string') return rule
  return windowAt(rule, zone, since, window_ms, now) ?? 'a window: its rule has none within two years'
}
