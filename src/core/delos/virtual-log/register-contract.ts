import type { Ballot } from '../paxos/ballot.ts'
import type { RegisterMessage } from './register-messages.ts'
import type { RegisterValue } from './value.ts'

/*
 * The contract between the register's machine and who runs it: real sockets and files, or the simulator.
 *
 * 1. One input at a time, `stepRegister(register, input)`; its outputs are carried out before the next input. `now` never falls.
 * 2. `persist`: states with ascending ids, each the whole of what must survive; only the last one counts. `persisted {upTo}` is given
 *    when every state up to that id is on disk, never before. If that fails, the process ends. The machine itself holds back what
 *    depends on a write; everything in `send` may leave at once.
 * 3. Messages may be lost, doubled, late or out of order.
 * 4. `known`: values that were decided and are on disk here, ascending versions; some may be left out, the last one counts. The file may say
 *    of the last one only that it was accepted: what belongs to `accepted` is kept over a restart like what belongs to `held`.
 *    A segment is opened, and a server is let in, only by a value given here.
 * 5. `etcd`: requests to the etcd that the decider names; each is answered by one `etcd` input, with `unknown` if the outcome is.
 * 6. `wakeAt`: a `tick` is due then.
 * 7. A reply is given exactly once per `requestId`.
 * 8. `isReleased`: this server was removed, and those who remain need it no more: it may end. Before that it goes on with its loglets, also when
 *    it is started again. They need it until they hold the version, and everything before its last segment: `isCaughtUp` says that this is on
 *    this server's disk, in whatever form.
 */

/** What survives this process. */
export interface RegisterState {
  /** the newest version that this server knows to be decided; null: it was told nothing yet */
  held: RegisterValue | null
  /** for the version after `held`: nothing of a lower ballot is accepted; also the last ballot that this server used itself */
  promised: Ballot
  /** for the version after `held` */
  accepted: AcceptedValue | null
  /** values that would make this server a decider, should they be decided */
  offers: RegisterValue[]
}

export interface AcceptedValue {
  ballot: Ballot
  value: RegisterValue
}

export const EMPTY_REGISTER: RegisterState = { held: null, promised: 0, accepted: null, offers: [] }

export type RegisterInput =
  | { kind: 'tick'; now: number }
  /** `isCaughtUp`: 8; left out: it is not, or does not matter */
  | { kind: 'message'; now: number; from: number; message: RegisterMessage; isCaughtUp?: boolean }
  | { kind: 'persisted'; now: number; upTo: number }
  /** compare and set: `value` is to be the version after the one this server holds. Answered by a reply */
  | { kind: 'propose'; now: number; requestId: number; value: RegisterValue }
  /** a proposal of this server is to come: what can be asked before it is asked now (phase 1). Not answered */
  | { kind: 'reserve'; now: number }
  | { kind: 'etcd'; now: number; requestId: number; answer: EtcdAnswer }

export interface EtcdRequest {
  requestId: number
  /** of the decider: endpoints, key, certificates */
  config: Record<string, unknown>
  /**
   * - `read`: the key, linearizable
   * - `cas`: put `bytes` if the key's mod_revision is `modRevision` (0: if it is not there), else read it, in one Txn
   */
  ask: { kind: 'read' } | { kind: 'cas'; modRevision: number; bytes: Uint8Array }
}

export type EtcdAnswer =
  /** the key as it was read; after a `cas`: it was not put, this is in its place. `bytes` null and 0: not there */
  | { kind: 'is'; modRevision: number; bytes: Uint8Array | null }
  | { kind: 'put'; modRevision: number }
  /** timed out, connection lost, no leader: a `cas` may have been carried out */
  | { kind: 'unknown' }

export type RegisterReply =
  /** the version after the one that was held is decided: `value`, or an earlier one. Whether it is what was proposed, `value` shows */
  | { kind: 'decided'; requestId: number; value: RegisterValue }
  /** not decided, and never will be by this proposal */
  | { kind: 'refused'; requestId: number; why: 'busy' | 'unreachable' | 'invalid'; problem: string }
  /** may still be decided, by whoever continues it */
  | { kind: 'unknown'; requestId: number }

export interface RegisterOutput {
  persist: { id: number; state: RegisterState }[]
  send: { to: number; message: RegisterMessage }[]
  etcd: EtcdRequest[]
  known: RegisterValue[]
  replies: RegisterReply[]
  isReleased: boolean
  /** monotonic ms */
  wakeAt: number
}
