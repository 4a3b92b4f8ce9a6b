import type { EntryMeta } from '../../contracts/entry.ts'
import type { Db, SqlValue } from '../../contracts/storage.ts'
import { causeOfText } from '../../kernel/trace.ts'
import { must } from '../../kernel/assert.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { markRun } from '../runs/mark.ts'
import type { TaskRow, TaskStateHeld } from '../rows.ts'
import { dropAway } from './away.ts'
import { addEvent } from './events.ts'
import { addToLoad, countIn, loadByName, reservedBy, withoutId, writeLoad, type Loaded } from './load.ts'
import { taskRow } from './read.ts'
import { STATES } from './tables.ts'
import { addTally, moveTally, NONE, TALLIED } from './tally.ts'

/** The only writers of task rows and of what tasks reserve on their nodes. */

/** What all tasks of one `TasksPlaced` have in common. */
export interface NewSlice {
  job: string
  group: string
  version: number
  cpuMilli: number
  memoryBytes: number
  diskBytes: number
  gpuMilli: number
  staticPorts: readonly number[]
  /** why they are where they are, for `tw explain` */
  why: string
}

export interface NewTask {
  index: number
  load: Loaded
  gpuMask: number
  /** where nodes that share it share static ports; empty without such ports */
  address: string
  /** null: its slice's */
  why: string | null
}

/** Rows of one INSERT: of more the gain is lost in the statement's own length. */
const ROWS = 100
const PLACED_SQL = new Map<number, string>()

/**
 * Puts tasks on nodes and reserves what they need there. The caller has checked that they fit and counted them in the
 * loads, which are written here, each once. Their ids follow each other.
 */
