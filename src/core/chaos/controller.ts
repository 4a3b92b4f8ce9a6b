import type { Controller } from '../contracts/controller.ts'
import type { Proposal } from '../contracts/entry.ts'
import { unreachable } from '../kernel/assert.ts'
import { liveRuns } from './rows.ts'
import { decideArmed, decideBaseline, decideVerifying, takeBack, viewOf, type Next, type RunView } from './run/step.ts'
import { NO_SOFT, type ChaosSoft } from './soft.ts'

export function decideRun(view: RunView): Next {
  const { state } = view.run
  switch (state) {
    case 'baseline':
      return decideBaseline(view)
    case 'arming':
    case 'observing':
      return decideArmed(view)
    case 'aborting':
      return takeBack(view)
    case 'verifying':
      return decideVerifying(view)
    case 'closed':
      return { entries: [], wakeAt: null }
    default:
      return unreachable(state)
  }
}

/**
 * Moves every live run. What was measured may be lost at any time: then nothing new is armed, no lease is renewed, and
 * what stands ends by itself.
 */
export const runsController: Controller<ChaosSoft | undefined> = {
  name: 'chaos.runs',
  wakes: ['chaos.', 'sev.', 'deploy.', 'tw.'],
  decide: (db, now, soft) => {
    const entries: Proposal[] = []
    let wakeAt: number | null = null
    for (const run of liveRuns(db)) {
      const next = decideRun(viewOf(db, now, run, (soft ?? NO_SOFT).run(run.id)))
      entries.push(...next.entries)
      if (next.wakeAt !== null) wakeAt = Math.min(wakeAt ?? Infinity, next.wakeAt)
    }
    return { entries, wakeAt }
  },
}
