import type { Db, ReadDb } from '../../contracts/storage.ts'
import { charge } from '../entitlements/tables.ts'
import { isReady, type TaskRow } from '../rows.ts'

/** How the tasks of one version of a group stand: counted as they change, so that nobody has to look at each. */
export interface TallyRow {
  job: string
  grp: string
  version: number
  /** all that are known, also in a final state */
  known: number
  /** live and to run */
  active: number
  running: number
  /** running, and healthy or without a check */
  ready: number
  /** live and to end */
  stopping: number
  complete: number
  /** restarts by agents, of those that are live */
  restarts: number
}

type Counts = Omit<TallyRow, 'job' | 'grp' | 'version'>
export type Counted = Pick<TaskRow, 'job' | 'grp' | 'version' | 'state' | 'want' | 'health' | 'is_terminal' | 'restarts'>

/** Columns of a task that the tally looks at. */
export const TALLIED: ReadonlySet<string> = new Set(['version', 'state', 'want', 'health', 'is_terminal', 'restarts'])

export const TALLY_TABLES: readonly string[] = [
  `CREATE TABLE tw_tally (
    job TEXT NOT NULL, grp TEXT NOT NULL, version INTEGER NOT NULL, known INTEGER NOT NULL, active INTEGER NOT NULL,
    running INTEGER NOT NULL, ready INTEGER NOT NULL, stopping INTEGER NOT NULL, complete INTEGER NOT NULL, restarts INTEGER NOT NULL,
    PRIMARY KEY (job, grp, version)
  ) WITHOUT ROWID`,
]

function countsOf(task: Counted): Counts {
  const isLive = !task.is_terminal
  const isActive = isLive && task.want === 'run'
  return {
    known: 1,
    active: Number(isActive),
    running: Number(isActive && task.state === 'running'),
    ready: Number(isActive && isReady(task)),
    stopping: Number(isLive && task.want === 'stop'),
    complete: Number(task.state === 'complete'),
    restarts: isLive ? task.restarts : 0,
  }
}

export const NONE: Counts = { known: 0, active: 0, running: 0, ready: 0, stopping: 0, complete: 0, restarts: 0 }

const COUNTED = Object.keys(NONE) as (keyof Counts)[]

type Key = Pick<TallyRow, 'job' | 'grp' | 'version'>

/** The same of many tasks at once that stay of their version: each count is written once. */
export function moveTallies(db: Db, moves: readonly (readonly [before: Counted, after: Counted])[]): void {
  const sums = new Map<string, { key: Key; delta: Counts }>()
  for (const [before, after] of moves) {
    const name = `${after.job}/${after.grp}@${after.version}`
    let sum = sums.get(name)
    if (sum === undefined) sums.set(name, (sum = { key: after, delta: { ...NONE } }))
    const [from, to] = [countsOf(before), countsOf(after)]
    for (const count of COUNTED) sum.delta[count] += to[count] - from[count]
  }
  for (const { key, delta } of sums.values()) addTally(db, key, delta)
}

function minus(a: Counts, b: Counts): Counts {
  return {
    known: a.known - b.known,
    active: a.active - b.active,
    running: a.running - b.running,
    ready: a.ready - b.ready,
    stopping: a.stopping - b.stopping,
    complete: a.complete - b.complete,
    restarts: a.restarts - b.restarts,
  }
}

/** A task came (`before` is null), changed, or is forgotten (`after` is null). */
export function moveTally(db: Db, before: Counted | null, after: Counted | null): void {
  if (before !== null && after !== null && before.version !== after.version) {
    moveTally(db, before, null)
    return moveTally(db, null, after)
  }
  const key = after ?? before
  if (key === null) return
  const [from, to] = [before === null ? NONE : countsOf(before), after === null ? NONE : countsOf(after)]
  addTally(db, key, minus(to, from))
}

/** Adds to one count; of many tasks at once it takes the sum. */
export function addTally(db: Db, key: Key, delta: Counts): void {
  if (Object.values(delta).every((n) => n === 0)) return
  db.run(
    `INSERT INTO tw_tally (job, grp, version, known, active, running, ready, stopping, complete, restarts)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job, grp, version) DO UPDATE SET
       known = known + excluded.known, active = active + excluded.active, running = running + excluded.running,
       ready = ready + excluded.ready, stopping = stopping + excluded.stopping, complete = complete + excluded.complete,
       restarts = restarts + excluded.restarts`,
    key.job,
    key.grp,
    key.version,
    delta.known,
    delta.active,
    delta.running,
    delta.ready,
    delta.stopping,
    delta.complete,
    delta.restarts,
  )
  // What is live is charged to its owner, also while it ends.
  charge(db, key, delta.active + delta.stopping)
  if (delta.known < 0) db.run('DELETE FROM tw_tally WHERE job = ? AND grp = ? AND version = ? AND known = 0', key.job, key.grp, key.version)
}

/** Every version of every group that has tasks, by job, group and version. */
export function tallyRows(db: ReadDb): TallyRow[] {
  return db.all<TallyRow>('SELECT * FROM tw_tally ORDER BY job, grp, version')
}

/** Every version of one group that has tasks. */
export function tallyOf(db: ReadDb, job: string, group: string): TallyRow[] {
  return db.all<TallyRow>('SELECT * FROM tw_tally WHERE job = ? AND grp = ? ORDER BY version', job, group)
}
