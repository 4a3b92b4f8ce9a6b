import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import { drainFinished } from '../entries/nodes.ts'
import { stopTask } from '../entries/tasks.ts'
import { jobRow, type DrainRow } from '../rows.ts'
import type { TwSoft } from '../soft.ts'
import { tasksOnNode } from '../tasks/read.ts'
import { earliest } from './wake.ts'

/**
 * Ends drains: complete once the agent reported every process gone. Moving the tasks of services is the reconciler's, as ops; those of
 * batch jobs run to their end there, or are stopped at a hard deadline.
 */
export const drainer: Controller<TwSoft> = {
  name: 'tw.drain',
  wakes: ['tw.Drain', 'tw.Tasks', 'tw.Stop', 'tw.Op', 'tw.NodeLost'],
  decide: (db, now) => {
    const entries: Proposal[] = []
    const wakes: (number | null)[] = []
    for (const drain of db.all<DrainRow>('SELECT * FROM tw_drain WHERE finished_at IS NULL ORDER BY node')) {
      const left = tasksOnNode(db, drain.node)
      if (left.length === 0) {
        entries.push(drainFinished.of({ node: drain.node, isComplete: true }))
      } else if (drain.deadline_at !== null && now >= drain.deadline_at) {
        const ids = left.filter((task) => task.want === 'run' && jobRow(db, task.job)?.kind !== 'service').map((task) => task.id)
        if (ids.length > 0) entries.push(stopTask.of({ ids, cause: `drain of ${drain.node}: deadline` }))
      } else {
        wakes.push(drain.deadline_at)
      }
    }
    return { entries, wakeAt: earliest(wakes) }
  },
}
