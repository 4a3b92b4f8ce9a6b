import { nextCron, parseCron } from '../../kernel/cron.ts'
import type { ZoneTable } from '../../kernel/zone.ts'
import type { PeriodicSpec } from '../job-spec.ts'

/** Due times shown ahead. */
const AHEAD = 5
/** Missed due times counted one by one after a long downtime. */
const MISSED_MAX = 10_000

/** The next due times after an instant, at most five; of several lines each counts, a common minute once. */
export function dueTimes(periodic: PeriodicSpec, zone: ZoneTable, afterMs: number): number[] {
  const times: number[] = []
  for (let at = nextDue(periodic, zone, afterMs); at !== null && times.length < AHEAD; at = nextDue(periodic, zone, at)) times.push(at)
  return times
}

/** The latest due time in `afterMs < t ≤ untilMs`, and how many others lie there; null: none. */
export function lastDue(periodic: PeriodicSpec, zone: ZoneTable, afterMs: number, untilMs: number): { at: number; missed: number } | null {
  let last: { at: number; missed: number } | null = null
  for (let n = 0, at = nextDue(periodic, zone, afterMs); at !== null && at <= untilMs && n < MISSED_MAX; n += 1) {
    last = { at, missed: n }
    at = nextDue(periodic, zone, at)
  }
  return last
}

function nextDue(periodic: PeriodicSpec, zone: ZoneTable, afterMs: number): number | null {
  let next: number | null = null
  for (const line of periodic.cron) {
    const cron = parseCron(line)
    const at = typeof cron === 'string' ? null : nextCron(cron, zone, afterMs)
    if (at !== null && (next === null || at < next)) next = at
  }
  return next
}
