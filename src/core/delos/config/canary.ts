import type { Controller } from '../../contracts/controller.ts'
import { configRolledBack } from '../entries/config.ts'
import { canaries } from './rows.ts'

/** Ends trials that nobody judged in time: no data is never a pass. */
export const canaryController: Controller = {
  name: 'delos.canary',
  wakes: ['delos.Config'],
  decide: (db, now) => {
    let wakeAt: number | null = null
    const entries = canaries(db).flatMap(({ name, service, active, proposed, canary_until: until }) => {
      if (until === null || proposed === null || active === null) return []
      if (until > now) {
        wakeAt = Math.min(wakeAt ?? until, until)
        return []
      }
      return [configRolledBack.of({ name, service, version: proposed, to: active, reason: 'no verdict in time' })]
    })
    return { entries, wakeAt }
  },
}
