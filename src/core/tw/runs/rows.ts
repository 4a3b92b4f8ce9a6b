import type { ReadDb } from '../../contracts/storage.ts'

/** A job whose runs are started by the clock or by dispatch. */
export interface RecurringRow {
  job: string
  is_periodic: number
  is_paused: number
  /** due times at or before this are decided on, log time */
  after_at: number
  /** the next due times, JSON list; empty: not worked out yet, or there are none */
  due: string
  next_at: number | null
  /** due time of the run that starts once the one before it has ended */
  queued_at: number | null
  /** why the clock starts nothing, and what became of the last due time */
  note: string | null
}

export interface RunRow {
  job: string
  n: number
  name: string
  version: number
  cause: RunCause
  due_at: number | null
  token: string | null
  meta: string
  author: string
  position: number
  started_at: number
  finished_at: number | null
  outcome: RunOutcome | null
  reason: string
}

/** `clock`: it was due; `queue`: it was due while another went on; `operator`: forced by a person; `dispatch`: with parameters */
export type RunCause = 'clock' | 'queue' | 'operator' | 'dispatch'
export type RunOutcome = 'complete' | 'failed' | 'stopped'

export function recurringRow(db: ReadDb, job: string): RecurringRow | undefined {
  return db.get<RecurringRow>('SELECT * FROM tw_recurring WHERE job = ?', job)
}

/** Runs of a job, newest first. */
export function runRows(db: ReadDb, job: string, max: number): RunRow[] {
  return db.all<RunRow>('SELECT * FROM tw_run WHERE job = ? ORDER BY n DESC LIMIT ?', job, max)
}

/** Runs of a job that have not ended, oldest first. */
export function activeRuns(db: ReadDb, job: string): RunRow[] {
  return db.all<RunRow>('SELECT * FROM tw_run WHERE job = ? AND finished_at IS NULL ORDER BY n', job)
}

export function runByToken(db: ReadDb, job: string, token: string): RunRow | undefined {
  return db.get<RunRow>('SELECT * FROM tw_run WHERE job = ? AND token = ?', job, token)
}

export function runByPosition(db: ReadDb, position: number): RunRow | undefined {
  return db.get<RunRow>('SELECT * FROM tw_run WHERE position = ?', position)
}
