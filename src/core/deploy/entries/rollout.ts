import { z } from 'zod'
import { defineEntry, type EntryMeta } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { formatShare } from '../../kernel/units.ts'
import { evidenceSchema } from '../evidence.ts'
import { profileSchema } from '../profile.ts'
import { rolloutRow } from '../rows.ts'
import { addEvent, rolloutName, rolloutNote } from './define.ts'

const rollout = z.int().min(1)

/** Somebody wants a service on another release. Its position is the rollout's id. */
export const rolloutRequested = defineEntry({
  type: 'deploy.RolloutRequested',
  body: z.object({
    kind: z.enum(['forward', 'rollback']),
    service: z.string(),
    job: z.string(),
    group: z.string(),
    release: z.string(),
    version: z.int(),
    fromRelease: z.string(),
    fromVersion: z.int(),
    tasks: z.int().min(0),
    profile: profileSchema,
    sticky: z.string().nullable(),
    reason: z.string(),
  }),
  notable: (body) => ({
    system: 'deploy',
    kind: body.kind === 'rollback' ? 'rollback' : 'deploy',
    target: body.release,
    service: body.service,
    text: `${body.kind === 'rollback' ? 'rollback' : 'rollout'} of ${body.service} from ${body.fromRelease} to ${body.release} requested (profile ${body.profile.name})${body.reason ? `: ${body.reason}` : ''}`,
  }),
  apply: (db, body, meta) => {
    db.run(
      `INSERT INTO deploy_rollout (id, kind, service, job, grp, release, version, from_release, from_version, tasks, profile, sticky, state, step, epoch,
        canary_tasks, since_ms, deadline_ms, gate_from_ms, held_cause, held_text, promoted_to, cause, cause_text, is_stuck, author, reason, at, ended_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', -1, 0, 0, ?, ?, ?, NULL, NULL, 0, NULL, NULL, 0, ?, ?, ?, NULL)`,
      meta.position,
      body.kind,
      body.service,
      body.job,
      body.group,
      body.release,
      body.version,
      body.fromRelease,
      body.fromVersion,
      body.tasks,
      canonicalJson(body.profile),
      body.sticky,
      meta.at,
      meta.at + body.profile.deadlines.queuedMs,
      meta.at,
      meta.actor,
      body.reason,
      meta.at,
    )
    addEvent(
      db,
      meta.position,
      meta,
      'requested',
      `${body.fromRelease} → ${body.release}, profile ${body.profile.name}${body.reason ? `: ${body.reason}` : ''}`,
    )
  },
})

/** Intent: tasks of the new release are being started; the split of this epoch keeps all traffic on the old one. */
export const startCanary = defineEntry({
  type: 'deploy.StartCanary',
  body: z.object({
    rollout,
    tasks: z.int().min(1),
    fromVersion: z.int(),
    fromRelease: z.string(),
    jobTasks: z.int().min(1),
    epoch: z.int(),
    deadlineMs: z.int(),
  }),
  apply: (db, body, meta) => {
    db.run(
      `UPDATE deploy_rollout SET state = 'preparing', canary_tasks = ?, from_version = ?, from_release = ?, tasks = ?, epoch = ?, since_ms = ?, deadline_ms = ? WHERE id = ?`,
      body.tasks,
      body.fromVersion,
      body.fromRelease,
      body.jobTasks,
      body.epoch,
      meta.at,
      body.deadlineMs,
      body.rollout,
    )
    addEvent(db, body.rollout, meta, 'canary', `starting ${body.tasks} tasks of the new release`)
  },
})

export const canaryStarted = defineEntry({
  type: 'deploy.CanaryStarted',
  body: z.object({ rollout, tasks: z.int() }),
  notable: (body, db) =>
    rolloutNote(db, body.rollout, 'canary', (service, release) => `${body.tasks} canary tasks of ${release} are healthy on ${service}`),
  apply: (db, body, meta) => addEvent(db, body.rollout, meta, 'canary', `${body.tasks} tasks healthy`),
})

/** The rollout may go to this step's share: the first step by its request, each other one by the `pass` of the step before. */
export const rolloutStepEntered = defineEntry({
  type: 'deploy.RolloutStepEntered',
  body: z.object({
    rollout,
    step: z.int().min(0),
    sharePpm: z.int(),
    tasks: z.int().min(1),
    epoch: z.int(),
    deadlineMs: z.int(),
  }),
  notable: (body, db) =>
    rolloutNote(db, body.rollout, 'deploy-step', (service, release) => `${release} goes to ${formatShare(body.sharePpm)} of ${service}`),
  apply: (db, body, meta) => {
    db.run('UPDATE deploy_rollout_step SET ended_at = ? WHERE rollout = ? AND ended_at IS NULL', meta.at, body.rollout)
    db.run(
      'INSERT OR REPLACE INTO deploy_rollout_step (rollout, step, share_ppm, entered_at, ended_at, verdict) VALUES (?, ?, ?, ?, NULL, NULL)',
      body.rollout,
      body.step,
      body.sharePpm,
      meta.at,
    )
    db.run(
      `UPDATE deploy_rollout SET state = ?, step = ?, canary_tasks = ?, epoch = ?, since_ms = ?, gate_from_ms = ?, deadline_ms = ? WHERE id = ?`,
      body.sharePpm === 1_000_000 ? 'baking' : 'stepping',
      body.step,
      body.tasks,
      body.epoch,
      meta.at,
      meta.at,
      body.deadlineMs,
      body.rollout,
    )
    addEvent(db, body.rollout, meta, 'step', `step ${body.step + 1}: ${formatShare(body.sharePpm)}`)
  },
})

