import type { ReadDb } from '../../contracts/storage.ts'

/** One planned change to one task in service: proposed, perhaps waiting, then carried out, and how it ended. */
export interface OpRow {
  id: number
  job: string
  grp: string
  /** id of the task's row */
  task: number
  /** the task's name, which outlives its row: `web/api[3]` */
  name: string
  kind: OpKind
  cause: OpCause
  /** the cause in words: `drain of n2`, `replaced by version 3` */
  text: string
  state: OpState
  /** log time by which it should have happened; null: whenever it may */
  deadline_at: number | null
  /** at its deadline it is forced; else it only counts as late */
  is_hard: number
  /** the application said yes, or an operator in its place */
  is_consented: number
  /** not before this log time, by somebody's word */
  delayed_until: number | null
  why: string
  /** place in the order the application gave; null: none */
  rank: number | null
  is_forced: number
  proposed_by: string
  proposed_at: number
  /** when it was allowed or forced */
  decided_at: number | null
  ended_at: number | null
}

export const OP_KINDS = ['update', 'move', 'restart', 'stop', 'resize'] as const
export type OpKind = (typeof OP_KINDS)[number]

export const OP_CAUSES = ['rollout', 'drain', 'maintenance', 'profile', 'rebalance', 'preempt', 'rightsize', 'operator', 'scale'] as const
export type OpCause = (typeof OP_CAUSES)[number]

/** `done failed withdrawn` are final. Waiting for budget, asked and delayed are told apart when they are shown. */
export type OpState = 'proposed' | 'allowed' | 'done' | 'failed' | 'withdrawn'

export const OP_TABLES: readonly string[] = [
  `CREATE TABLE tw_op (
    id INTEGER PRIMARY KEY, job TEXT NOT NULL, grp TEXT NOT NULL, task INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    cause TEXT NOT NULL, text TEXT NOT NULL, state TEXT NOT NULL, deadline_at INTEGER, is_hard INTEGER NOT NULL,
    is_consented INTEGER NOT NULL, delayed_until INTEGER, why TEXT NOT NULL, rank INTEGER, is_forced INTEGER NOT NULL,
    proposed_by TEXT NOT NULL, proposed_at INTEGER NOT NULL, decided_at INTEGER, ended_at INTEGER
  )`,
  `CREATE INDEX tw_op_open ON tw_op (job, grp) WHERE ended_at IS NULL`,
  `CREATE INDEX tw_op_open_task ON tw_op (task) WHERE ended_at IS NULL`,
  `CREATE INDEX tw_op_ended ON tw_op (job, grp, ended_at)`,
]

export function opRow(db: ReadDb, id: number): OpRow | undefined {
  return db.get<OpRow>('SELECT * FROM tw_op WHERE id = ?', id)
}

/** Ops of a group that have not ended, in the order they were proposed. */
export function openOps(db: ReadDb, job: string, group: string): OpRow[] {
  return db.all<OpRow>('SELECT * FROM tw_op WHERE job = ? AND grp = ? AND ended_at IS NULL ORDER BY id', job, group)
}

/** The op on a task that has not ended; there is at most one. */
export function openOpOf(db: ReadDb, task: number): OpRow | undefined {
  return db.get<OpRow>('SELECT * FROM tw_op WHERE task = ? AND ended_at IS NULL', task)
}
