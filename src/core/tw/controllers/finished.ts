import type { Controller } from '../../contracts/controller.ts'
import { jobPurged, purgeProblem } from '../entries/jobs.ts'
import type { TwSoft } from '../soft.ts'
import { earliest } from './wake.ts'

/** A stopped job, and a run that ended, can be looked at and brought back for this long. */
const STOPPED_KEPT_MS = 86_400_000
const PURGED_MAX = 100
/** What may not be purged yet is looked at again after this. */
const HELD_LOOK_MS = 3_600_000

/** Finished jobs go by age, not by surprise; what still has a process somewhere waits for its end. The log keeps all. */
export const finishedController: Controller<TwSoft> = {
  name: 'tw.finished',
  wakes: ['tw.JobStopped', 'tw.RunFinished', 'tw.JobPurged'],
  decide: (db, now) => {
    const old = db.all<{ name: string }>(
      "SELECT name FROM tw_job WHERE state = 'stopped' AND changed_at <= ? ORDER BY changed_at, name",
      now - STOPPED_KEPT_MS,
    )
    const ready: string[] = []
    // Those that a silent node holds back may be many, and hold no others back.
    for (const { name } of old) if (ready.length < PURGED_MAX && purgeProblem(db, name) === null) ready.push(name)
    const next = db.get<{ at: number | null }>(
      "SELECT min(changed_at) AS at FROM tw_job WHERE state = 'stopped' AND changed_at > ?",
      now - STOPPED_KEPT_MS,
    )?.at
    return {
      entries: ready.map((job) => jobPurged.of({ job, reason: 'stopped for a day' })),
      wakeAt: earliest([next == null ? null : next + STOPPED_KEPT_MS, old.length > ready.length ? now + HELD_LOOK_MS : null]),
    }
  },
}
