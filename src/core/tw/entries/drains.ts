import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { because, note } from './marks.ts'

/** Everything on a node is to move away; the node takes nothing new. The cordon stays when the drain is over. */
export const drainStarted = defineEntry({
  type: 'tw.DrainStarted',
  body: z.object({
    node: z.string(),
    deadlineMs: z.int().nullable(),
    /** started although not everything had a place elsewhere */
    isForced: z.boolean(),
    /** what is left at the deadline is stopped without regard for budget and consent; absent, in older logs: whenever there is a deadline */
    isHard: z.boolean().optional(),
    /** tasks of system jobs stay */
    ignoresSystem: z.boolean().optional(),
    /** the maintenance it belongs to */
    maintenance: z.int().nullable().optional(),
    /** the profile the node is emptied for */
    profile: z.string().nullable().optional(),
    reason: z.string(),
  }),
  notable: (body) => note('drain', body.node, null, `drain of ${body.node} started${because(body.reason)}`),
  apply: (db, body, meta) => {
    const isHard = body.isHard ?? body.deadlineMs !== null
    db.run(
      `INSERT OR REPLACE INTO tw_drain (node, deadline_at, is_hard, ignores_system, maintenance, profile, reason, author, is_forced, started_at, is_late, finished_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL)`,
      body.node,
      body.deadlineMs === null ? null : meta.at + body.deadlineMs,
      isHard ? 1 : 0,
      body.ignoresSystem ? 1 : 0,
      body.maintenance ?? null,
      body.profile ?? null,
      body.reason,
      meta.actor,
      body.isForced ? 1 : 0,
      meta.at,
    )
    db.run('UPDATE tw_node SET is_cordoned = 1, changed_at = ? WHERE name = ?', meta.at, body.node)
  },
})

/** `isComplete`: no process is left there; else the drain was called off by `undrain`, which also lifts the cordon. */
export const drainFinished = defineEntry({
  type: 'tw.DrainFinished',
  body: z.object({ node: z.string(), isComplete: z.boolean() }),
  notable: (body) =>
    note('drain', body.node, null, body.isComplete ? `drain of ${body.node} complete` : `drain of ${body.node} called off`),
  apply: (db, body, meta) => {
    if (body.isComplete) {
      db.run('UPDATE tw_drain SET finished_at = ? WHERE node = ?', meta.at, body.node)
    } else {
      db.run('DELETE FROM tw_drain WHERE node = ?', body.node)
      db.run('UPDATE tw_node SET is_cordoned = 0, changed_at = ? WHERE name = ?', meta.at, body.node)
    }
  },
})

/** The deadline of a drain that is not hard has passed, and tasks are still there. */
export const drainOverdue = defineEntry({
  type: 'tw.DrainOverdue',
  body: z.object({ node: z.string(), left: z.array(z.string()) }),
  notable: (body) => note('drain', body.node, null, `drain of ${body.node} is overdue: ${body.left.join(', ')} still there`),
  apply: (db, body) => {
    db.run('UPDATE tw_drain SET is_late = 1 WHERE node = ?', body.node)
  },
})

export const DRAIN_ENTRIES = [drainStarted, drainFinished, drainOverdue] as const
