import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { because, note } from './marks.ts'

const key = { job: z.string(), group: z.string() }

/** A group goes from one version to another; an `UpdateTargetSet` beside it says how many of each it wants first. */
export const updateStarted = defineEntry({
  type: 'tw.UpdateStarted',
  body: z.object({ ...key, from: z.int(), to: z.int(), total: z.int().min(0), state: z.enum(['running', 'canary']) }),
  apply: (db, body, meta) => {
    db.run('DELETE FROM tw_update WHERE job = ? AND grp = ?', body.job, body.group)
    db.run(
      `INSERT INTO tw_update (job, grp, from_version, to_version, total, state, started_at, healthy, progress_at, reason)
       VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, '')`,
      body.job,
      body.group,
      body.from,
      body.to,
      body.total,
      body.state,
      meta.at,
      meta.at,
    )
  },
})

/** A person holds an update, lets it go on, or lets it come further; its clock of progress starts anew. */
export const updateSteered = defineEntry({
  type: 'tw.UpdateSteered',
  body: z.object({ ...key, state: z.enum(['running', 'canary', 'paused']), reason: z.string() }),
  notable: (body) =>
    note('update', `${body.job}/${body.group}`, null, `update of ${body.job}/${body.group}: ${body.state}${because(body.reason)}`),
  apply: (db, body, meta) => {
    db.run(
      'UPDATE tw_update SET state = ?, progress_at = ?, reason = ? WHERE job = ? AND grp = ?',
      body.state,
      meta.at,
      body.reason,
      body.job,
      body.group,
    )
  },
})

/** One more new task is healthy than ever before. */
export const updateProgressed = defineEntry({
  type: 'tw.UpdateProgressed',
  body: z.object({ ...key, healthy: z.int() }),
  apply: (db, body, meta) => {
    db.run('UPDATE tw_update SET healthy = ?, progress_at = ? WHERE job = ? AND grp = ?', body.healthy, meta.at, body.job, body.group)
  },
})

/** An update has come to its end. */
export const updateFinished = defineEntry({
  type: 'tw.UpdateFinished',
  body: z.object({ ...key, outcome: z.enum(['done', 'failed']), reason: z.string() }),
  notable: (body) =>
    note('update', `${body.job}/${body.group}`, null, `update of ${body.job}/${body.group} ${body.outcome}${because(body.reason)}`),
  apply: (db, body) => {
    db.run('UPDATE tw_update SET state = ?, reason = ? WHERE job = ? AND grp = ?', body.outcome, body.reason, body.job, body.group)
  },
})

export const UPDATE_ENTRIES = [updateStarted, updateSteered, updateProgressed, updateFinished] as const
