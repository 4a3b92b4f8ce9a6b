import { z } from 'zod'
import type { ReadDb } from '../../contracts/storage.ts'
import { fromJson } from '../rows.ts'
import { recurringRow, runRows } from '../runs/rows.ts'

/** Runs shown of a job. */
const RUNS_SHOWN = 10

export const recurringSchema = z.object({
  isPeriodic: z.boolean(),
  isPaused: z.boolean(),
  /** the next due times, log time in ms */
  nextMs: z.array(z.number()),
  /** due time of the run that waits for the one before it */
  queuedMs: z.number().nullable(),
  note: z.string().nullable(),
  /** the latest runs, newest first */
  runs: z.array(
    z.object({
      run: z.string(),
      cause: z.enum(['clock', 'queue', 'operator', 'dispatch']),
      dueMs: z.number().nullable(),
      meta: z.record(z.string(), z.string()),
      author: z.string(),
      startedMs: z.number(),
      finishedMs: z.number().nullable(),
      outcome: z.enum(['complete', 'failed', 'stopped']).nullable(),
      reason: z.string(),
    }),
  ),
})
export type RecurringView = z.output<typeof recurringSchema>

/** The clock and the runs of a job; null when nothing starts runs of it. */
export function recurringView(db: ReadDb, job: string): RecurringView | null {
  const row = recurringRow(db, job)
  if (!row) return null
  return {
    isPeriodic: row.is_periodic === 1,
    isPaused: row.is_paused === 1,
    nextMs: fromJson<number[]>(row.due),
    queuedMs: row.queued_at,
    note: row.note,
    runs: runRows(db, job, RUNS_SHOWN).map((run) => ({
      run: run.name,
      cause: run.cause,
      dueMs: run.due_at,
      meta: fromJson<Record<string, string>>(run.meta),
      author: run.author,
      startedMs: run.started_at,
      finishedMs: run.finished_at,
      outcome: run.outcome,
      reason: run.reason,
    })),
  }
}