export function insertTasks(db: Db, slice: NewSlice, tasks: readonly NewTask[], meta: EntryMeta): void {
  if (tasks.length === 0) return
  const first = reserveIds(db, tasks.length)
  db.run(
    `INSERT INTO tw_slice (id, last, job, grp, cpu_milli, memory_bytes, disk_bytes, gpu_milli, static_ports, placed_at, placed_position, why, trace)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    first,
    first + tasks.length - 1,
    slice.job,
    slice.group,
    slice.cpuMilli,
    slice.memoryBytes,
    slice.diskBytes,
    slice.gpuMilli,
    canonicalJson(slice.staticPorts),
    meta.at,
    meta.position,
    slice.why,
    meta.trace === undefined ? null : causeOfText(meta.trace).trace,
  )
  const added = new Map<Loaded, number[]>()
  for (let at = 0; at < tasks.length;) {
    const rows = tasks.length - at >= ROWS ? ROWS : 1
    const values: SqlValue[] = [first + at, first, slice.version]
    for (let i = at; i < at + rows; i += 1) {
      const task = must(tasks[i], 'a task')
      values.push(task.index, task.load.id, task.gpuMask)
      const ids = added.get(task.load)
      if (ids) ids.push(first + i)
      else added.set(task.load, [first + i])
    }
    db.run(placedSql(rows), ...values)
    at += rows
  }
  for (const [load, ids] of added) addToLoad(db, load, ids, meta.position)
  const { job, group: grp, version } = slice
  addTally(db, { job, grp, version }, { ...NONE, known: tasks.length, active: tasks.length })
  tasks.forEach(({ why, address }, i) => {
    if (why !== null && why !== slice.why) db.run('INSERT INTO tw_why (task, text) VALUES (?, ?)', first + i, why)
    for (const port of slice.staticPorts) db.run('INSERT INTO tw_port (address, port, task) VALUES (?, ?, ?)', address, port, first + i)
  })
}

function reserveIds(db: Db, count: number): number {
  db.run("INSERT INTO tw_counter (name, value) VALUES ('task', ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value", count)
  const last = must(db.get<{ value: number }>("SELECT value FROM tw_counter WHERE name = 'task'"), 'the counter of tasks').value
  return last - count + 1
}

function placedSql(rows: number): string {
  let sql = PLACED_SQL.get(rows)
  if (sql === undefined) {
    const values = Array.from({ length: rows }, (_, i) => `(${i}, ?, ?, ?)`).join(', ')
    sql = `WITH c (first, slice, version) AS (VALUES (?, ?, ?)), r (k, idx, node, gpu_mask) AS (VALUES ${values})
      INSERT INTO tw_placed (id, slice, idx, node, version, incarnation, state, want, is_reaped, gpu_mask)
      SELECT c.first + r.k, c.slice, r.idx, r.node, c.version, 1, 0, 0, 0, r.gpu_mask FROM r, c`
    PLACED_SQL.set(rows, sql)
  }
  return sql
}

/** What may change of a task in its place. Ends go through {@link endTask} and {@link reapTask}: they free what it held. */
export type TaskChange = Partial<Pick<TaskRow, PlacedColumn | SaidColumn | keyof typeof STOP_COLUMNS>>

type PlacedColumn = 'version' | 'incarnation' | 'state' | 'want'
type SaidColumn = 'reported' | 'health' | 'healthy_since' | 'pid' | 'ports' | 'reason' | 'restarts' | 'started_at' | 'was_healthy'
const STOP_COLUMNS = { stop_position: 'position', stop_at: 'at', stop_cause: 'cause' } as const
const PLACED_COLUMNS: ReadonlySet<string> = new Set<PlacedColumn>(['version', 'incarnation', 'state', 'want'])

/** Sets columns of a task, named as in `tw_task`. */
export function changeTask(db: Db, id: number, change: TaskChange): void {
  const before = Object.keys(change).some((column) => TALLIED.has(column)) ? taskRow(db, id) : undefined
  if (before) moveTally(db, before, { ...before, ...change })
  const placed: [string, SqlValue][] = []
  const said: [string, SqlValue][] = []
  const stop: [string, SqlValue][] = []
  for (const [column, value] of Object.entries(change) as [keyof TaskChange, SqlValue][]) {
    if (column in STOP_COLUMNS) stop.push([STOP_COLUMNS[column as keyof typeof STOP_COLUMNS], value])
    else if (PLACED_COLUMNS.has(column)) placed.push([column, codeOf(column, value)])
    else said.push([column, value])
  }
  if (placed.length > 0)
    db.run(`UPDATE tw_placed SET ${placed.map(([column]) => `${column} = ?`).join(', ')} WHERE id = ?`, ...placed.map(([, it]) => it), id)
  upsert(db, 'tw_said', id, said)
  upsert(db, 'tw_stop', id, stop)
}

function codeOf(column: string, value: SqlValue): SqlValue {
  if (column === 'state') return STATES.indexOf(value as TaskStateHeld)
  return column === 'want' ? (value === 'stop' ? 1 : 0) : value
}

function upsert(db: Db, table: 'tw_said' | 'tw_stop', task: number, columns: readonly [string, SqlValue][]): void {
  if (columns.length === 0) return
  const names = columns.map(([name]) => name)
  db.run(
    `INSERT INTO ${table} (task, ${names.join(', ')}) VALUES (?${', ?'.repeat(names.length)})
       ON CONFLICT (task) DO UPDATE SET ${names.map((name) => `${name} = excluded.${name}`).join(', ')}`,
    task,
    ...columns.map(([, value]) => value),
  )
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
  db.run('UPDATE tw_placed SET state = ? WHERE id = ?', STATES.indexOf(state), task.id)
  upsert(db, 'tw_said', task.id, [
    ['healthy_since', null],
    ['reason', reason],
    ['ended_at', meta.at],
  ])
  const load = must(loadByName(db, task.node), `the load of ${task.node}`)
  countIn(load, reservedBy(task), -1)
  writeLoad(db, load, { position: meta.position })
  if (task.static_ports !== '[]') db.run('DELETE FROM tw_port WHERE task = ?', task.id)
  dropAway(db, [task.id])
  addEvent(db, task.id, meta, reason === '' ? state : `${state}: ${reason}`)
  markRun(db, task.job)
}

/**
 * The node of a task is silent: it is to end, and as nobody can say when its process does it counts as lost from now on. Its agent has to know
 * of it still, should it return.
 */
export function giveUpTask(db: Db, task: TaskRow, cause: string, meta: EntryMeta): void {
  changeTask(db, task.id, { want: 'stop', healthy_since: null, stop_position: meta.position, stop_at: meta.at, stop_cause: cause })
  endTask(db, task, 'lost', cause, meta)
}

/** The agent's last word about an ended task: its process is gone, the node need not be told of it any more. */
export function reapTask(db: Db, task: Pick<TaskRow, 'id' | 'node'>, reported: TaskRow['reported']): void {
  db.run('UPDATE tw_placed SET is_reaped = 1 WHERE id = ?', task.id)
  upsert(db, 'tw_said', task.id, [['reported', reported]])
  const load = must(loadByName(db, task.node), `the load of ${task.node}`)
  writeLoad(db, load, { runs: withoutId(load.runs, task.id) })
}
