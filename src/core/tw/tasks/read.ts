import type { ReadDb } from '../../contracts/storage.ts'
import type { GroupTask, TaskRow } from '../rows.ts'
import { OVERDUE_CAUSE } from './back-off.ts'
import { idsIn, type NodeLoad } from './load.ts'
import { COMPLETE, FIRST_FINAL, GROUP_TASK_COLUMNS, GROUP_TASK_JOINS, LOST, TASK_COLUMNS, TASK_JOINS, UNKNOWN } from './tables.ts'

/** Readers of task rows. Who needs the tasks of a node asks here; rows of a group or by id may be read by SQL too. */

export function taskRow(db: ReadDb, id: number): TaskRow | undefined {
  return db.get<TaskRow>('SELECT * FROM tw_task WHERE id = ?', id)
}

/** Tasks of a group that are not in a final state, by index. */
export function liveTasks(db: ReadDb, job: string, group: string): TaskRow[] {
  return db.all<TaskRow>('SELECT * FROM tw_task WHERE job = ? AND grp = ? AND is_terminal = 0 ORDER BY idx, id', job, group)
}

/** The same tasks, of each what a decision looks at. */
export function liveGroupTasks(db: ReadDb, job: string, group: string): GroupTask[] {
  const tasks = db.all<GroupTask>(
    `SELECT ${GROUP_TASK_COLUMNS} FROM ${GROUP_TASK_JOINS} WHERE s.job = ? AND s.grp = ? AND p.state < ${FIRST_FINAL}`,
    job,
    group,
  )
  return tasks.sort((a, b) => a.idx - b.idx || a.id - b.id)
}

/** Final states by the index of final states: a group's ended tasks cost what they are, not what its live ones are. */
const FINAL = `SELECT ${TASK_COLUMNS} FROM ${TASK_JOINS} WHERE s.job = ? AND s.grp = ? AND p.state >= ${FIRST_FINAL}`

/** Tasks of a group that came into a final state after `sinceMs` (log time), oldest placement first. */
export function endedTasks(db: ReadDb, job: string, group: string, sinceMs: number): TaskRow[] {
  return db.all<TaskRow>(`${FINAL} AND a.ended_at > ? ORDER BY p.id`, job, group, sinceMs)
}

/** The same tasks, of each what a decision looks at. */
export function endedGroupTasks(db: ReadDb, job: string, group: string, sinceMs: number): GroupTask[] {
  return db.all<GroupTask>(
    `SELECT ${GROUP_TASK_COLUMNS} FROM ${GROUP_TASK_JOINS}
       WHERE s.job = ? AND s.grp = ? AND p.state >= ${FIRST_FINAL} AND a.ended_at > ? ORDER BY p.id`,
    job,
    group,
    sinceMs,
  )
}

/** Tasks of a group that ran to completion, whenever that was, oldest placement first. */
export function completedTasks(db: ReadDb, job: string, group: string): TaskRow[] {
  return db.all<TaskRow>(`${FINAL} AND p.state = ${COMPLETE} ORDER BY p.id`, job, group)
}

/** Tasks the agent of a node has to know of, by id: all but those whose process is reported gone. */
export function tasksOnNode(db: ReadDb, node: string): TaskRow[] {
  const ids = idsOnNode(db, node)
  if (ids.length === 0) return []
  return db.all<TaskRow>('SELECT * FROM tw_task WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id', JSON.stringify(ids))
}

/** Tasks of a node that are not in a final state, by id. */
export function liveOnNode(db: ReadDb, node: string): TaskRow[] {
  return tasksOnNode(db, node).filter((task) => !task.is_terminal)
}

/** Ids of {@link tasksOnNode}. */
export function idsOnNode(db: ReadDb, node: string): number[] {
  return idsOnNodes(db, [node])
}

/** The same of several nodes, ascending. */
export function idsOnNodes(db: ReadDb, nodes: readonly string[]): number[] {
  if (nodes.length === 0) return []
  const loads = db.all<Pick<NodeLoad, 'runs'>>(
    'SELECT runs FROM tw_node_load WHERE name IN (SELECT value FROM json_each(?))',
    JSON.stringify(nodes),
  )
  return loads.flatMap(({ runs }) => idsIn(runs)).sort((a, b) => a - b)
}

/** Tasks that are to end and whose process may still run, by id. */
export function tasksToEnd(db: ReadDb): TaskRow[] {
  return db.all<TaskRow>('SELECT * FROM tw_task WHERE id IN (SELECT id FROM tw_placed WHERE want = 1 AND is_reaped = 0) ORDER BY id')
}

/** Every static port that a live task holds, and the node of the task. */
export function portsHeld(db: ReadDb): { node: string; port: number }[] {
  return db.all<{ node: string; port: number }>(
    'SELECT l.name AS node, h.port FROM tw_port h JOIN tw_placed p ON p.id = h.task JOIN tw_node_load l ON l.id = p.node',
  )
}

