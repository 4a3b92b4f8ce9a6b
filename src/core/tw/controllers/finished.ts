import type { Controller } from '../../contracts/controller.ts'
import { jobPurged, purgeProblem } from '../entries/jobs.ts'
import type { TwSoft } from '../soft.ts'

/** A stopped job, and a run that ended, can be looked at and brought back for this long. */
const STOPPED_KEPT_MS = 86_400_000
const PURGED_MAX = 100

/** Finished jobs go by age, not by surprise; what still has a process somewhere waits for its end. The log keeps all. */
export const finishedController: Controller<TwSoft> = {
  name: 'tw.finished',
  wakes: ['tw.JobStopped', 'tw.RunFinished', 'tw.JobPurged'],
  decide: (db, now) => {
    const stopped = db.all<{ name: string; changed_at: number }>(
      "SELECT name, changed_at FROM tw_job WHERE state = 'stopped' ORDER BY changed_at, name LIMIT ?",
      PURGED_MAX,
    )
    const old = stopped.filter((job) => job.changed_at + STOPPED_KEPT_MS <= now)
    const ready = old.filter((job) => purgeProblem(db, job.name) === null)
    const next = stopped.find((job) => job.changed_at + STOPPED_KEPT_MS > now)
    const held = old.length > ready.length ? now + STOPPED_KEPT_MS / 24 : null
    return {
      entries: ready.map((job) => jobPurged.of({ job: job.name, reason: 'stopped for a day' })),
      wakeAt: next === undefined ? held : Math.min(held ?? Infinity, next.changed_at + STOPPED_KEPT_MS),
    }
  },
}
