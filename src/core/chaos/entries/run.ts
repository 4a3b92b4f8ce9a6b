import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { addEvent, runNote } from './define.ts'

const run = z.string()
const json = z.record(z.string(), z.unknown())

export const chaosRunProposed = defineEntry({
  type: 'chaos.ChaosRunProposed',
  body: z.object({
    run,
    title: z.string(),
    digest: z.string(),
    experiment: json,
    plan: json,
    service: z.string().nullable(),
    reason: z.string(),
  }),
  apply: (db, body, meta) => {
    db.run(
      `INSERT INTO chaos_run (id, position, title, digest, experiment, plan, state, service, since_ms, reason, author, at)
       VALUES (?, ?, ?, ?, ?, ?, 'baseline', ?, ?, ?, ?, ?)`,
      body.run,
      meta.position,
      body.title,
      body.digest,
      canonicalJson(body.experiment),
      canonicalJson(body.plan),
      body.service,
      meta.at,
      body.reason,
      meta.actor,
      meta.at,
    )
    addEvent(db, body.run, meta, `proposed: ${body.title}`)
  },
})

/** All gates were open and the targets' scopes are locked. */
export const chaosRunAdmitted = defineEntry({
  type: 'chaos.ChaosRunAdmitted',
  body: z.object({ run, gates: z.array(z.string()) }),
  apply: (db, body, meta) =>
    addEvent(db, body.run, meta, `admitted: ${body.gates.join(', ')}; the hypothesis is watched before anything is broken`),
})

/** The baseline held: faults are armed from here on. The plan may differ from the proposed one where tasks were replaced meanwhile. */
export const chaosRunStarted = defineEntry({
  type: 'chaos.ChaosRunStarted',
  body: z.object({ run, plan: json, service: z.string().nullable() }),
  notable: (body, db) => runNote(db, body.run, 'chaos', `chaos run ${body.run} started`),
  apply: (db, body, meta) => {
    db.run(
      "UPDATE chaos_run SET state = 'arming', since_ms = ?, started_at = ?, plan = ? WHERE id = ?",
      meta.at,
      meta.at,
      canonicalJson(body.plan),
      body.run,
    )
    addEvent(db, body.run, meta, 'the baseline held; faults are armed')
  },
})

export const chaosRunObserving = defineEntry({
  type: 'chaos.ChaosRunObserving',
  body: z.object({ run }),
  apply: (db, body, meta) => {
    db.run("UPDATE chaos_run SET state = 'observing', since_ms = ?, observing_at = ? WHERE id = ?", meta.at, meta.at, body.run)
    addEvent(db, body.run, meta, 'armed; guards and hypothesis are watched')
  },
})

export const chaosGuardBreached = defineEntry({
  type: 'chaos.ChaosGuardBreached',
  body: z.object({
    run,
    check: z.string(),
    kind: z.enum(['hypothesis', 'guard']),
    status: z.enum(['breach', 'blind']),
    value: z.number().nullable(),
    bounds: z.string(),
  }),
  notable: (body, db) =>
    runNote(
      db,
      body.run,
      'chaos-guard',
      `${body.kind} "${body.check}" ${body.status === 'blind' ? 'has no data' : `is ${body.value}, allowed is ${body.bounds}`}`,
    ),
  apply: (db, body, meta) =>
    addEvent(
      db,
      body.run,
      meta,
      `${body.kind} "${body.check}": ${body.status === 'blind' ? 'no data' : `${body.value}, allowed is ${body.bounds}`}`,
    ),
})

export const chaosRunAborting = defineEntry({
  type: 'chaos.ChaosRunAborting',
  body: z.object({ run, cause: z.enum(['breach', 'blind', 'stopped', 'halted', 'sev', 'rollout', 'fault-failed']), reason: z.string() }),
  notable: (body, db) => runNote(db, body.run, 'chaos-abort', `chaos run ${body.run} is broken off: ${body.reason}`),
  apply: (db, body, meta) => {
    db.run(
      "UPDATE chaos_run SET state = 'aborting', since_ms = ?, cause = ?, reason = ? WHERE id = ?",
      meta.at,
      body.cause,
      body.reason,
      body.run,
    )
    addEvent(db, body.run, meta, `broken off: ${body.reason}`)
  },
})

/** Every fault is undone; what is left is to see the service well again. */
export const chaosRunVerifying = defineEntry({
  type: 'chaos.ChaosRunVerifying',
  body: z.object({ run }),
  apply: (db, body, meta) => {
    db.run("UPDATE chaos_run SET state = 'verifying', since_ms = ?, undone_at = ? WHERE id = ?", meta.at, meta.at, body.run)
    addEvent(db, body.run, meta, 'every fault is undone')
  },
})

export const chaosRunClosed = defineEntry({
  type: 'chaos.ChaosRunClosed',
  body: z.object({
    run,
    service: z.string().nullable(),
    verdict: z.enum(['held', 'deviated', 'inconclusive', 'not-run']),
    reason: z.string(),
    summary: json,
  }),
  notable: (body, db) =>
    runNote(db, body.run, 'chaos', `chaos run ${body.run} ended: ${body.verdict}${body.reason === '' ? '' : `, ${body.reason}`}`),
  apply: (db, body, meta) => {
    db.run(
      "UPDATE chaos_run SET state = 'closed', since_ms = ?, ended_at = ?, verdict = ?, reason = ?, summary = ? WHERE id = ?",
      meta.at,
      meta.at,
      body.verdict,
      body.reason,
      canonicalJson(body.summary),
      body.run,
    )
    addEvent(db, body.run, meta, `closed: ${body.verdict}${body.reason === '' ? '' : `, ${body.reason}`}`)
  },
})

export const RUN_ENTRIES = [
  chaosRunProposed,
  chaosRunAdmitted,
  chaosRunStarted,
  chaosRunObserving,
  chaosGuardBreached,
  chaosRunAborting,
  chaosRunVerifying,
  chaosRunClosed,
] as const