/** What the judge said, with its integers: replaying never computes a verdict anew. */
export const stepVerdict = defineEntry({
  type: 'deploy.StepVerdict',
  body: z.object({
    rollout,
    step: z.int().min(0),
    verdict: z.enum(['pass', 'fail', 'inconclusive', 'blind']),
    reason: z.string(),
    evidence: evidenceSchema.nullable(),
  }),
  notable: (body, db) =>
    body.verdict === 'pass'
      ? null
      : rolloutNote(db, body.rollout, 'verdict', (service, release) => `${release} on ${service}: ${body.verdict} (${body.reason})`),
  apply: (db, body, meta) => {
    db.run(
      'INSERT INTO deploy_verdict (position, rollout, step, at, verdict, reason, evidence) VALUES (?, ?, ?, ?, ?, ?, ?)',
      meta.position,
      body.rollout,
      body.step,
      meta.at,
      body.verdict,
      body.reason,
      body.evidence === null ? null : canonicalJson(body.evidence),
    )
    db.run('UPDATE deploy_rollout_step SET verdict = ? WHERE rollout = ? AND step = ?', body.verdict, body.rollout, body.step)
    addEvent(db, body.rollout, meta, 'verdict', `step ${body.step + 1}: ${body.verdict} (${body.reason})`)
  },
})

export const rolloutHeld = defineEntry({
  type: 'deploy.RolloutHeld',
  body: z.object({ rollout, cause: z.enum(['paused', 'blind', 'inconclusive', 'halted']), text: z.string(), deadlineMs: z.int() }),
  notable: (body, db) =>
    rolloutNote(
      db,
      body.rollout,
      'deploy-held',
      (service, release) => `rollout of ${release} on ${service} held, ${body.cause}: ${body.text}`,
    ),
  apply: (db, body, meta) => {
    db.run(
      "UPDATE deploy_rollout SET state = 'held', held_cause = ?, held_text = ?, since_ms = ?, deadline_ms = ? WHERE id = ?",
      body.cause,
      body.text,
      meta.at,
      body.deadlineMs,
      body.rollout,
    )
    addEvent(db, body.rollout, meta, 'held', `${body.cause}: ${body.text}`)
  },
})

/** Goes on judging at the same share: evidence of harm is kept, the gate starts again. */
export const rolloutResumed = defineEntry({
  type: 'deploy.RolloutResumed',
  body: z.object({ rollout, text: z.string() }),
  notable: (body, db) =>
    rolloutNote(db, body.rollout, 'deploy-resumed', (service, release) => `rollout of ${release} on ${service} resumed: ${body.text}`),
  apply: (db, body, meta) => {
    const row = rolloutRow(db, body.rollout)
    if (!row) return
    const share =
      db.get<{ share_ppm: number }>('SELECT share_ppm FROM deploy_rollout_step WHERE rollout = ? AND step = ?', row.id, row.step)
        ?.share_ppm ?? 0
    db.run(
      'UPDATE deploy_rollout SET state = ?, held_cause = NULL, held_text = NULL, since_ms = ?, gate_from_ms = ?, deadline_ms = NULL WHERE id = ?',
      share === 1_000_000 ? 'baking' : 'stepping',
      meta.at,
      meta.at,
      body.rollout,
    )
    addEvent(db, body.rollout, meta, 'resumed', body.text)
  },
})

/** A person skips the remaining wait of the steps below `upTo`; the judge still has to see no harm. */
export const rolloutPromoted = defineEntry({
  type: 'deploy.RolloutPromoted',
  body: z.object({ rollout, upTo: z.int().min(1), reason: z.string() }),
  notable: (body, db) =>
    rolloutNote(
      db,
      body.rollout,
      'deploy-promoted',
      (service, release) => `waits of the rollout of ${release} on ${service} skipped${body.reason ? `: ${body.reason}` : ''}`,
    ),
  apply: (db, body, meta) => {
    db.run('UPDATE deploy_rollout SET promoted_to = ? WHERE id = ?', body.upTo, body.rollout)
    addEvent(db, body.rollout, meta, 'promoted', body.reason || 'remaining wait skipped')
  },
})

export const breakerTripped = defineEntry({
  type: 'deploy.BreakerTripped',
  body: z.object({ rollout, rule: z.enum(['failing', 'availability', 'unhealthy', 'restarts']), text: z.string() }),
  notable: (body, db) =>
    rolloutNote(db, body.rollout, 'breaker', (service, release) => `breaker tripped for ${release} on ${service}: ${body.text}`),
  apply: (db, body, meta) => addEvent(db, body.rollout, meta, 'breaker', body.text),
})

