import type { ReadDb } from '../../contracts/storage.ts'
import { rolloutName } from '../entries/define.ts'

/** A rollout's stretch of the log. */
export interface RolloutSpan {
  rollout: string
  kind: 'forward' | 'rollback'
  service: string
  release: string
  state: string
  atMs: number
  /** position of the entry that asked for it, and of its last one; null: it goes on */
  from: number
  to: number | null
}

/** The newest rollouts, newest first. */
export function rolloutSpans(db: ReadDb, limit: number): RolloutSpan[] {
  const rows = db.all<Omit<RolloutSpan, 'rollout'>>(
    `SELECT kind, service, release, state, at AS atMs, id AS "from",
       CASE WHEN ended_at IS NOT NULL THEN coalesce((SELECT max(position) FROM deploy_event e WHERE e.rollout = r.id), id) END AS "to"
     FROM deploy_rollout r ORDER BY id DESC LIMIT ?`,
    limit,
  )
  return rows.map((row) => ({ rollout: rolloutName(row.from), ...row }))
}
