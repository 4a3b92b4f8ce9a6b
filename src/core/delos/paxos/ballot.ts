import { assert } from '../../kernel/assert.ts'

/**
 * A ballot `(round, serverId)` as one u53, ordered as the pair is: `round * 1024 + serverId`. 0 is below every ballot.
 * Two servers never use the same ballot, and one server never uses the same one twice.
 */
export type Ballot = number

/** Ids of servers within one segment are 1..1023. */
export const SERVER_ID_MAX = 1023

export function ballotOf(round: number, server: number): Ballot {
  assert(server >= 1 && server <= SERVER_ID_MAX, `server id ${server} is outside 1..${SERVER_ID_MAX}`)
  return round * (SERVER_ID_MAX + 1) + server
}

/** What etcd's clients see as `raft_term`. */
export function roundOf(ballot: Ballot): number {
  return Math.floor(ballot / (SERVER_ID_MAX + 1))
}

export function serverOf(ballot: Ballot): number {
  return ballot % (SERVER_ID_MAX + 1)
}
