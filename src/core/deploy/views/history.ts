import { z } from 'zod'
import type { ReadDb } from '../../contracts/storage.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { releasesOf, type RolloutRow } from '../rows.ts'
import { rolloutView, rolloutViewSchema } from './rollout.ts'

export const historySchema = z.object({
  service: z.string(),
  /** newest first */
  releases: z.array(
    z.object({
      release: z.string(),
      version: z.int(),
      label: z.string(),
      artifact: z.string().nullable(),
      state: z.enum(['new', 'good', 'bad']),
      why: z.string(),
      author: z.string(),
      atMs: z.number(),
    }),
  ),
  rollouts: z.array(rolloutViewSchema),
})

export type HistoryView = z.output<typeof historySchema>

export function historyView(db: ReadDb, service: string, limit: number, now: number): z.input<typeof historySchema> | MusterError {
  const releases = releasesOf(db, service)
  if (releases.length === 0) return refuse('DEPLOY_SERVICE_UNKNOWN', `${service} has never been deployed.`)
  const rollouts = db.all<RolloutRow>('SELECT * FROM deploy_rollout WHERE service = ? ORDER BY id DESC LIMIT ?', service, limit)
  return {
    service,
    releases: releases.slice(0, limit).map((row) => ({
      release: row.id,
      version: row.version,
      label: row.label,
      artifact: row.artifact,
      state: row.state,
      why: row.why,
      author: row.author,
      atMs: row.at,
    })),
    rollouts: rollouts.map((row) => rolloutView(db, row, now)),
  }
}
