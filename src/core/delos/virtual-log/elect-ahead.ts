import { ballotOf, type Ballot } from '../paxos/ballot.ts'
import { FRESH, type AcceptorState } from '../paxos/contract.ts'
import type { Segment } from './value.ts'

/*
 * The leader of the next quorum is elected before the last segment is sealed, while the log goes on: each voter promises the driver's ballot
 * as it makes the loglet's files, so phase 1 costs no time of its own. Nobody runs the loglet before the register names it, so who
 * is elected appends nothing before that; and nothing can have been accepted, so there is nothing to take over.
 */

/** Above the rounds of the chain, as far as they are known here. @param term the last one seen in the segment that takes appends */
export function ballotAhead({ lastRound }: Segment, term: number, self: number): Ballot {
  return ballotOf(Math.max(lastRound, term) + 1, self)
}

/** With what an acceptor's file is made. @param ballot 0: nothing is promised */
export function firstState(ballot: Ballot): AcceptorState {
  return { ...FRESH, promised: ballot }
}

/** @param promised who has the promise on disk */
export function isElected(voters: readonly number[], promised: ReadonlySet<number>): boolean {
  return voters.filter((voter) => promised.has(voter)).length > voters.length / 2
}
