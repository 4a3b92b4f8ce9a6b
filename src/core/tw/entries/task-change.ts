import type { EntryMeta } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import type { TaskRow } from '../rows.ts'

/** Events kept of a task; older ones are in the log. */
const EVENTS_MAX = 20

export function addEvent(db: Db, task: number, meta: EntryMeta, text: string): void {
  const last = db.get<{ n: number | null }>('SELECT max(n) AS n FROM tw_task_event WHERE task = ?', task)?.n ?? 0
  db.run('INSERT INTO tw_task_event (task, n, at, position, text) VALUES (?, ?, ?, ?, ?)', task, last + 1, meta.at, meta.position, text)
  db.run('DELETE FROM tw_task_event WHERE task = ? AND n <= ?', task, last + 1 - EVENTS_MAX)
}

/** Brings a task into a final state and gives back what it reserved on its node. */
export function endTask(db: Db, task: TaskRow, state: 'stopped' | 'complete' | 'failed' | 'lost', reason: string, meta: EntryMeta): void {
  db.run(
    'UPDATE tw_task SET state = ?, is_terminal = 1, healthy_since = NULL, reason = ?, ended_at = ? WHERE id = ?',
    state,
    reason,
    meta.at,
    task.id,
  )
  db.run(
    'UPDATE tw_node_use SET cpu_milli = cpu_milli - ?, memory_bytes = memory_bytes - ?, tasks = tasks - 1 WHERE node = ?',
    task.cpu_milli,
    task.memory_bytes,
    task.node,
  )
  addEvent(db, task.id, meta, reason === '' ? state : `${state}: ${reason}`)
}
