import type { Controller, Verdict } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { UTC, wallText } from '../../kernel/cron.ts'
import { wallOf, type ZoneTable } from '../../kernel/zone.ts'
import { jobStopped } from '../entries/jobs.ts'
import { runFinished, runsScheduled, runStarted } from '../entries/runs.ts'
import type { PeriodicSpec } from '../job-spec.ts'
import { jobRow, specOf, type JobRow } from '../rows.ts'
import { dueTimes, lastDue } from '../runs/due.ts'
import { runEnd } from '../runs/run-end.ts'
import { activeRuns, type RecurringRow, type RunRow } from '../runs/rows.ts'
import type { TwSoft } from '../soft.ts'

/** Starts what the clock says, queues or leaves out what it may not start, and notes which runs have ended. */
export const runsController: Controller<TwSoft> = {
  name: 'tw.runs',
  wakes: ['tw.Job', 'tw.Run', 'tw.Tasks', 'tw.UpdateTargetSet', 'tw.BackoffReset'],
  decide: (db, now, soft): Verdict => {
    const ended = db.all<RunRow>('SELECT * FROM tw_run WHERE finished_at IS NULL AND is_dirty = 1 ORDER BY job, n').flatMap((run) => {
      const end = runEnd(db, run.name, now)
      return end === null ? [] : [runFinished.of({ name: run.name, ...end })]
    })
    const due = db.all<RecurringRow>(
      `SELECT * FROM tw_recurring WHERE is_periodic = 1 AND is_paused = 0
         AND (next_at <= ? OR (next_at IS NULL AND note IS NULL) OR queued_at IS NOT NULL) ORDER BY job`,
      now,
    )
    const next = db.get<{ at: number | null }>(
      'SELECT min(next_at) AS at FROM tw_recurring WHERE is_periodic = 1 AND is_paused = 0 AND next_at > ?',
      now,
    )
    return { entries: [...ended, ...due.flatMap((row) => turn(db, row, now, soft))], wakeAt: next?.at ?? null }
  },
}

/** What becomes of one recurring job whose clock or queue asks for something. */
function turn(db: ReadDb, row: RecurringRow, now: number, soft: TwSoft): Proposal[] {
  const job = jobRow(db, row.job)
  const periodic = job ? specOf(db, job.name, job.current_version).periodic : null
  if (!job || !periodic) return []
  const zone = zoneOf(periodic, soft)
  if (zone === null) return [scheduled(row, [], row.after_at, `there is no time zone ${periodic.zone}`, null)]
  const active = activeRuns(db, job.name)
  const last = row.next_at !== null && row.next_at <= now ? lastDue(periodic, zone, row.after_at, now) : null
  if (last === null) {
    if (row.queued_at !== null && active.length === 0) return [started(job, 'queue', row.queued_at)]
    if (row.next_at !== null) return []
    const ahead = dueTimes(periodic, zone, row.after_at)
    return [scheduled(row, ahead, row.after_at, ahead.length === 0 ? 'no time is due any more' : null, row.queued_at)]
  }
  const said = missedText(last, zone)
  const ahead = dueTimes(periodic, zone, now)
  const busy = active[0]
  if (busy === undefined) return [started(job, 'clock', last.at), scheduled(row, ahead, now, said, null)]
  const at = wallText(wallOf(zone, last.at))
  if (periodic.overlap === 'skip') return [scheduled(row, ahead, now, `the run due at ${at} was left out: ${busy.name} goes on`, null)]
  const queued = scheduled(row, ahead, now, `the run due at ${at} waits for the end of ${busy.name}`, last.at)
  if (periodic.overlap === 'queue') return [queued]
  const running = active.filter((run) => jobRow(db, run.name)?.state === 'running')
  return [...running.map((run) => jobStopped.of({ job: run.name, reason: `replaced by the run due at ${at}` })), queued]
}

function zoneOf(periodic: PeriodicSpec, soft: TwSoft): ZoneTable | null {
  return periodic.zone === 'UTC' ? UTC : (soft.zoneOf?.(periodic.zone) ?? null)
}

function missedText(last: { at: number; missed: number }, zone: ZoneTable): string | null {
  return last.missed === 0
    ? null
    : `${last.missed} due times before ${wallText(wallOf(zone, last.at))} were missed: one run makes up for all`
}

function scheduled(row: RecurringRow, due: number[], afterAt: number, note: string | null, queuedAt: number | null): Proposal {
  return runsScheduled.of({ job: row.job, schedule: { due, afterAt, note }, queuedAt })
}

function started(job: JobRow, cause: 'clock' | 'queue', dueAt: number): Proposal {
  return runStarted.of({ job: job.name, version: job.current_version, cause, dueAt, token: null, meta: {}, payload: null, reason: '' })
}
