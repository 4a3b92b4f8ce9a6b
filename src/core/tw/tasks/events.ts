import type { EntryMeta } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'

/** Events kept of a task; older ones are in the log. */
const EVENTS_MAX = 20

/** Adds to the task's own history, which `tw task show` and `tw explain` print. */
export function addEvent(db: Db, task: number, meta: EntryMeta, text: string): void {
  const last = db.get<{ n: number | null }>('SELECT max(n) AS n FROM tw_task_event WHERE task = ?', task)?.n ?? 0
  db.run('INSERT INTO tw_task_event (task, n, at, position, text) VALUES (?, ?, ?, ?, ?)', task, last + 1, meta.at, meta.position, text)
  db.run('DELETE FROM tw_task_event WHERE task = ? AND n <= ?', task, last + 1 - EVENTS_MAX)
}
