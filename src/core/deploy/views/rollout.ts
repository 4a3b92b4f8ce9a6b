import { z } from 'zod'
import type { ReadDb } from '../../contracts/storage.ts'
import { splitStatus } from '../../tw/queries.ts'
import { rolloutName } from '../entries/define.ts'
import { judgingSince, phaseOf } from '../rollout/view.ts'
import { haltOf, profileOf, type RolloutRow, type StepRow } from '../rows.ts'
import { subsetOf } from '../through-tw.ts'

const stepView = z.object({
  step: z.int(),
  sharePpm: z.int(),
  minimumMs: z.int(),
  gateRatio: z.number().nullable(),
  state: z.enum(['waiting', 'active', 'done', 'failed']),
  enteredAtMs: z.number().nullable(),
  endedAtMs: z.number().nullable(),
  verdict: z.string().nullable(),
})

/** A rollout as people see it: `deploy status`. */
export const rolloutViewSchema = z.object({
  rollout: z.string(),
  id: z.int(),
  kind: z.enum(['forward', 'rollback']),
  service: z.string(),
  job: z.string(),
  release: z.string(),
  version: z.int(),
  fromRelease: z.string(),
  fromVersion: z.int(),
  profile: z.string(),
  state: z.string(),
  /** `starting`, `shifting` or `judging` within a step, else null */
  phase: z.string().nullable(),
  /** index of the step, −1 before the first */
  step: z.int(),
  steps: z.array(stepView),
  /** share the split in force asks for, parts per million, and whether every proxy has it */
  sharePpm: z.int(),
  isApplied: z.boolean(),
  canaryTasks: z.int(),
  heldCause: z.string().nullable(),
  heldText: z.string().nullable(),
  cause: z.string().nullable(),
  causeText: z.string().nullable(),
  isStuck: z.boolean(),
  sinceMs: z.number(),
  deadlineMs: z.number().nullable(),
  /** least time until success, ms; null when it does not run */
  leftMs: z.number().nullable(),
  /** commands that are possible now */
  legal: z.array(z.string()),
  haltedBy: z.string().nullable(),
  author: z.string(),
  reason: z.string(),
  atMs: z.number(),
  endedAtMs: z.number().nullable(),
})

export type RolloutView = z.output<typeof rolloutViewSchema>

export function rolloutView(db: ReadDb, row: RolloutRow, now: number): z.input<typeof rolloutViewSchema> {
  const profile = profileOf(row)
  const split = splitStatus(db, row.service)
  const isRunning = row.ended_at === null
  const phase = isRunning && (row.state === 'stepping' || row.state === 'baking' || row.state === 'held') ? phaseOf(row, split) : null
  const entered = db.all<StepRow>('SELECT * FROM deploy_rollout_step WHERE rollout = ? ORDER BY step', row.id)
  const isLast = db.get<{ id: number }>('SELECT max(id) AS id FROM deploy_rollout WHERE service = ?', row.service)?.id === row.id
  return {
    rollout: rolloutName(row.id),
    id: row.id,
    kind: row.kind,
    service: row.service,
    job: row.job,
    release: row.release,
    version: row.version,
    fromRelease: row.from_release,
    fromVersion: row.from_version,
    profile: profile.name,
    state: row.state,
    phase,
    step: row.step,
    steps: profile.steps.map((step, i) => {
      const seen = entered.find((one) => one.step === i)
      return {
        step: i,
        sharePpm: step.sharePpm,
        minimumMs: step.minimumMs,
        gateRatio: step.gateRatio,
        state: stepState(row, seen, i),
        enteredAtMs: seen?.entered_at ?? null,
        endedAtMs: seen?.ended_at ?? null,
        verdict: seen?.verdict ?? null,
      }
    }),
    sharePpm: shareNow(row, isLast ? split?.shares : undefined),
    isApplied: split !== null && split.appliedAtMs !== null,
    canaryTasks: row.canary_tasks,
    heldCause: row.held_cause,
    heldText: row.held_text,
    cause: row.cause,
    causeText: row.cause_text,
    isStuck: row.is_stuck === 1,
    sinceMs: row.since_ms,
    deadlineMs: row.deadline_ms,
    leftMs: isRunning ? leftMs(row, profile.steps, judgingSince(row, split), phase, now) : null,
    legal: legalCommands(row),
    haltedBy: isRunning ? (haltOf(db, row.service)?.author ?? null) : null,
    author: row.author,
    reason: row.reason,
    atMs: row.at,
    endedAtMs: row.ended_at,
  }
}

function shareNow(row: RolloutRow, shares: Record<string, number> | undefined): number {
  if (row.state === 'succeeded') return 1_000_000
  return row.ended_at === null ? (shares?.[subsetOf(row.version)] ?? 0) : 0
}

function stepState(row: RolloutRow, seen: StepRow | undefined, step: number): 'waiting' | 'active' | 'done' | 'failed' {
  if (!seen) return 'waiting'
  if (step < row.step || row.state === 'succeeded') return 'done'
  return row.state === 'rolling-back' || row.state === 'rolled-back' || row.state === 'superseded' ? 'failed' : 'active'
}

/** Least time left if everything passes at once: minimum times of this step and the later ones. */
function leftMs(row: RolloutRow, steps: readonly { minimumMs: number }[], since: number, phase: string | null, now: number): number | null {
  if (row.state === 'rolling-back' || row.state === 'held' || row.state === 'queued') return null
  const later = steps.slice(row.step + 1).reduce((sum, step) => sum + step.minimumMs, 0)
  const here = steps[row.step]?.minimumMs ?? 0
  return later + (phase === 'judging' ? Math.max(0, since + here - now) : here)
}

/** What a person may ask of a rollout in this state. */
export function legalCommands(row: Pick<RolloutRow, 'state' | 'held_cause' | 'kind'>): string[] {
  switch (row.state) {
    case 'queued':
    case 'preparing':
      return ['abort']
    case 'stepping':
    case 'baking':
      return row.kind === 'rollback' ? ['abort'] : ['pause', 'promote', 'abort', 'rollback']
    case 'held':
      return row.held_cause === 'halted' ? ['abort', 'rollback', 'unhalt'] : ['resume', 'promote', 'abort', 'rollback']
    case 'rolling-back':
      return []
    case 'succeeded':
      return ['rollback']
    default:
      return ['retry']
  }
}
