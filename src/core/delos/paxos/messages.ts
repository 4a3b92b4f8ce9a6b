import type { Ballot } from './ballot.ts'

/**
 * What one slot holds.
 * - `batch`: entries of a proposer; its first entry has `position`, the next slot's first `position + count`
 * - `noop`: fills a slot, holds no entry (`count` 0)
 * - `end`: the seal's marker; chosen, it is the last slot of the loglet
 *
 * `position` is set by the leader that proposes the slot, from the slots before it. A batch proposed again in a later
 * ballot may get another position only while it was not chosen.
 */
export interface Batch {
  kind: 'batch' | 'noop' | 'end'
  position: number
  count: number
  /** who proposed, u53, and its own count of what it proposed: together they name the batch across retries */
  proposerId: number
  seq: number
  payload: Uint8Array
}

/** A batch an acceptor took at a slot. Slots count from 1 within a loglet, without gaps. */
export interface Accepted {
  slot: number
  ballot: Ballot
  batch: Batch
}

/** Slots `from` to `to`, both included; `to` null: all from `from` on. */
export interface SlotRange {
  from: number
  to: number | null
}

export type AppendResult =
  | { kind: 'appended'; slot: number; position: number; count: number }
  /** it may be in the log, now or later: try again with the same `(proposerId, seq)` */
  | { kind: 'unknown' }
  /** it is not in the log and never will be by this request */
  | { kind: 'refused'; why: 'noLeader' | 'busy' | 'sealed' }

export type ReadResult =
  /** everything acknowledged before the request is at or below `slot`: answer when that is applied */
  { kind: 'readable'; slot: number } | { kind: 'refused'; why: 'noLeader' | 'busy' | 'sealed' }

/** Everything one server says to another about one loglet. */
export type Message =
  /** would you promise me this ballot? Changes nothing at who is asked */
  | { kind: 'probe'; ballot: Ballot; tail: number; committed: number }
  | { kind: 'probeReply'; ballot: Ballot; isGranted: boolean; promised: Ballot }
  /** phase 1. `isSealing` sets the sticky seal; `released` is the ballot whose leader gave its lease up for this one, or 0 */
  | { kind: 'prepare'; ballot: Ballot; from: number; isSealing: boolean; released: Ballot }
  /** everything accepted from `from` on; `unknown`: slots that are damaged here, about which nothing may be concluded */
  | { kind: 'promise'; ballot: Ballot; committed: number; accepted: Accepted[]; unknown: SlotRange[]; isSealed: boolean }
  /** a higher ballot is promised, or (`promised` not higher) a lease is, or the loglet is sealed */
  | { kind: 'refuse'; ballot: Ballot; promised: Ballot; isSealed: boolean }
  /** phase 2: consecutive slots, in order; may be empty. Every slot up to `committed` is chosen */
  | { kind: 'accept'; ballot: Ballot; committed: number; isSealing: boolean; batches: Accepted[] }
  /**
   * `synced`: highest slot of this ballot's stream that is on disk without a gap before it; `tail`: received, maybe not on disk;
   * `isGap`: what came does not follow `tail`, send from there
   */
  | { kind: 'accepted'; ballot: Ballot; synced: number; tail: number; isGap: boolean }
  /** `isServing`: the leader's own no-op is chosen; `tick` counts the heartbeats of a ballot */
  | { kind: 'heartbeat'; ballot: Ballot; tick: number; committed: number; isServing: boolean; isSealing: boolean }
  | { kind: 'heartbeatReply'; ballot: Ballot; tick: number; synced: number; tail: number }
  | { kind: 'forward'; requestId: number; batch: Batch }
  /** `ballot` and `committed` of the leader that answers (0: none): the asker knows at once what it may apply */
  | { kind: 'forwardReply'; requestId: number; result: AppendResult; ballot: Ballot; committed: number }
  | { kind: 'read'; requestId: number }
  | { kind: 'readReply'; requestId: number; result: ReadResult; ballot: Ballot; committed: number }
  /** to the leader: please seal */
  | { kind: 'sealRequest' }
  /** what is chosen from this slot on? */
  | { kind: 'fetch'; from: number }
  /** consecutive chosen slots, in order */
  | { kind: 'learn'; batches: Accepted[]; committed: number }
  /** to the next leader: I gave up the lease of ballot `released`, begin at once */
  | { kind: 'takeOver'; released: Ballot }
