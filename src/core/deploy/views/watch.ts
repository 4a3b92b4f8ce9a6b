import { z } from 'zod'
import type { ReadDb } from '../../contracts/storage.ts'
import { breakerTrip } from '../analysis/breaker.ts'
import { evidenceSchema, type Evidence } from '../evidence.ts'
import { profileOf, verdictsOf, type RolloutRow } from '../rows.ts'
import type { RolloutEvidence } from '../soft.ts'
import { rolloutView, rolloutViewSchema } from './rollout.ts'
import { eventsOf, wordNow } from './why.ts'

/** Everything `deploy watch` shows of one rollout; one model for the screen, the plain lines and JSON Lines. */
export const watchSchema = z.object({
  /** log time the view was made at */
  nowMs: z.number(),
  rollout: rolloutViewSchema,
  verdict: z.string().nullable(),
  verdictReason: z.string().nullable(),
  /** of the step being judged; else of the last verdict */
  evidence: evidenceSchema.nullable(),
  isLive: z.boolean(),
  dataAgeMs: z.number().nullable(),
  alpha: z.number(),
  breaker: z.object({
    state: z.enum(['closed', 'tripped', 'no-data']),
    canaryUnits: z.int(),
    canaryFailing: z.int(),
    controlUnits: z.int(),
    controlFailing: z.int(),
    text: z.string(),
  }),
  events: z.array(z.object({ position: z.int(), atMs: z.number(), actor: z.string(), kind: z.string(), text: z.string() })),
})

export type WatchView = z.output<typeof watchSchema>

const EVENTS_SHOWN = 10

export function watchView(db: ReadDb, row: RolloutRow, evidence: RolloutEvidence | null, now: number): WatchView {
  const word = wordNow(row, evidence, now)
  const last = verdictsOf(db, row.id).at(-1)
  const logged = last?.evidence ? (JSON.parse(last.evidence) as Evidence) : null
  return {
    nowMs: now,
    rollout: rolloutView(db, row, now),
    verdict: word?.verdict ?? last?.verdict ?? null,
    verdictReason: word?.reason ?? last?.reason ?? null,
    evidence: word?.evidence ?? logged,
    isLive: word !== null,
    dataAgeMs: evidence === null || row.ended_at !== null ? null : Math.max(0, now - evidence.asOfMs),
    alpha: profileOf(row).alpha,
    breaker: breakerOf(db, row, evidence),
    events: eventsOf(db, row.id, EVENTS_SHOWN),
  }
}

function breakerOf(db: ReadDb, row: RolloutRow, evidence: RolloutEvidence | null): WatchView['breaker'] {
  const tripped = db.get<{ text: string }>(
    "SELECT text FROM deploy_event WHERE rollout = ? AND kind = 'breaker' ORDER BY position DESC",
    row.id,
  )
  const view = row.ended_at === null ? (evidence?.breaker ?? null) : null
  const counts = {
    canaryUnits: view?.canary.units ?? 0,
    canaryFailing: view?.canary.failing ?? 0,
    controlUnits: view?.control.units ?? 0,
    controlFailing: view?.control.failing ?? 0,
  }
  if (tripped) return { state: 'tripped', ...counts, text: tripped.text }
  if (view === null) return { state: 'no-data', ...counts, text: '' }
  const trip = breakerTrip(view)
  return { state: trip === null ? 'closed' : 'tripped', ...counts, text: trip?.text ?? '' }
}
