import { z } from 'zod'
import type { ReadDb } from '../../contracts/storage.ts'
import { verdict } from '../analysis/judge.ts'
import { evidenceOf, evidenceSchema, type Evidence } from '../evidence.ts'
import { verdictsOf, type RolloutRow } from '../rows.ts'
import type { RolloutEvidence } from '../soft.ts'
import { rolloutView, rolloutViewSchema } from './rollout.ts'

const wordSchema = z.object({ verdict: z.string(), reason: z.string(), evidence: evidenceSchema.nullable() })

export const whySchema = z.object({
  rollout: rolloutViewSchema,
  /** as they were logged, oldest first */
  verdicts: z.array(wordSchema.extend({ step: z.int(), atMs: z.number() })),
  /** what the judge says now; null when nothing is being judged */
  now: wordSchema.nullable(),
  events: z.array(z.object({ position: z.int(), atMs: z.number(), actor: z.string(), kind: z.string(), text: z.string() })),
})

export type WhyView = z.output<typeof whySchema>

/** The present word of the judge on the rollout, when its evidence is of the share in force. */
export function wordNow(
  row: RolloutRow,
  evidence: RolloutEvidence | null,
  now: number,
): { verdict: string; reason: string; evidence: Evidence } | null {
  if (row.ended_at !== null || !evidence?.judge || evidence.epoch !== row.epoch) return null
  const word = verdict(evidence.judge, now)
  return { verdict: word.verdict, reason: word.reason, evidence: evidenceOf(evidence.judge) }
}

export interface EventView {
  position: number
  atMs: number
  actor: string
  kind: string
  text: string
}

/** The last `limit` lines of a rollout's history, oldest first. */
export function eventsOf(db: ReadDb, rollout: number, limit: number): EventView[] {
  return db
    .all<{ position: number; at: number; actor: string; kind: string; text: string }>(
      'SELECT position, at, actor, kind, text FROM deploy_event WHERE rollout = ? ORDER BY position DESC LIMIT ?',
      rollout,
      limit,
    )
    .map(({ at, ...event }) => ({ ...event, atMs: at }))
    .reverse()
}

const EVENTS_MAX = 200

export function whyView(db: ReadDb, row: RolloutRow, evidence: RolloutEvidence | null, now: number, step?: number): WhyView {
  return {
    rollout: rolloutView(db, row, now),
    verdicts: verdictsOf(db, row.id)
      .filter((one) => step === undefined || one.step === step - 1)
      .map((one) => ({
        step: one.step,
        atMs: one.at,
        verdict: one.verdict,
        reason: one.reason,
        evidence: one.evidence === null ? null : (JSON.parse(one.evidence) as Evidence),
      })),
    now: step === undefined || step - 1 === row.step ? wordNow(row, evidence, now) : null,
    events: eventsOf(db, row.id, EVENTS_MAX),
  }
}
