import type { Prng } from '../../kernel/prng.ts'
import type { Ballot } from './ballot.ts'
import type { LogletConfig } from './config.ts'
import type { Output } from './contract.ts'
import type { Accepted, Batch, Message, SlotRange } from './messages.ts'
import type { Rules } from './rules.ts'

export type Role = 'follower' | 'probing' | 'candidate' | 'recovering' | 'leader' | 'sealed'

export type PromiseMessage = Extract<Message, { kind: 'promise' }>

/** A message or the end of a message's wait: leaves when the write it belongs to is on disk. */
export interface Parcel {
  to: number
  message: Message
}

/** A write given out and not yet reported to be on disk. */
export interface PendingWrite {
  id: number
  hasState: boolean
  /** the stream as it was after this write */
  ballot: Ballot
  tail: number
  after: Parcel[]
}

/** Where an answer goes: to this server's own runtime, or back to the server that forwarded the request. */
export interface Asker {
  origin: number
  requestId: number
}

export interface Queued {
  asker: Asker
  batch: Batch
  since: number
}

export interface Progress {
  /** on its disk, in this ballot's stream */
  synced: number
  /** next slot to send */
  next: number
  /** last slot of each accept under way */
  inFlight: number[]
  /** number of the heartbeat sent last before the newest accept: a later one's answer tells whether the accept arrived */
  sentAtTick: number
  answeredTick: number
  isLoading: boolean
}

export interface Lead {
  ballot: Ballot
  /** this ballot's own no-op or end marker; chosen, all of recovery is */
  ownSlot: number
  peers: Map<number, Progress>
  tick: number
  /** when each heartbeat left, by tick; the oldest are dropped */
  sentAt: Map<number, number>
  nextHeartbeatAt: number
  /** newest heartbeat a majority answered */
  majorityTick: number
  /** when it left */
  majoritySentAt: number
  /** exclusive end of the lease; 0: none */
  leaseUntil: number
  isSealing: boolean
  queue: Queued[]
  queueBytes: number
  /** proposed and not yet chosen, by slot */
  waiting: Map<number, { asker: Asker; since: number }>
  reads: { asker: Asker; tick: number }[]
  moving: { to: number; until: number } | null
}

export interface Election {
  ballot: Ballot
  /** the ballot whose leader handed over, or 0 */
  released: Ballot
  granted: Set<number>
  promises: Map<number, PromiseMessage>
  until: number
  resendAt: number
}

export interface Replica {
  readonly config: LogletConfig
  readonly rules: Rules
  readonly prng: Prng
  readonly isVoter: boolean
  now: number
  role: Role

  // acceptor
  promised: Ballot
  isSealed: boolean
  /** what was promised when this process started */
  readonly promisedAtStart: Ballot
  /** accepted batches by slot: all above `committed` and a cache of those below; contiguous from `logFrom` to `committed` */
  log: Map<number, Accepted>
  logFrom: number
  /** highest slot accepted in any ballot */
  tail: number
  /** what came in the current ballot, without gaps; everything up to `committed` counts as having come */
  stream: { ballot: Ballot; tail: number; synced: number }
  unknown: SlotRange[]
  /** the same as the acceptor's file has it: shortened only after the repair is on disk */
  unknownOnDisk: SlotRange[]
  /** until when no other ballot is promised because this one's leader may hold a lease */
  leasePromise: { ballot: Ballot; until: number }
  graceUntil: number

  // learner
  committed: number
  /** of the first entry after `committed` */
  nextPosition: number
  cacheBytes: number
  /** slot of the chosen end marker; null while the loglet is open */
  end: number | null

  // who leads
  leader: number | null
  heardAt: number
  suspectAt: number
  /** highest ballot seen anywhere, so that the next try is above it */
  seen: Ballot
  election: Election | null
  lead: Lead | null

  // requests that wait for others
  // by an id of the machine's own, which no process before this one has used: an answer to it may still come
  forwarded: Map<number, { requestId: number; since: number }>
  forwardedReads: Map<number, { requestId: number; since: number }>
  nextForwardId: number
  sealWaiters: number[]
  sealRequestAt: number

  // writes
  draft: { hasState: boolean; records: Accepted[]; after: Parcel[] }
  pending: PendingWrite[]
  lastWriteId: number
  lastStateWriteId: number
  persistedUpTo: number
  /** messages of this server to itself, handled within the same step */
  loopback: Message[]
  out: Output
}
