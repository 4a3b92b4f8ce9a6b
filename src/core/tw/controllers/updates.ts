import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { formatDuration } from '../../kernel/units.ts'
import { updateTargetSet } from '../entries/jobs.ts'
import { updateFinished, updateProgressed } from '../entries/updates.ts'
import { groupSpecOf, jobRow, specOf } from '../rows.ts'
import type { TwSoft } from '../soft.ts'
import { OVERDUE_CAUSE } from '../tasks/back-off.ts'
import { hasOverdue } from '../tasks/read.ts'
import { armsAt, updateCounts, wantedOf, type UpdateRow } from '../updates/rows.ts'
import { earliest } from './wake.ts'

/** Watches updates: notes their progress and their end, fails them at their deadlines, and takes failed ones back. */
export const updatesController: Controller<TwSoft> = {
  name: 'tw.updates',
  wakes: ['tw.Update', 'tw.Tasks', 'tw.StopTask', 'tw.Op', 'tw.GroupSized', 'tw.NodeLost'],
  decide: (db, now) => {
    const entries: Proposal[] = []
    const wakes: (number | null)[] = []
    for (const update of db.all<UpdateRow>("SELECT * FROM tw_update WHERE state IN ('running', 'canary') ORDER BY job, grp")) {
      const { proposals, wakeAt } = look(db, update, now)
      entries.push(...proposals)
      wakes.push(wakeAt)
    }
    return { entries, wakeAt: earliest(wakes) }
  },
}

function look(db: ReadDb, update: UpdateRow, now: number): { proposals: Proposal[]; wakeAt: number | null } {
  const key = { job: update.job, group: update.grp }
  const job = jobRow(db, update.job)
  const spec = groupSpecOf(specOf(db, update.job, update.to_version), update.grp)
  if (!job || job.owner !== null || !spec) return { proposals: [], wakeAt: null }
  const counts = updateCounts(db, update)
  const wanted = wantedOf(db, update)
  if (update.state === 'running' && counts.old === 0 && counts.healthy >= wanted)
    return { proposals: [updateFinished.of({ ...key, outcome: 'done', reason: '' })], wakeAt: null }
  const deadline = update.progress_at + spec.progressDeadlineMs
  const isWaiting = counts.healthy >= wanted
  const problem = hasOverdue(db, update, update.started_at)
    ? `a task was ${OVERDUE_CAUSE}`
    : !isWaiting && now >= deadline
      ? `not one more task became healthy within ${formatDuration(spec.progressDeadlineMs)}`
      : null
  if (problem !== null) {
    // Without auto_revert it stays as it is: nothing more is replaced.
    const arms = armsAt(update, spec.autoRevert ? 0 : Math.min(counts.new, wanted), update.state === 'canary' && !spec.autoRevert)
    const reason = spec.autoRevert ? `${problem}: back to version ${update.from_version}` : problem
    return {
      proposals: [
        updateFinished.of({ ...key, outcome: 'failed', reason }),
        updateTargetSet.of({ ...key, owner: null, arms, count: update.total, reason: `update failed: ${problem}` }),
      ],
      wakeAt: null,
    }
  }
  const hasProgress = counts.healthy > update.healthy
  return { proposals: hasProgress ? [updateProgressed.of({ ...key, healthy: counts.healthy })] : [], wakeAt: isWaiting ? null : deadline }
}
