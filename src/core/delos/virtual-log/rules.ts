/**
 * The rules on which safety of the virtual log hangs, each by itself. `VIRTUAL_LOG_RULES` are the right ones; the simulator breaks
 * one at a time to prove that it would notice. Nothing else ever passes others. Numbers: the invariants of README.md.
 */
export interface VirtualLogRules {
  /** 2: an acceptor of the register keeps its promise over its death */
  keepsPromise: boolean
  /** 3: phase 2 takes over what phase 1 found */
  takesOver: boolean
  /** 6: a new segment is decided only after the lease of the old one's leader is over */
  waitsForLease: boolean
  /** 7: a sealed segment without a successor is continued */
  rollsForward: boolean
  /** 11: a position that is to be skipped is not applied, also not when the log is read again */
  skips: boolean
}

export const VIRTUAL_LOG_RULES: VirtualLogRules = {
  keepsPromise: true,
  takesOver: true,
  waitsForLease: true,
  rollsForward: true,
  skips: true,
}
