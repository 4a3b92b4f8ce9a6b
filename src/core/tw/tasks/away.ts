import type { Db, ReadDb } from '../../contracts/storage.ts'
import { completeGroup, type JobSpec } from '../job-spec.ts'
import { armRows, type TaskRow } from '../rows.ts'

/** A task whose node fell silent, or did once: what becomes of it is the `disconnect` policy of its group. */
export interface AwayRow {
  task: number
  job: string
  grp: string
  /** when its node was lost, log time */
  since: number
  /** from then on it is replaced */
  due_at: number
  /** its node came back when it may have been replaced: it, or its replacement, is to go */
  is_back: number
}

export const AWAY_TABLES: readonly string[] = [
  `CREATE TABLE tw_away (
    task INTEGER PRIMARY KEY, job TEXT NOT NULL, grp TEXT NOT NULL, since INTEGER NOT NULL, due_at INTEGER NOT NULL, is_back INTEGER NOT NULL
  )`,
  `CREATE INDEX tw_away_by_group ON tw_away (job, grp)`,
  // Versions of groups that wait for their silent nodes. A lost zone has hundreds of thousands of tasks: their specs are not read for it.
  `CREATE TABLE tw_patience (
    job TEXT NOT NULL, grp TEXT NOT NULL, version INTEGER NOT NULL, lost_after_ms INTEGER NOT NULL, PRIMARY KEY (job, grp, version)
  ) WITHOUT ROWID`,
]

/** Takes note of how long a new version waits for silent nodes. */
export function insertPatience(db: Db, job: string, version: number, spec: Pick<JobSpec, 'groups'>): void {
  for (const group of spec.groups) {
    const { lostAfterMs } = completeGroup(group).disconnect
    if (lostAfterMs > 0)
      db.run('INSERT INTO tw_patience (job, grp, version, lost_after_ms) VALUES (?, ?, ?, ?)', job, group.name, version, lostAfterMs)
  }
}

/** Of one group, by task. */
export function awayTasks(db: ReadDb, job: string, group: string): Map<number, AwayRow> {
  const rows = db.all<AwayRow>('SELECT * FROM tw_away WHERE job = ? AND grp = ? ORDER BY task', job, group)
  return new Map(rows.map((row) => [row.task, row]))
}

export function awayRow(db: ReadDb, task: number): AwayRow | undefined {
  return db.get<AwayRow>('SELECT * FROM tw_away WHERE task = ?', task)
}

export function writeAway(db: Db, row: AwayRow): void {
  db.run(
    'INSERT OR REPLACE INTO tw_away (task, job, grp, since, due_at, is_back) VALUES (?, ?, ?, ?, ?, ?)',
    row.task,
    row.job,
    row.grp,
    row.since,
    row.due_at,
    row.is_back,
  )
}

export function dropAway(db: Db, tasks: readonly number[]): void {
  db.run('DELETE FROM tw_away WHERE task IN (SELECT value FROM json_each(?))', JSON.stringify(tasks))
}

/** Its node is heard again: one that was not due yet is as it was. */
export function endAway(db: Db, task: number, now: number): void {
  db.run('DELETE FROM tw_away WHERE task = ? AND due_at > ?', task, now)
  db.run('UPDATE tw_away SET is_back = 1 WHERE task = ?', task)
}

/**
 * Which tasks of a silent node are not given up with it, and how long they are waited for, ms. A group has at most as many of them as it wants
 * tasks: so it is at most twice there, however often nodes of its replacements fall silent as well.
 */
export function waitsOf<T extends Pick<TaskRow, 'job' | 'grp' | 'version' | 'want'>>(db: ReadDb, tasks: readonly T[]): Map<T, number> {
  const waits = new Map<T, number>()
  if (db.get('SELECT version FROM tw_patience LIMIT 1') === undefined) return waits
  for (const [, own] of Map.groupBy(tasks, (task) => `${task.job}/${task.grp}`)) {
    const [{ job, grp }] = own as [T]
    const rows = db.all<{ version: number; ms: number }>(
      'SELECT version, lost_after_ms AS ms FROM tw_patience WHERE job = ? AND grp = ?',
      job,
      grp,
    )
    const lostAfterMs = new Map(rows.map(({ version, ms }) => [version, ms]))
    const waiting = own.filter((task) => task.want === 'run' && (lostAfterMs.get(task.version) ?? 0) > 0)
    if (waiting.length === 0) continue
    const total = armRows(db, job, grp).reduce((sum, arm) => sum + arm.count, 0)
    const away = db.get<{ n: number }>('SELECT count(*) AS n FROM tw_away WHERE job = ? AND grp = ? AND is_back = 0', job, grp)?.n ?? 0
    for (const task of waiting.slice(0, Math.max(0, total - away))) waits.set(task, lostAfterMs.get(task.version) ?? 0)
  }
  return waits
}
