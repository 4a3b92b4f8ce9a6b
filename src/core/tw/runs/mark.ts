import type { Db } from '../../contracts/storage.ts'
import { isRunName } from './run-spec.ts'

/** Something of a job changed that may be its end: if it is a run, the controller of runs looks at it. */
export function markRun(db: Db, job: string): void {
  if (isRunName(job)) db.run('UPDATE tw_run SET is_dirty = 1 WHERE name = ? AND finished_at IS NULL', job)
}
