import type { EntryMeta } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { nextOf } from '../entries/marks.ts'
import type { TaskRow, TaskStateHeld } from '../rows.ts'
import { addEvent } from './events.ts'
import { taskRow } from './read.ts'
import { moveTally, TALLIED } from './tally.ts'

/** The only writers of task rows and of what tasks reserve on their nodes. */

export interface NewTask {
  job: string
  group: string
  index: number
  version: number
  node: string
  cpuMilli: number
  memoryBytes: number
  staticPorts: readonly number[]
  /** why there, for `tw explain` */
  why: string
}

/** Puts a task on a node and reserves what it needs there; gives its id. The caller has checked that it fits. */
export function insertTask(db: Db, task: NewTask, meta: EntryMeta): number {
  const id = nextOf(db, 'task')
  db.run(
    `INSERT INTO tw_task (id, job, grp, idx, version, node, incarnation, state, want, health, ports, reason, restarts, placed_at,
       placed_position, is_terminal, is_reaped, cpu_milli, memory_bytes, static_ports, why)
     VALUES (?, ?, ?, ?, ?, ?, 1, 'placed', 'run', 'starting', '{}', '', 0, ?, ?, 0, 0, ?, ?, ?, ?)`,
    id,
    task.job,
    task.group,
    task.index,
    task.version,
    task.node,
    meta.at,
    meta.position,
    task.cpuMilli,
    task.memoryBytes,
    canonicalJson(task.staticPorts),
    task.why,
  )
  db.run(
    `INSERT INTO tw_node_use (node, cpu_milli, memory_bytes, tasks) VALUES (?, ?, ?, 1) ON CONFLICT (node) DO UPDATE SET
       cpu_milli = cpu_milli + excluded.cpu_milli, memory_bytes = memory_bytes + excluded.memory_bytes, tasks = tasks + 1`,
    task.node,
    task.cpuMilli,
    task.memoryBytes,
  )
  const { job, group: grp, version } = task
  moveTally(db, null, { job, grp, version, state: 'placed', want: 'run', health: 'starting', is_terminal: 0, restarts: 0 })
  addEvent(db, id, meta, `placed on ${task.node}: ${task.why}`)
  return id
}

/** What may change of a task in its place. Ends go through {@link endTask} and {@link reapTask}: they free what it held. */
export type TaskChange = Partial<
  Omit<TaskRow, 'id' | 'job' | 'grp' | 'idx' | 'node' | 'cpu_milli' | 'memory_bytes' | 'static_ports' | 'is_terminal' | 'is_reaped'>
>

/** Sets columns of a task. Keys are columns of `tw_task`, never text from outside. */
export function changeTask(db: Db, id: number, change: TaskChange): void {
  const columns = Object.keys(change) as (keyof TaskChange)[]
  if (columns.length === 0) return
  const before = columns.some((column) => TALLIED.has(column)) ? taskRow(db, id) : undefined
  const values = columns.map((column) => change[column] ?? null)
  db.run(`UPDATE tw_task SET ${columns.map((column) => `${column} = ?`).join(', ')} WHERE id = ?`, ...values, id)
  if (before) moveTally(db, before, { ...before, ...change })
}

/** Brings a task into a final state and gives back what it reserved on its node. */
export function endTask(
  db: Db,
  task: TaskRow,
  state: Extract<TaskStateHeld, 'stopped' | 'complete' | 'failed' | 'lost'>,
  reason: string,
  meta: EntryMeta,
): void {
  const before = taskRow(db, task.id) ?? task
  moveTally(db, before, { ...before, state, is_terminal: 1 })
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

/** The agent's last word about an ended task: its process is gone, the node need not be told of it any more. */
export function reapTask(db: Db, id: number, reported: TaskRow['reported']): void {
  db.run('UPDATE tw_task SET is_reaped = 1, reported = ? WHERE id = ?', reported, id)
}

/** Forgets an ended and reaped task and its events; false when it is neither. */
export function dropTask(db: Db, id: number): boolean {
  const task = taskRow(db, id)
  if (!task || db.run('DELETE FROM tw_task WHERE id = ? AND is_terminal = 1 AND is_reaped = 1', id) === 0) return false
  moveTally(db, task, null)
  db.run('DELETE FROM tw_task_event WHERE task = ?', id)
  return true
}

/** A node without tasks, from the time it joins. */
export function openNodeUse(db: Db, node: string): void {
  db.run('INSERT OR IGNORE INTO tw_node_use (node, cpu_milli, memory_bytes, tasks) VALUES (?, 0, 0, 0)', node)
}
