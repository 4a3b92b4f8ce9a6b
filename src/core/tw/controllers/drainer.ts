import { isSystem } from '../job-kind.ts'
import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { drainFinished, drainOverdue } from '../entries/drains.ts'
import { jobRow, taskName, type DrainRow, type TaskRow } from '../rows.ts'
import type { TwSoft } from '../soft.ts'
import { tasksOnNode } from '../tasks/read.ts'
import { earliest } from './wake.ts'

/**
 * Ends drains: complete once the agent reported every process gone. That tasks leave is the reconciler's, as ops, which at a hard deadline are
 * forced. A deadline that is not hard is only said to have passed. Thousands of nodes may be drained at once, so of those that wait only what
 * decides is read.
 */
export const drainer: Controller<TwSoft> = {
  name: 'tw.drain',
  wakes: ['tw.Drain', 'tw.Tasks', 'tw.MaintenanceExtended'],
  decide: (db, now) => {
    const entries: Proposal[] = []
    const wakes: (number | null)[] = []
    const drains = db.all<DrainRow & { isEmpty: number }>(
      `SELECT d.*, coalesce(length(l.runs), 0) = 0 AS isEmpty FROM tw_drain d LEFT JOIN tw_node_load l ON l.name = d.node
       WHERE d.finished_at IS NULL ORDER BY d.node`,
    )
    for (const drain of drains) {
      if (drain.isEmpty || (drain.ignores_system && leftOn(db, drain).length === 0)) {
        entries.push(drainFinished.of({ node: drain.node, isComplete: true }))
        continue
      }
      if (drain.is_hard || drain.is_late || drain.deadline_at === null) continue
      if (now < drain.deadline_at) wakes.push(drain.deadline_at)
      else entries.push(drainOverdue.of({ node: drain.node, left: leftOn(db, drain).map(taskName).sort() }))
    }
    return { entries, wakeAt: earliest(wakes) }
  },
}

/** What the drain still waits for. */
function leftOn(db: ReadDb, drain: DrainRow): TaskRow[] {
  return tasksOnNode(db, drain.node).filter((task) => !drain.ignores_system || !isSystem(jobRow(db, task.job)?.kind))
}
