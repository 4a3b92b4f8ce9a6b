import type { Proposal } from '../../contracts/entry.ts'
import { configActivated, configCanaryJudged, configRolledBack } from '../entries/config.ts'
import type { Verdict } from './schema.ts'

/** A version on trial, and the one that the other readers have. */
export interface Trial {
  name: string
  version: number
  service: string | null
  active: number
}

/** Entries by which a trial ends with a verdict, whoever gave it. */
export function judged({ name, version, service, active }: Trial, verdict: Verdict, reason: string): Proposal[] {
  const which = { name, version, service }
  const outcome =
    verdict === 'pass'
      ? configActivated.of({ ...which, previous: active })
      : configRolledBack.of({ ...which, to: active, reason: reason === '' ? 'judged bad' : reason })
  return [configCanaryJudged.of({ name, version, verdict, reason }), outcome]
}
