import type { ReadDb } from '../../contracts/storage.ts'
import type { TaskRow } from '../rows.ts'

/** Readers of task rows. Who needs the tasks of a node asks here; rows of a group or by id may be read by SQL too. */

export function taskRow(db: ReadDb, id: number): TaskRow | undefined {
  return db.get<TaskRow>('SELECT * FROM tw_task WHERE id = ?', id)
}

/** Tasks of a group that are not in a final state, by index. */
export function liveTasks(db: ReadDb, job: string, group: string): TaskRow[] {
  return db.all<TaskRow>('SELECT * FROM tw_task WHERE job = ? AND grp = ? AND is_terminal = 0 ORDER BY idx, id', job, group)
}

/** Tasks of a group that came into a final state after `sinceMs` (log time), oldest placement first. */
export function endedTasks(db: ReadDb, job: string, group: string, sinceMs: number): TaskRow[] {
  return db.all<TaskRow>(
    'SELECT * FROM tw_task WHERE job = ? AND grp = ? AND is_terminal = 1 AND ended_at > ? ORDER BY id',
    job,
    group,
    sinceMs,
  )
}

/** Tasks of a group that ran to completion, whenever that was, oldest placement first. */
export function completedTasks(db: ReadDb, job: string, group: string): TaskRow[] {
  return db.all<TaskRow>(
    "SELECT * FROM tw_task WHERE job = ? AND grp = ? AND is_terminal = 1 AND state = 'complete' ORDER BY id",
    job,
    group,
  )
}

/** Tasks the agent of a node has to know of, by id: all but those whose process is reported gone. */
export function tasksOnNode(db: ReadDb, node: string): TaskRow[] {
  return db.all<TaskRow>('SELECT * FROM tw_task WHERE node = ? AND is_reaped = 0 ORDER BY id', node)
}

/** Tasks of a node that are not in a final state, by id. */
export function liveOnNode(db: ReadDb, node: string): TaskRow[] {
  return tasksOnNode(db, node).filter((task) => !task.is_terminal)
}

/** Ids of {@link tasksOnNode}. */
export function idsOnNode(db: ReadDb, node: string): number[] {
  return db.all<{ id: number }>('SELECT id FROM tw_task WHERE node = ? AND is_reaped = 0 ORDER BY id', node).map((row) => row.id)
}

/** Tasks that are to end and whose process may still run, by id. */
export function tasksToEnd(db: ReadDb): TaskRow[] {
  return db.all<TaskRow>("SELECT * FROM tw_task WHERE want = 'stop' AND is_reaped = 0 ORDER BY id")
}

/** Whether a live task of the group holds the index. */
export function isIndexTaken(db: ReadDb, job: string, group: string, index: number): boolean {
  return db.get('SELECT id FROM tw_task WHERE job = ? AND grp = ? AND idx = ? AND is_terminal = 0', job, group, index) !== undefined
}

/** Every static port that a live task holds: the node and the ports, as JSON list. */
export function staticPorts(db: ReadDb): Pick<TaskRow, 'node' | 'static_ports'>[] {
  return db.all<Pick<TaskRow, 'node' | 'static_ports'>>(
    "SELECT node, static_ports FROM tw_task WHERE is_terminal = 0 AND static_ports <> '[]'",
  )
}
