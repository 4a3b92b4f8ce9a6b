import type { Ballot } from './ballot.ts'
import type { LogletConfig } from './config.ts'
import type { Accepted, Message } from './messages.ts'

/**
 * The rules on which safety hangs, each by itself. `RULES` are the right ones; the simulator breaks one at a time to
 * prove that it would notice. Nothing else ever passes others. Numbers: the invariants of README.md.
 */
export interface Rules {
  /** 1: what an acceptor may acknowledge of its stream */
  ackable(stream: { tail: number; synced: number }): number
  /** 2: a promise leaves after it is on disk */
  promiseWaitsForDisk: boolean
  /** 3: what phase 1 takes over from a promise */
  suffixOf(promise: Extract<Message, { kind: 'promise' }>): readonly Accepted[]
  /** 4: what counts towards a majority: each voter once … */
  tally(acks: ReadonlyMap<number, number>, voters: readonly number[], self: number): number[]
  /** … and nobody else. Who is not one of these gets only what is chosen */
  votersOf(config: LogletConfig): readonly number[]
  /** 5: an acceptor takes slots without a gap */
  follows(slot: number, tail: number): boolean
  /** 6: an acceptor takes nothing below its promise */
  isCurrent(ballot: Ballot, promised: Ballot): boolean
  /** 7: a seal stays, and an end stays the end */
  isSealSticky: boolean
  /** 8: from when a lease counts */
  leaseFrom(sentAt: number, answeredAt: number): number
  /** 9: how long a server that starts grants nothing */
  graceMs(leaseMs: number): number
  /** 13: a lease that was promised holds a seal back like any other ballot */
  isSealBoundByLease: boolean
}

export const RULES: Rules = {
  ackable: (stream) => stream.synced,
  promiseWaitsForDisk: true,
  suffixOf: (promise) => promise.accepted,
  tally: (acks, voters) => voters.map((voter) => acks.get(voter) ?? 0),
  votersOf: (config) => config.voters,
  follows: (slot, tail) => slot === tail + 1,
  isCurrent: (ballot, promised) => ballot >= promised,
  isSealSticky: true,
  leaseFrom: (sentAt) => sentAt,
  graceMs: (leaseMs) => leaseMs,
  isSealBoundByLease: true,
}
