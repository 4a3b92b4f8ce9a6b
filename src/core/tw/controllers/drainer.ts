import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import { drainFinished, drainOverdue } from '../entries/drains.ts'
import { stopTask } from '../entries/tasks.ts'
import { jobRow, taskName, type DrainRow } from '../rows.ts'
import type { TwSoft } from '../soft.ts'
import { tasksOnNode } from '../tasks/read.ts'
import { earliest } from './wake.ts'

/**
 * Ends drains: complete once the agent reported every process gone. Moving the tasks of services is the reconciler's, as ops; those of
 * batch jobs run to their end there, or are stopped at a hard deadline. A deadline that is not hard is only said to have passed.
 */
export const drainer: Controller<TwSoft> = {
  name: 'tw.drain',
  wakes: ['tw.Drain', 'tw.Tasks', 'tw.Stop', 'tw.Op', 'tw.NodeLost'],
  decide: (db, now) => {
    const entries: Proposal[] = []
    const wakes: (number | null)[] = []
    for (const drain of db.all<DrainRow>('SELECT * FROM tw_drain WHERE finished_at IS NULL ORDER BY node')) {
      const kindOf = (job: string): string => jobRow(db, job)?.kind ?? ''
      const left = tasksOnNode(db, drain.node).filter((task) => !drain.ignores_system || !isSystem(kindOf(task.job)))
      if (left.length === 0) {
        entries.push(drainFinished.of({ node: drain.node, isComplete: true }))
      } else if (drain.deadline_at === null || now < drain.deadline_at) {
        wakes.push(drain.deadline_at)
      } else if (drain.is_hard) {
        const ids = left.filter((task) => task.want === 'run' && kindOf(task.job) !== 'service').map((task) => task.id)
        if (ids.length > 0) entries.push(stopTask.of({ ids, cause: `drain of ${drain.node}: deadline` }))
      } else if (!drain.is_late) {
        entries.push(drainOverdue.of({ node: drain.node, left: left.map(taskName).sort() }))
      }
    }
    return { entries, wakeAt: earliest(wakes) }
  },
}

/** One of each node: such tasks leave a drained node last, and have nowhere else to go. */
export function isSystem(kind: string): boolean {
  return kind === 'system' || kind === 'sysbatch'
}
