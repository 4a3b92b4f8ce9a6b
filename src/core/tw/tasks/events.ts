import type { EntryMeta } from '../../contracts/entry.ts'
import type { Db, ReadDb } from '../../contracts/storage.ts'
import type { TaskRow } from '../rows.ts'

/** Events kept of a task; older ones are in the log. */
const EVENTS_MAX = 20

export interface TaskEvent {
  atMs: number
  position: number
  text: string
}

/** Adds to the task's own history, which `tw task show` and `tw explain` print. That it was placed is not told again: the row has it. */
export function addEvent(db: Db, task: number, meta: EntryMeta, text: string): void {
  const last = db.get<{ n: number | null }>('SELECT max(n) AS n FROM tw_task_event WHERE task = ?', task)?.n ?? 0
  db.run('INSERT INTO tw_task_event (task, n, at, position, text) VALUES (?, ?, ?, ?, ?)', task, last + 1, meta.at, meta.position, text)
  if (last >= EVENTS_MAX) db.run('DELETE FROM tw_task_event WHERE task = ? AND n <= ?', task, last + 1 - EVENTS_MAX)
}

/** The last events of a task, oldest first. */
export function taskEvents(db: ReadDb, task: TaskRow): TaskEvent[] {
  const placed = { atMs: task.placed_at, position: task.placed_position, text: `placed on ${task.node}: ${task.why}` }
  const told = db.all<TaskEvent>('SELECT at AS atMs, position, text FROM tw_task_event WHERE task = ? ORDER BY n', task.id)
  return [placed, ...told].slice(-EVENTS_MAX)
}