/** Intent: the share goes to 0 at once. Asks no guard, halt or approval. */
export const rollBack = defineEntry({
  type: 'deploy.RollBack',
  body: z.object({
    rollout,
    cause: z.enum([
      'errors',
      'latency',
      'srm',
      'breaker',
      'aborted',
      'blind',
      'inconclusive',
      'paused',
      'preparing',
      'shifting',
      'halted',
      'superseded',
      'rollback',
    ]),
    text: z.string(),
    epoch: z.int(),
    deadlineMs: z.int(),
  }),
  notable: (body, db) =>
    rolloutNote(db, body.rollout, 'rollback', (service, release) => `${release} on ${service} rolled back (${body.cause}): ${body.text}`),
  apply: (db, body, meta) => {
    db.run(
      "UPDATE deploy_rollout SET state = 'rolling-back', epoch = ?, cause = ?, cause_text = ?, since_ms = ?, deadline_ms = ?, held_cause = NULL, held_text = NULL WHERE id = ?",
      body.epoch,
      body.cause,
      body.text,
      meta.at,
      body.deadlineMs,
      body.rollout,
    )
    addEvent(db, body.rollout, meta, 'rollback', `${body.cause}: ${body.text}`)
  },
})

/** Not every proxy has acknowledged 0 % in time. */
export const rollbackStuck = defineEntry({
  type: 'deploy.RollbackStuck',
  body: z.object({ rollout }),
  notable: (body, db) =>
    rolloutNote(
      db,
      body.rollout,
      'rollback-stuck',
      (service, release) => `rollback of ${release} on ${service} is not acknowledged by every proxy yet`,
    ),
  apply: (db, body, meta) => {
    db.run('UPDATE deploy_rollout SET is_stuck = 1, deadline_ms = NULL WHERE id = ?', body.rollout)
    addEvent(db, body.rollout, meta, 'rollback-stuck', 'a proxy has not acknowledged 0 % yet')
  },
})

function end(db: Db, id: number, state: string, meta: EntryMeta, text: string): void {
  db.run('UPDATE deploy_rollout_step SET ended_at = ? WHERE rollout = ? AND ended_at IS NULL', meta.at, id)
  db.run(
    'UPDATE deploy_rollout SET state = ?, since_ms = ?, deadline_ms = NULL, ended_at = ?, is_stuck = 0, held_cause = NULL, held_text = NULL WHERE id = ?',
    state,
    meta.at,
    meta.at,
    id,
  )
  addEvent(db, id, meta, state, text)
}

/** Every proxy sends all traffic to the old release. */
export const rolledBack = defineEntry({
  type: 'deploy.RolledBack',
  body: z.object({ rollout }),
  notable: (body, db) =>
    rolloutNote(db, body.rollout, 'rolled-back', (service, release) => `${service} is back on its old release; ${release} has 0 %`),
  apply: (db, body, meta) => end(db, body.rollout, 'rolled-back', meta, 'all traffic is on the old release'),
})

export const rolloutSuperseded = defineEntry({
  type: 'deploy.RolloutSuperseded',
  body: z.object({ rollout }),
  notable: (body, db) =>
    rolloutNote(db, body.rollout, 'superseded', (service, release) => `rollout of ${release} on ${service} superseded by a newer one`),
  apply: (db, body, meta) => end(db, body.rollout, 'superseded', meta, 'superseded by a newer rollout'),
})

export const rolloutExpired = defineEntry({
  type: 'deploy.RolloutExpired',
  body: z.object({ rollout, text: z.string() }),
  notable: (body, db) =>
    rolloutNote(
      db,
      body.rollout,
      'expired',
      (service, release) => `rollout of ${release} on ${service} ended before it began: ${body.text}`,
    ),
  apply: (db, body, meta) => end(db, body.rollout, 'expired', meta, body.text),
})

export const rolloutSucceeded = defineEntry({
  type: 'deploy.RolloutSucceeded',
  body: z.object({ rollout }),
  notable: (body, db) => rolloutNote(db, body.rollout, 'deployed', (service, release) => `${service} runs ${release}`),
  apply: (db, body, meta) => {
    const row = rolloutRow(db, body.rollout)
    if (!row) return
    db.run("UPDATE deploy_release SET state = 'good' WHERE id = ?", row.release)
    db.run('UPDATE deploy_service SET release = ? WHERE service = ?', row.release, row.service)
    end(db, body.rollout, 'succeeded', meta, `${row.service} runs ${row.release} (${rolloutName(row.id)})`)
  },
})

export const ROLLOUT_ENTRIES = [
  rolloutRequested,
  startCanary,
  canaryStarted,
  rolloutStepEntered,
  stepVerdict,
  rolloutHeld,
  rolloutResumed,
  rolloutPromoted,
  breakerTripped,
  rollBack,
  rollbackStuck,
  rolledBack,
  rolloutSuperseded,
  rolloutExpired,
  rolloutSucceeded,
] as const
