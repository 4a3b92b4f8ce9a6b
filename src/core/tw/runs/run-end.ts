import type { ReadDb } from '../../contracts/storage.ts'
import { armRows, groupRows, groupSpecOf, jobRow, specOf } from '../rows.ts'
import { backOff, failuresOf } from '../tasks/back-off.ts'
import { completedTasks, endedTasks } from '../tasks/read.ts'
import { tallyOf } from '../tasks/tally.ts'
import type { RunOutcome } from './rows.ts'

/** How a run ended; null while a task of it lives, waits for a place, or is to be tried again. */
export function runEnd(db: ReadDb, name: string, now: number): { outcome: RunOutcome; reason: string } | null {
  const job = jobRow(db, name)
  if (!job) return { outcome: 'stopped', reason: 'its job is gone' }
  const groups = groupRows(db, name)
  if (groups.some((group) => tallyOf(db, name, group.name).some((tally) => tally.active + tally.stopping > 0))) return null
  if (job.state === 'stopped') return { outcome: 'stopped', reason: '' }
  const spec = specOf(db, name, job.current_version)
  const failed: string[] = []
  for (const group of groups) {
    const groupSpec = groupSpecOf(spec, group.name)
    const wanted = armRows(db, name, group.name).reduce((sum, arm) => sum + arm.count, 0)
    if (!groupSpec) continue
    const complete = new Set(completedTasks(db, name, group.name).map((task) => task.idx))
    if (complete.size >= wanted) continue
    const ended = Map.groupBy(endedTasks(db, name, group.name, 0), (task) => task.idx)
    for (let index = 0; index < wanted; index += 1) {
      if (complete.has(index)) continue
      const failures = failuresOf(ended.get(index) ?? [], true, group.retried_at)
      if (backOff(failures, groupSpec, now) !== null) return null
      failed.push(`${group.name}[${index}]: ${failures.at(-1)?.reason ?? ''}`)
    }
  }
  return failed.length === 0 ? { outcome: 'complete', reason: '' } : { outcome: 'failed', reason: failed.slice(0, 5).join(', ') }
}
