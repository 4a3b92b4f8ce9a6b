import type { ReadDb } from '../../contracts/storage.ts'
import { armRows, groupSpecOf, jobRow, specOf } from '../rows.ts'
import { tallyOf } from '../tasks/tally.ts'
import type { GroupKey } from './fleet-cache.ts'

/** `isFresh`: it has no task but those that were placed for its one version. `isReady`: all of them serve. */
export interface Settled {
  isFresh: boolean
  isReady: boolean
  /** ms after its placement by which a task has to be healthy; null: it has no check */
  healthyDeadlineMs: number | null
}

/**
 * Whether a group has exactly the tasks that are wanted of it, by its counts alone and whatever their number; null when it
 * takes a look at each to tell.
 */
export function settledOf(db: ReadDb, { job, group }: GroupKey): Settled | null {
  const row = jobRow(db, job)
  if (row?.kind !== 'service' || row.state !== 'running') return null
  const [arm, ...more] = armRows(db, job, group).filter(({ count }) => count > 0)
  if (arm === undefined || more.length > 0) return null
  const tallies = tallyOf(db, job, group)
  const own = tallies.find(({ version }) => version === arm.version)
  if (own?.active !== arm.count || tallies.some((it) => it !== own && it.active > 0)) return null
  if (db.get('SELECT id FROM tw_op WHERE job = ? AND grp = ? AND ended_at IS NULL', job, group)) return null
  if (db.get('SELECT task FROM tw_away WHERE job = ? AND grp = ?', job, group)) return null
  const spec = groupSpecOf(specOf(db, job, arm.version), group)
  if (spec === undefined || spec.maxRunTimeMs !== null) return null
  const healthyDeadlineMs = spec.container.readiness === null ? null : spec.healthyDeadlineMs
  return { isFresh: tallies.length === 1 && own.known === own.active, isReady: own.ready === own.active, healthyDeadlineMs }
}
