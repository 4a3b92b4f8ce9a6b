import { z } from 'zod'
import type { ReadDb } from '../contracts/storage.ts'
import { faultsOf, haltRow, planOf, type RunRow } from './rows.ts'

/** What people and programs get to see of chaos. */

const radius = z.object({ tasks: z.int(), tasksMax: z.int(), serving: z.int(), usersPpm: z.int(), usersMaxPpm: z.int() })

export const planSchema = z.object({
  services: z.array(z.string()),
  faults: z.array(
    z.object({
      action: z.int(),
      fault: z.string(),
      backend: z.enum(['node', 'mesh']),
      service: z.string().nullable(),
      task: z.object({ id: z.int(), name: z.string(), incarnation: z.int(), node: z.string() }).nullable(),
      atMs: z.number(),
      durationMs: z.number(),
    }),
  ),
  radius,
  observeMs: z.number(),
})

export const gateSchema = z.object({ gate: z.string(), isOpen: z.boolean(), detail: z.string() })

export const faultViewSchema = z.object({
  id: z.string(),
  fault: z.string(),
  on: z.string(),
  node: z.string().nullable(),
  state: z.string(),
  effect: z.int(),
  message: z.string(),
  armedAtMs: z.number().nullable(),
  endedAtMs: z.number().nullable(),
  untilMs: z.number(),
})

export const runViewSchema = z.object({
  run: z.string(),
  title: z.string(),
  digest: z.string(),
  state: z.string(),
  service: z.string().nullable(),
  verdict: z.enum(['held', 'deviated', 'inconclusive', 'not-run']).nullable(),
  reason: z.string(),
  cause: z.string().nullable(),
  author: z.string(),
  atMs: z.number(),
  startedAtMs: z.number().nullable(),
  endedAtMs: z.number().nullable(),
  recoveryMs: z.number().nullable(),
  effect: z.int(),
  plan: planSchema,
  faults: z.array(faultViewSchema),
  checks: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      lowest: z.number().nullable(),
      highest: z.number().nullable(),
      last: z.number().nullable(),
    }),
  ),
})

export type RunView = z.output<typeof runViewSchema>

export function runView(db: ReadDb, run: RunRow): RunView {
  const summary =
    run.summary === null ? null : (JSON.parse(run.summary) as { effect: number; recoveryMs: number | null; checks: RunView['checks'] })
  const faults = faultsOf(db, run.id)
  return {
    run: run.id,
    title: run.title,
    digest: run.digest,
    state: run.state,
    service: run.service,
    verdict: run.verdict,
    reason: run.reason,
    cause: run.cause,
    author: run.author,
    atMs: run.at,
    startedAtMs: run.started_at,
    endedAtMs: run.ended_at,
    recoveryMs: summary?.recoveryMs ?? null,
    effect: summary?.effect ?? faults.reduce((sum, { effect }) => sum + effect, 0),
    plan: planOf(run),
    faults: faults.map((fault) => ({
      id: fault.id,
      fault: fault.fault,
      on: fault.task_name ?? fault.service ?? '',
      node: fault.node,
      state: fault.state,
      effect: fault.effect,
      message: fault.message,
      armedAtMs: fault.armed_at,
      endedAtMs: fault.ended_at,
      untilMs: fault.until_ms,
    })),
    checks: summary?.checks ?? [],
  }
}

export const eventSchema = z.object({ position: z.int(), atMs: z.number(), actor: z.string(), text: z.string() })

export function eventsOf(db: ReadDb, run: string): z.output<typeof eventSchema>[] {
  return db.all<z.output<typeof eventSchema>>(
    'SELECT position, at AS atMs, actor, text FROM chaos_event WHERE run = ? ORDER BY position',
    run,
  )
}

export const haltSchema = z.object({
  isHalted: z.boolean(),
  reason: z.string(),
  author: z.string(),
  atMs: z.number().nullable(),
  live: z.array(z.string()),
})

export function haltView(db: ReadDb, live: readonly string[]): z.output<typeof haltSchema> {
  const row = haltRow(db)
  return { isHalted: row !== null, reason: row?.reason ?? '', author: row?.author ?? '', atMs: row?.at ?? null, live: [...live] }
}
