import type { Outcome } from '../../../core/delos/virtual-log/reconfigure.ts'
import type { ErrorCode } from '../../../core/kernel/error-table.ts'

/** Why an operator's call was not carried out. */
export interface Refusal {
  code: ErrorCode
  message: string
}

export function refusalOf(outcome: Exclude<Outcome, { kind: 'done' }>): Refusal {
  if (outcome.kind === 'lost')
    return { code: 'DELOS_RECONFIGURE_LOST', message: `version ${outcome.value.version} was decided instead, after ${outcome.tries} tries` }
  if (outcome.kind === 'refused') return { code: 'DELOS_RECONFIGURE_REFUSED', message: outcome.problem }
  return { code: 'DELOS_RECONFIGURE_UNFINISHED', message: `it stopped at the step ${outcome.phase}: ${outcome.problem}` }
}
