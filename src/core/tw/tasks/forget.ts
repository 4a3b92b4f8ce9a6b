import type { Db } from '../../contracts/storage.ts'
import { taskRow } from './read.ts'
import { FIRST_FINAL } from './tables.ts'
import { moveTally } from './tally.ts'

/** What is kept beside the row of a task, by its id. */
const ASIDE = ['tw_said', 'tw_stop', 'tw_why', 'tw_task_event'] as const

/** Forgets an ended and reaped task and its events; false when it is neither. */
export function dropTask(db: Db, id: number): boolean {
  const task = taskRow(db, id)
  const slice = db.get<{ slice: number }>('SELECT slice FROM tw_placed WHERE id = ?', id)?.slice
  if (!task || slice === undefined || db.run(`DELETE FROM tw_placed WHERE id = ? AND state >= ${FIRST_FINAL} AND is_reaped = 1`, id) === 0)
    return false
  moveTally(db, task, null)
  for (const table of ASIDE) db.run(`DELETE FROM ${table} WHERE task = ?`, id)
  db.run(
    `DELETE FROM tw_slice WHERE id = ? AND NOT EXISTS (SELECT 1 FROM tw_placed p WHERE p.id BETWEEN tw_slice.id AND tw_slice.last)`,
    slice,
  )
  return true
}

/** Forgets all tasks of a job. The caller has seen that every one is reaped, so none reserves anything. */
export function dropTasksOf(db: Db, job: string): void {
  const ids = 'SELECT p.id FROM tw_slice s JOIN tw_placed p ON p.slice = s.id AND p.id BETWEEN s.id AND s.last WHERE s.job = ?'
  for (const table of ASIDE) db.run(`DELETE FROM ${table} WHERE task IN (${ids})`, job)
  db.run(`DELETE FROM tw_placed WHERE id IN (${ids})`, job)
  for (const table of ['tw_slice', 'tw_tally']) db.run(`DELETE FROM ${table} WHERE job = ?`, job)
}
