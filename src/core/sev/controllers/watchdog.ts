import type { Controller } from '../../contracts/controller.ts'
import type { SignalRow } from '../schema.ts'
import { raise, resolve } from './detector.ts'

/** What watches for us, and how long it has not been heard of, in ms of a clock that only goes forward. */
export interface WatchdogSoft {
  scubaSilentMs: number
}

export const WATCHDOG = 'sev.watchdog'

/** Scuba says every 30 s that it looked at its rules; three times missed is a page. */
const SILENT_MS_MAX = 90_000
const LOOK_MS = 5000

const signal = (now: number, action: 'raise' | 'resolve', silentMs: number): SignalRow => ({
  // No entry has this position: what is consumed with it is nothing.
  position: 0,
  at: now,
  action,
  source: 'scuba',
  dedup_key: 'scuba/heartbeat',
  group_key: 'scuba/heartbeat',
  service: null,
  level: 2,
  title: 'alert rules and objectives are not looked at',
  summary:
    action === 'raise'
      ? `scuba has not answered for its alert rules and objectives for ${Math.round(silentMs / 1000)} s: nothing pages by them`
      : 'scuba looks at its alert rules and objectives again',
  evidence: '{}',
})

/** Pages when scuba's heartbeat stops: whoever would page is then the one that is silent. */
export const watchdog: Controller<WatchdogSoft | undefined> = {
  name: WATCHDOG,
  wakes: [],
  decide: (db, now, soft) => {
    if (soft === undefined) return { entries: [], wakeAt: null }
    const isTold =
      db.get(`SELECT 1 AS one FROM sev_alert WHERE source = 'scuba' AND dedup_key = 'scuba/heartbeat' AND state = 'firing' LIMIT 1`) !==
      undefined
    const isSilent = soft.scubaSilentMs > SILENT_MS_MAX
    const entries =
      isSilent === isTold
        ? []
        : isSilent
          ? raise(db, signal(now, 'raise', soft.scubaSilentMs))
          : resolve(db, signal(now, 'resolve', soft.scubaSilentMs))
    return { entries, wakeAt: now + LOOK_MS }
  },
}
