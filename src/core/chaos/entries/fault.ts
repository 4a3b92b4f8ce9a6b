import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { addEvent, runNote } from './define.ts'

const about = { run: z.string(), fault: z.string() }

/** `legion.kill on web/api[3]` */
function nameOf(db: Db, id: string): string {
  const row = db.get<{ fault: string; task_name: string | null; service: string | null }>(
    'SELECT fault, task_name, service FROM chaos_fault WHERE id = ?',
    id,
  )
  return row ? `${row.fault} on ${row.task_name ?? row.service ?? ''}` : id
}

/** Intent: says all that is needed to break it and to undo it, before anything is broken. */
export const armFault = defineEntry({
  type: 'chaos.ArmFault',
  body: z.object({
    ...about,
    n: z.int(),
    action: z.int(),
    kind: z.string(),
    backend: z.enum(['node', 'mesh']),
    service: z.string().nullable(),
    task: z.int().nullable(),
    taskName: z.string().nullable(),
    incarnation: z.int().nullable(),
    node: z.string().nullable(),
    arguments: z.record(z.string(), z.union([z.string(), z.number()])),
    untilMs: z.int(),
    leaseMs: z.int(),
  }),
  apply: (db, body, meta) => {
    db.run(
      `INSERT INTO chaos_fault (id, run, n, action, fault, backend, service, task, task_name, incarnation, node, arguments, until_ms, lease_ms, state, effect, message)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'arming', 0, '')`,
      body.fault,
      body.run,
      body.n,
      body.action,
      body.kind,
      body.backend,
      body.service,
      body.task,
      body.taskName,
      body.incarnation,
      body.node,
      canonicalJson(body.arguments),
      body.untilMs,
      body.leaseMs,
    )
    addEvent(db, body.run, meta, `arm ${nameOf(db, body.fault)}${body.node === null ? '' : `, node ${body.node}`}`)
  },
})

export const faultArmed = defineEntry({
  type: 'chaos.FaultArmed',
  body: z.object({ ...about, effect: z.int() }),
  notable: (body, db) => runNote(db, body.run, 'chaos-fault', `fault ${nameOf(db, body.fault)}`),
  apply: (db, body, meta) => {
    const changed = db.run(
      "UPDATE chaos_fault SET state = 'armed', armed_at = ?, effect = ? WHERE id = ? AND state = 'arming'",
      meta.at,
      body.effect,
      body.fault,
    )
    if (changed > 0) addEvent(db, body.run, meta, `armed: ${nameOf(db, body.fault)}`)
  },
})

export const faultFailed = defineEntry({
  type: 'chaos.FaultFailed',
  body: z.object({ ...about, message: z.string() }),
  notable: (body, db) => runNote(db, body.run, 'chaos-fault', `fault ${nameOf(db, body.fault)} could not be armed: ${body.message}`),
  apply: (db, body, meta) => {
    db.run("UPDATE chaos_fault SET state = 'failed', message = ?, ended_at = ? WHERE id = ?", body.message, meta.at, body.fault)
    addEvent(db, body.run, meta, `not armed: ${nameOf(db, body.fault)}: ${body.message}`)
  },
})

/** Intent of the undo. The first one of a run that is not broken off begins its way back. */
export const revertFault = defineEntry({
  type: 'chaos.RevertFault',
  body: z.object({ ...about, cause: z.string() }),
  apply: (db, body, meta) => {
    db.run("UPDATE chaos_fault SET state = 'reverting', asked_at = ? WHERE id = ? AND state IN ('arming', 'armed')", meta.at, body.fault)
    addEvent(db, body.run, meta, `undo ${nameOf(db, body.fault)}: ${body.cause}`)
  },
})

export const faultReverted = defineEntry({
  type: 'chaos.FaultReverted',
  /** `by`: order, end, lease, ledger, … ; effect −1: not known anew */
  body: z.object({ ...about, by: z.string(), effect: z.int() }),
  apply: (db, body, meta) => {
    db.run(
      "UPDATE chaos_fault SET state = 'reverted', message = ?, ended_at = ?, effect = MAX(effect, ?) WHERE id = ? AND state NOT IN ('reverted', 'failed')",
      body.by,
      meta.at,
      body.effect,
      body.fault,
    )
    addEvent(db, body.run, meta, `undone: ${nameOf(db, body.fault)} (${body.by})`)
  },
})

/** Its undo failed: somebody must look at the node. */
export const faultLeaked = defineEntry({
  type: 'chaos.FaultLeaked',
  body: z.object({ ...about, message: z.string() }),
  notable: (body, db) => runNote(db, body.run, 'chaos-leak', `fault ${nameOf(db, body.fault)} could not be undone: ${body.message}`),
  apply: (db, body, meta) => {
    db.run("UPDATE chaos_fault SET state = 'leaked', message = ?, ended_at = ? WHERE id = ?", body.message, meta.at, body.fault)
    addEvent(db, body.run, meta, `LEAKED: ${nameOf(db, body.fault)}: ${body.message}`)
  },
})

export const FAULT_ENTRIES = [armFault, faultArmed, faultFailed, revertFault, faultReverted, faultLeaked] as const
