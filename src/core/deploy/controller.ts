import type { Controller } from '../contracts/controller.ts'
import type { Proposal } from '../contracts/entry.ts'
import type { ReadDb } from '../contracts/storage.ts'
import { unreachable } from '../kernel/assert.ts'
import { jobStatus } from '../tw/queries.ts'
import { decidePreparing, decideQueued } from './rollout/begin.ts'
import { decideHome, goHome, tidySplit } from './rollout/home.ts'
import { decideHeld, decideStepping } from './rollout/stepping.ts'
import { act, ownerOf, viewOf, wait, type Next, type RolloutView } from './rollout/view.ts'
import { lastRolloutOf, rolloutsInFlight, type RolloutState } from './rows.ts'
import { NO_EVIDENCE, type DeploySoft } from './soft.ts'

/** States in which nobody else may change the job. */
const OWNS_JOB: ReadonlySet<RolloutState> = new Set(['preparing', 'stepping', 'held', 'baking'])

/** One transition at most: its entries wake the controller again. */
export function decideRollout(view: RolloutView): Next {
  const { state } = view.row
  if (OWNS_JOB.has(state) && jobStatus(view.db, view.row.job)?.owner !== ownerOf(view.row)) {
    return act(...goHome(view.db, view.now, view.row, 'aborted', `the job ${view.row.job} was taken over or stopped`))
  }
  switch (state) {
    case 'queued':
      return decideQueued(view)
    case 'preparing':
      return decidePreparing(view)
    case 'stepping':
    case 'baking':
      return decideStepping(view)
    case 'held':
      return decideHeld(view)
    case 'rolling-back':
      return decideHome(view)
    case 'succeeded':
    case 'rolled-back':
    case 'superseded':
    case 'expired':
      return wait(null)
    default:
      return unreachable(state)
  }
}

/** Services whose last rollout has ended and whose split still stands. */
function tidyEnded(db: ReadDb, now: number): Proposal[] {
  const services = db.all<{ service: string }>('SELECT service FROM deploy_service ORDER BY service')
  return services.flatMap(({ service }) => {
    const last = lastRolloutOf(db, service)
    return last && last.ended_at !== null ? tidySplit(db, now, last) : []
  })
}

/**
 * Moves every rollout in flight. Everything it goes by is in the state or, for evidence, read again from scuba, so it
 * goes on after any crash; no share rises before evidence of the present epoch is there.
 */
export const rolloutController: Controller<DeploySoft | undefined> = {
  name: 'deploy.rollout',
  wakes: ['deploy.', 'tw.', 'delos.Scope', 'sev.Incident', 'scuba.Slo'],
  decide: (db, now, soft) => {
    const entries: Proposal[] = []
    let wakeAt: number | null = null
    for (const row of rolloutsInFlight(db)) {
      const next = decideRollout(viewOf(db, now, row, (soft ?? NO_EVIDENCE).evidence(row.id)))
      entries.push(...next.entries)
      if (next.wakeAt !== null) wakeAt = Math.min(wakeAt ?? Infinity, next.wakeAt)
    }
    entries.push(...tidyEnded(db, now))
    return { entries, wakeAt }
  },
}
