import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { DOMAIN_LEVELS, MAINTENANCE_KINDS, maintenanceRow, WORK_STATES } from '../maintenance/rows.ts'
import { fromJson, nodeRow } from '../rows.ts'
import { because, nextOf, note } from './marks.ts'

/** Work on nodes is planned: when it may begin, on how many at once, and how long one may take. */
export const maintenanceScheduled = defineEntry({
  type: 'tw.MaintenanceScheduled',
  body: z.object({
    kind: z.enum(MAINTENANCE_KINDS),
    target: z.string(),
    works: z.array(z.object({ node: z.string(), domain: z.string() })).min(1),
    command: z.array(z.string()).nullable(),
    commandTimeoutMs: z.int(),
    window: z.string().nullable(),
    windowMs: z.int(),
    zone: z.string(),
    level: z.enum(DOMAIN_LEVELS),
    maxConcurrent: z.int().min(1),
    deadlineMs: z.int().nullable(),
    isHard: z.boolean(),
    note: z.string(),
  }),
  notable: (body) =>
    note(
      'maintenance',
      body.target,
      null,
      `maintenance (${body.kind}) of ${body.target} scheduled on ${body.works.length} nodes${because(body.note)}`,
    ),
  apply: (db, body, meta) => {
    const id = nextOf(db, 'maintenance')
    db.run(
      `INSERT INTO tw_maintenance (id, kind, target, command, command_timeout_ms, window, window_ms, zone, level, max_concurrent, deadline_ms, is_hard,
         note, author, state, created_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'scheduled', ?, NULL)`,
      id,
      body.kind,
      body.target,
      body.command === null ? null : JSON.stringify(body.command),
      body.commandTimeoutMs,
      body.window,
      body.windowMs,
      body.zone,
      body.level,
      body.maxConcurrent,
      body.deadlineMs,
      body.isHard ? 1 : 0,
      body.note,
      meta.actor,
      meta.at,
    )
    for (const { node, domain } of body.works)
      db.run(
        `INSERT INTO tw_maintenance_work (maintenance, node, domain, state, since, started_at, deadline_at, is_overdue, why, boot_id, kernel, was_cordoned,
           exit_code, output) VALUES (?, ?, ?, 'scheduled', ?, NULL, NULL, 0, '', '', '', 0, NULL, '')`,
        id,
        node,
        domain,
        meta.at,
      )
  },
})

/** A node is taken for the work; its drain starts beside this. */
export const maintenanceStarted = defineEntry({
  type: 'tw.MaintenanceStarted',
  body: z.object({ maintenance: z.int(), node: z.string() }),
  notable: (body) => note('maintenance', body.node, null, `maintenance ${body.maintenance} of ${body.node} started`),
  apply: (db, body, meta) => {
    const row = nodeRow(db, body.node)
    const deadlineMs = maintenanceRow(db, body.maintenance)?.deadline_ms ?? null
    db.run(
      `UPDATE tw_maintenance_work SET state = 'draining', since = ?, started_at = ?, deadline_at = ?, why = '', boot_id = ?, kernel = ?, was_cordoned = ?
       WHERE maintenance = ? AND node = ?`,
      meta.at,
      meta.at,
      deadlineMs === null ? null : meta.at + deadlineMs,
      row?.boot_id ?? '',
      row === undefined ? '' : (fromJson<Record<string, string>>(row.attributes)['kernel'] ?? ''),
      row?.is_cordoned ?? 0,
      body.maintenance,
      body.node,
    )
  },
})

