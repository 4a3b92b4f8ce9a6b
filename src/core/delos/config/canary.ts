import type { Controller } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import { configRolledBack } from '../entries/config.ts'
import { judged } from './judged.ts'
import { canaries } from './rows.ts'
import type { Verdict } from './schema.ts'

export const CANARY = 'delos.canary'

/** What the analysis of requests says of a version on trial as of now. */
export interface Opinion {
  /** null: it cannot tell, or not yet */
  verdict: Verdict | null
  /** in words, with its numbers */
  text: string
}

/** The hook by which rollouts' analysis judges trials. */
export interface CanarySoft {
  /** null: it knows nothing of this version */
  opinion: (name: string, version: number) => Opinion | null
}

/**
 * Ends trials: a bad one as soon as that is seen, a good one when its time is over. What nobody could judge by then is rolled back,
 * because no data is never a pass. A person's verdict ends a trial at any time, and nothing is left to be decided here.
 */
export const canaryController: Controller<CanarySoft | undefined> = {
  name: CANARY,
  wakes: ['delos.Config'],
  decide: (db, now, soft) => {
    let wakeAt: number | null = null
    const entries = canaries(db).flatMap(({ name, service, active, proposed: version, canary_until: until }): Proposal[] => {
      if (until === null || version === null || active === null) return []
      const opinion = soft?.opinion(name, version) ?? null
      const trial = { name, service, version, active }
      if (opinion?.verdict === 'fail') return judged(trial, 'fail', opinion.text)
      if (until > now) {
        wakeAt = Math.min(wakeAt ?? until, until)
        return []
      }
      if (opinion?.verdict === 'pass') return judged(trial, 'pass', opinion.text)
      const why = opinion === null ? '' : `: ${opinion.text}`
      return [configRolledBack.of({ name, service, version, to: active, reason: `no verdict in time${why}` })]
    })
    return { entries, wakeAt }
  },
}
