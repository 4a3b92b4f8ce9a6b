import type { BreakerView } from './analysis/breaker.ts'
import type { JudgeState } from './analysis/judge.ts'

/** What the server measured of a rollout; it is lost with the server and read again from scuba. */
export interface RolloutEvidence {
  /** epoch of the split the judge's windows belong to */
  epoch: number
  /** the step's judge; null when there is no control to compare with */
  judge: JudgeState | null
  /** the last seconds; null: no data */
  breaker: BreakerView | null
  /** log time of the last answer of scuba */
  asOfMs: number
  /** queries refused in a row */
  failedQueries: number
}

/** Soft view of deploy's controller, given by the server. */
export interface DeploySoft {
  evidence: (rollout: number) => RolloutEvidence | null
}

export const NO_EVIDENCE: DeploySoft = { evidence: () => null }
