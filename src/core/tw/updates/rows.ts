import type { ReadDb } from '../../contracts/storage.ts'
import { armRows } from '../rows.ts'
import { tallyOf } from '../tasks/tally.ts'

/**
 * `running`: old tasks are replaced as budget and health allow; `canary`: so many new ones run beside the old ones until
 * somebody promotes; `paused`: it stays as it is; `done` and `failed` are final.
 */
export type UpdateState = 'running' | 'canary' | 'paused' | 'done' | 'failed'

/** The latest update of a group from one version to another, made by `tw job run` and not by a rollout. */
export interface UpdateRow {
  job: string
  grp: string
  from_version: number
  to_version: number
  /** tasks the group has when it is done */
  total: number
  state: UpdateState
  started_at: number
  /** most new tasks that were healthy so far, and since when, log time: it has to get on before its progress deadline */
  healthy: number
  progress_at: number
  reason: string
}

export function updateRow(db: ReadDb, job: string, group: string): UpdateRow | undefined {
  return db.get<UpdateRow>('SELECT * FROM tw_update WHERE job = ? AND grp = ?', job, group)
}

/** Updates of a job, or of all, by name. */
export function updateRows(db: ReadDb, job?: string): UpdateRow[] {
  return job === undefined
    ? db.all<UpdateRow>('SELECT * FROM tw_update ORDER BY job, grp')
    : db.all<UpdateRow>('SELECT * FROM tw_update WHERE job = ? ORDER BY grp', job)
}

export function isOpen(update: Pick<UpdateRow, 'state'>): boolean {
  return update.state !== 'done' && update.state !== 'failed'
}

/** How an update stands, by counts. */
export interface UpdateCounts {
  old: number
  new: number
  healthy: number
}

export function updateCounts(db: ReadDb, update: UpdateRow): UpdateCounts {
  const tallies = tallyOf(db, update.job, update.grp)
  const own = tallies.find(({ version }) => version === update.to_version)
  const old = tallies.reduce((sum, it) => sum + (it.version === update.to_version ? 0 : it.active + it.stopping), 0)
  return { old, new: own?.active ?? 0, healthy: own?.ready ?? 0 }
}

/** The arms of an update at a split: `count` new tasks, and old ones for the rest. A canary adds to the old ones, a stage takes their place. */
export function armsAt(
  update: Pick<UpdateRow, 'from_version' | 'to_version' | 'total'>,
  count: number,
  isBeside = false,
): { arm: 'primary' | 'canary'; version: number; count: number }[] {
  if (count >= update.total && !isBeside) return [{ arm: 'primary', version: update.to_version, count: update.total }]
  return [
    { arm: 'primary', version: update.from_version, count: isBeside ? update.total : update.total - count },
    ...(count > 0 ? [{ arm: 'canary' as const, version: update.to_version, count }] : []),
  ]
}

/** So many tasks of each version are wanted now. */
export function wantedOf(db: ReadDb, update: UpdateRow): number {
  return armRows(db, update.job, update.grp).find((arm) => arm.version === update.to_version)?.count ?? 0
}
