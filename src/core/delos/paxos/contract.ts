import type { Ballot } from './ballot.ts'
import type { Accepted, AppendResult, Batch, Message, ReadResult, SlotRange } from './messages.ts'

/*
 * The contract between the machine and whoever runs it: real sockets and files, or the simulator.
 *
 * 1. One input at a time, `step(replica, input)`; its outputs are carried out before the next input. `now` never falls.
 * 2. Everything in `send` may leave at once. The machine itself holds back a message that depends on a write until
 *    `persisted` says the write is on disk. No message is ever sent to the server itself.
 *    A state is on disk before anything of a later write is, so damage that was found is noted before its place is used again.
 * 3. `persist` is a list of writes with ascending ids. They reach the disk in that order, several may share one
 *    fdatasync. `persisted {upTo}` is given when fdatasync returned for every write with an id up to `upTo`, never
 *    before. If fdatasync fails, the process ends; it gives no further input.
 * 4. A write has records and, if the promise or the seal changed, the acceptor's state. After a crash the runtime gives back
 *    per slot the record with the highest ballot, and the state; `promised` is raised to the highest ballot of a record.
 *    A write that was not yet `persisted` may be there, be missing, or be there in part.
 *    What is given back in `Durable` must be on disk: sync the files once after reading them, before `createReplica`.
 * 5. Messages may be lost, doubled, late or out of order; but a stream that keeps its order needs no repetition.
 *    Who is connected again after a lost connection gives `socketReset` on both sides.
 * 6. `committed` comes in slot order, each slot once per start, beginning after `durable.committed`.
 * 7. `wakeAt`: a `tick` is due then; one earlier or later does no harm to safety.
 * 8. A reply is given exactly once per `requestId`; ids are the runtime's, unique while the process lives.
 */

export type Input =
  | { kind: 'tick'; now: number }
  | { kind: 'message'; now: number; from: number; message: Message }
  | { kind: 'persisted'; now: number; upTo: number }
  /** append; answered by an append reply */
  | { kind: 'propose'; now: number; requestId: number; proposal: Proposal }
  /** end this loglet; answered by a seal reply when the end is chosen, however long that takes */
  | { kind: 'seal'; now: number; requestId: number }
  /** linearizable read without a lease; answered by a read reply */
  | { kind: 'readIndex'; now: number; requestId: number }
  /** the leader hands over to `to`; without effect elsewhere */
  | { kind: 'moveLeader'; now: number; to: number }
  /** begin an election now: the first server of a new loglet */
  | { kind: 'campaign'; now: number }
  /**
   * a majority of the voters promised `ballot`, this server's, on their disks before the loglet was part of the chain, and nobody had accepted
   * anything: phase 1 is over. Without effect if a higher ballot was promised here since, or its round is none of this loglet's
   */
  | { kind: 'elected'; now: number; ballot: Ballot }
  | { kind: 'socketReset'; now: number; peer: number }
  /** wall and monotonic clock disagree: the lease may be over without this server's clock showing it */
  | { kind: 'dropLease'; now: number }
  /**
   * Everything up to `slot` is chosen and on this server's disk in another form (a snapshot); `position` is that of the next entry. `committed`
   * goes on after it; without effect when this server knows as much
   */
  | { kind: 'installed'; now: number; slot: number; position: number }
  /** the answer to an output `load`; empty when these slots are trimmed away (the peer then needs a snapshot) */
  | { kind: 'loaded'; now: number; peer: number; batches: Accepted[] }

export type Proposal = Pick<Batch, 'count' | 'proposerId' | 'seq' | 'payload'>

/** What an acceptor must remember beside its records; small, written to its own file (`acceptor-file.ts`). */
export interface AcceptorState {
  promised: Ballot
  isSealed: boolean
  /** damage found at some start and not repaired yet: it must not be forgotten by the next start */
  unknown: SlotRange[]
}

export interface Write {
  id: number
  /** null: unchanged */
  state: AcceptorState | null
  /** in this order; a slot written again has a higher or the same ballot */
  records: Accepted[]
  /** every slot up to here was known to be chosen when this was written; kept with the records, saves work after a restart */
  committed: number
}

export type Reply =
  | { kind: 'append'; requestId: number; result: AppendResult }
  | { kind: 'read'; requestId: number; result: ReadResult }
  /** the loglet ends at `slot`; the next one begins with `position` and with rounds above `round` */
  | { kind: 'seal'; requestId: number; slot: number; position: number; round: number }

export interface Output {
  persist: Write[]
  send: { to: number; message: Message }[]
  replies: Reply[]
  committed: Accepted[]
  /** read chosen slots from the files, from `from` on, about `bytesMax` of payload and at least one, and give them as `loaded` */
  load: { peer: number; from: number; bytesMax: number }[]
  /** to be told to people */
  notices: Notice[]
  /** monotonic ms */
  wakeAt: number
}

export type Notice =
  | { kind: 'leading'; ballot: Ballot }
  | { kind: 'steppedDown'; ballot: Ballot; why: 'higherBallot' | 'noMajority' | 'stalled' | 'moved' | 'sealed' }
  /** oldest append unacknowledged for `appendStallMs` although there is a leader; `dump` is the state as JSON text */
  | { kind: 'stalled'; dump: string }
  | { kind: 'needsSnapshot'; peer: number }

/** What the runtime read from its files at start. */
export interface Durable {
  state: AcceptorState
  /** one per slot, ascending, the one with the highest ballot; those up to `base.slot` may be left out */
  accepted: Accepted[]
  /** known to be chosen up to here; 0 if unknown. Never above the last record without a gap */
  committed: number
  /** where `accepted` begins: everything up to this slot is chosen and only in the files; `position` is that of the next entry */
  base: { slot: number; position: number }
  /** found at this start: slots whose record is damaged, or may have been and is gone (a bad last record: `{from, to: null}`) */
  unknown: SlotRange[]
  /** made by this process and run by none yet: what it promised is a ballot alone, and no lease */
  isUnused?: boolean
}

export const FRESH: AcceptorState = { promised: 0, isSealed: false, unknown: [] }