/** The work on a node came to its next state. `output` and `exitCode` are of its command. */
export const maintenanceStepped = defineEntry({
  type: 'tw.MaintenanceStepped',
  body: z.object({
    maintenance: z.int(),
    node: z.string(),
    state: z.enum(WORK_STATES),
    why: z.string(),
    exitCode: z.int().nullable().default(null),
    output: z.string().default(''),
  }),
  notable: (body) => {
    if (body.state !== 'returned' && body.state !== 'aborted') return null
    return note('maintenance', body.node, null, `maintenance ${body.maintenance} of ${body.node} ${body.state}${because(body.why)}`)
  },
  apply: (db, body, meta) => {
    db.run(
      `UPDATE tw_maintenance_work SET state = ?, since = CASE WHEN state = ? THEN since ELSE ? END, why = ?, exit_code = coalesce(?, exit_code),
         output = CASE WHEN ? = '' THEN output ELSE ? END WHERE maintenance = ? AND node = ? AND state NOT IN ('returned', 'aborted')`,
      body.state,
      body.state,
      meta.at,
      body.why,
      body.exitCode,
      body.output,
      body.output,
      body.maintenance,
      body.node,
    )
  },
})

/** A node was not back in time. */
export const maintenanceOverdue = defineEntry({
  type: 'tw.MaintenanceOverdue',
  body: z.object({ maintenance: z.int(), node: z.string(), state: z.enum(WORK_STATES) }),
  notable: (body) =>
    note('maintenance-overdue', body.node, null, `maintenance ${body.maintenance} of ${body.node} is overdue: still ${body.state}`),
  apply: (db, body) => {
    db.run('UPDATE tw_maintenance_work SET is_overdue = 1 WHERE maintenance = ? AND node = ?', body.maintenance, body.node)
  },
})

/** What is under way may take longer; what comes later too. */
export const maintenanceExtended = defineEntry({
  type: 'tw.MaintenanceExtended',
  body: z.object({ maintenance: z.int(), byMs: z.int().min(1), note: z.string() }),
  notable: (body) => note('maintenance', String(body.maintenance), null, `maintenance ${body.maintenance} extended${because(body.note)}`),
  apply: (db, body) => {
    db.run('UPDATE tw_maintenance SET deadline_ms = deadline_ms + ? WHERE id = ?', body.byMs, body.maintenance)
    db.run(
      'UPDATE tw_maintenance_work SET deadline_at = deadline_at + ?, is_overdue = 0 WHERE maintenance = ?',
      body.byMs,
      body.maintenance,
    )
    db.run(
      `UPDATE tw_drain SET deadline_at = deadline_at + ?, is_late = 0 WHERE maintenance = ? AND finished_at IS NULL`,
      body.byMs,
      body.maintenance,
    )
  },
})

export const maintenanceFinished = defineEntry({
  type: 'tw.MaintenanceFinished',
  body: z.object({ maintenance: z.int() }),
  notable: (body) => note('maintenance', String(body.maintenance), null, `maintenance ${body.maintenance} finished`),
  apply: (db, body, meta) => {
    db.run("UPDATE tw_maintenance SET state = 'finished', ended_at = ? WHERE id = ?", meta.at, body.maintenance)
  },
})

/** No further node is taken; those that were not worked on yet are given up. */
export const maintenanceAborted = defineEntry({
  type: 'tw.MaintenanceAborted',
  body: z.object({ maintenance: z.int(), why: z.string() }),
  notable: (body) => note('maintenance', String(body.maintenance), null, `maintenance ${body.maintenance} aborted${because(body.why)}`),
  apply: (db, body, meta) => {
    db.run("UPDATE tw_maintenance SET state = 'aborted', ended_at = ? WHERE id = ?", meta.at, body.maintenance)
    db.run(
      "UPDATE tw_maintenance_work SET state = 'aborted', since = ?, why = ? WHERE maintenance = ? AND state NOT IN ('returned', 'aborted')",
      meta.at,
      body.why,
      body.maintenance,
    )
  },
})

export const MAINTENANCE_ENTRIES = [
  maintenanceScheduled,
  maintenanceStarted,
  maintenanceStepped,
  maintenanceOverdue,
  maintenanceExtended,
  maintenanceFinished,
  maintenanceAborted,
] as const
