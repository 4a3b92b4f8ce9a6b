import { RULES, type Rules } from '../../../src/core/delos/paxos/rules.ts'
import { VIRTUAL_LOG_RULES, type VirtualLogRules } from '../../../src/core/delos/virtual-log/rules.ts'

/** Defects of the virtual log, planted on purpose. */
export interface VlogMutant {
  rules?: Partial<VirtualLogRules>
  /** of the quorum loglet below */
  paxos?: Partial<Rules>
  appliesTwice?: boolean
  /** who makes a loglet's files says that it promised the driver's ballot, and has not */
  promisesNothingAhead?: boolean
  /** a journal that is read again does not give the end of what was sealed */
  forgetsEnd?: boolean
  mode: 'safety' | 'liveness'
}

export const VLOG_MUTANTS: Record<string, VlogMutant> = {
  'no-roll-forward': { rules: { rollsForward: false }, mode: 'liveness' },
  'seal-not-sticky': { paxos: { isSealSticky: false }, mode: 'safety' },
  'seal-breaks-lease': { paxos: { isSealBoundByLease: false }, mode: 'safety' },
  'register-promise-forgotten': { rules: { keepsPromise: false }, mode: 'safety' },
  'register-takes-nothing-over': { rules: { takesOver: false }, mode: 'safety' },
  'duplicate-after-retry': { appliesTwice: true, mode: 'safety' },
  'elected-without-promises': { promisesNothingAhead: true, mode: 'safety' },
  'end-forgotten': { forgetsEnd: true, mode: 'safety' },
  'skip-ignored-on-replay': { rules: { skips: false }, mode: 'liveness' },
}

export function vlogRulesOf(mutant: VlogMutant | null): { rules: VirtualLogRules; paxos: Rules } {
  return { rules: { ...VIRTUAL_LOG_RULES, ...mutant?.rules }, paxos: { ...RULES, ...mutant?.paxos } }
}