/** Live tasks that have devices of their nodes. */
export function gpuTasks(db: ReadDb): Pick<TaskRow, 'job' | 'grp' | 'version' | 'node' | 'gpu_mask'>[] {
  return db.all<Pick<TaskRow, 'job' | 'grp' | 'version' | 'node' | 'gpu_mask'>>(
    `SELECT s.job, s.grp, p.version, l.name AS node, p.gpu_mask FROM tw_slice s JOIN tw_placed p ON p.slice = s.id AND p.id BETWEEN s.id AND s.last
       JOIN tw_node_load l ON l.id = p.node WHERE s.gpu_milli > 0 AND p.state < ${FIRST_FINAL}`,
  )
}

/** The groups of some tasks, each once. */
export function groupsOfTasks(db: ReadDb, ids: readonly number[]): { job: string; group: string }[] {
  if (ids.length === 0) return []
  // Slices first: there may be hundreds of thousands of tasks.
  return db.all<{ job: string; group: string }>(
    `SELECT DISTINCT job, grp AS "group" FROM tw_slice
       WHERE id IN (SELECT p.slice FROM tw_placed p WHERE p.id IN (SELECT value FROM json_each(?)))`,
    JSON.stringify(ids),
  )
}

/** How many tasks of each group were on these nodes when they were lost, log time, and are to be replaced: at once, or when it is due. */
export function lostTasks(db: ReadDb, nodes: readonly string[], lostAt: number): { job: string; group: string; tasks: number }[] {
  return db.all<{ job: string; group: string; tasks: number }>(
    `SELECT s.job, s.grp AS "group", count(*) AS tasks FROM tw_placed p JOIN tw_slice s ON s.id = p.slice LEFT JOIN tw_said a ON a.task = p.id
       WHERE p.id IN (SELECT value FROM json_each(?)) AND (p.state = ${UNKNOWN} OR (p.state = ${LOST} AND a.ended_at = ?)) GROUP BY s.job, s.grp`,
    JSON.stringify(idsOnNodes(db, nodes)),
    lostAt,
  )
}

/** Highest id of the tasks that were placed up to a log position; 0: none. */
export function lastTaskId(db: ReadDb, position: number): number {
  return db.get<{ id: number | null }>('SELECT max(last) AS id FROM tw_slice WHERE placed_position <= ?', position)?.id ?? 0
}

/** Whether the referee let all of what an entry placed stand; false also when it is not known any more. */
export function isWholeSlice(db: ReadDb, it: { job: string; group: string; position: number; count: number }): boolean {
  const slice = db.get<{ tasks: number }>(
    'SELECT last - id + 1 AS tasks FROM tw_slice WHERE job = ? AND grp = ? AND placed_position = ? ORDER BY id DESC LIMIT 1',
    it.job,
    it.group,
    it.position,
  )
  return slice?.tasks === it.count
}

/** Static ports that live tasks hold at the address of a node. */
export function portsAt(db: ReadDb, node: string): number[] {
  return db
    .all<{ port: number }>('SELECT h.port FROM tw_port h JOIN tw_node n ON n.address = h.address WHERE n.name = ?', node)
    .map((row) => row.port)
}

/** Names of the nodes of some tasks, each once. */
export function nodesOfTasks(db: ReadDb, ids: readonly number[]): string[] {
  return names(
    db,
    'SELECT DISTINCT l.name FROM tw_placed p JOIN tw_node_load l ON l.id = p.node WHERE p.id IN (SELECT value FROM json_each(?))',
    JSON.stringify(ids),
  )
}

/** The same of those among them that are in a final state. */
export function nodesOfEnded(db: ReadDb, ids: readonly number[]): string[] {
  return names(
    db,
    `SELECT DISTINCT l.name FROM tw_placed p JOIN tw_node_load l ON l.id = p.node
       WHERE p.id IN (SELECT value FROM json_each(?)) AND p.state >= ${FIRST_FINAL}`,
    JSON.stringify(ids),
  )
}

/** Names of the nodes that live tasks of a group are on, each once. */
export function nodesOfGroup(db: ReadDb, job: string, group: string): string[] {
  return names(
    db,
    `SELECT DISTINCT l.name FROM tw_slice s JOIN tw_placed p ON p.slice = s.id AND p.id BETWEEN s.id AND s.last JOIN tw_node_load l ON l.id = p.node
       WHERE s.job = ? AND s.grp = ? AND p.state < ${FIRST_FINAL}`,
    job,
    group,
  )
}

function names(db: ReadDb, sql: string, ...params: string[]): string[] {
  return db.all<{ name: string }>(sql, ...params).map((row) => row.name)
}

/** Whether a task of a version was stopped for it missed its healthy deadline, at a time or after it (log time). */
export function hasOverdue(db: ReadDb, of: { job: string; grp: string; to_version: number }, sinceMs: number): boolean {
  const row = db.get(
    `SELECT 1 FROM tw_stop t JOIN tw_placed p ON p.id = t.task JOIN tw_slice s ON s.id = p.slice
       WHERE t.cause = '${OVERDUE_CAUSE}' AND t.at >= ? AND s.job = ? AND s.grp = ? AND p.version = ? LIMIT 1`,
    sinceMs,
    of.job,
    of.grp,
    of.to_version,
  )
  return row !== undefined
}
