import type { FaultOrder } from '../../core/contracts/fault.ts'
import type { ProcessId } from '../../platform/process.ts'

/** A fault that stands. */
export interface ArmedFault {
  /** how often it took effect so far */
  effect: number
  /** one-shot: nothing is left to undo */
  isOver: boolean
  /** Takes it back; true when the target is seen to be as before, or gone. */
  revert: () => Promise<boolean>
}

/** One way of breaking something, with its undo. `legion.kill` and `legion.pause` here; the catalogue grows by more of these. */
export interface FaultDriver {
  /** Throws with a message for people when it cannot; then nothing of it may be left. */
  arm: (order: FaultOrder, target: ProcessId, remainingMs: number) => Promise<ArmedFault>
  /** Undo by the ledger alone, after the agent that armed it died. */
  undo: (target: ProcessId) => Promise<boolean>
}
