import { deciderFor } from './plan.ts'
import { quorumOf } from './quorum-config.ts'
import type { RegisterValue, Segment, Server } from './value.ts'

/** The loglet that a cluster begins with, also one of before there was a register. */
export const FIRST_LOGLET = 1

/**
 * Version 1, as it follows from who begins: the same at every server, so nobody has to decide it.
 * @param clusterId 16 hex digits
 * @param voters in the order that gives them their numbers, from 1 on; one: a file, several: a quorum
 * @param firstPosition above 1 when the store begins with a snapshot, which holds what would come before
 */
export function genesis(clusterId: string, voters: readonly Pick<Server, 'id' | 'name' | 'addresses'>[], firstPosition = 1): RegisterValue {
  const servers = voters.map(({ id, name, addresses }, i): Server => {
    return { server: i + 1, id, name, addresses: [...addresses], role: 'voter', incarnation: 1 }
  })
  const first: Pick<Segment, 'kind' | 'config'> =
    servers.length === 1 ? { kind: 'file', config: { server: 1 } } : { kind: 'quorum', config: quorumOf({ servers }, 1) }
  const decider = deciderFor({ servers, decider: { kind: 'file', server: 1 } })
  const segment = { loglet: FIRST_LOGLET, ...first, firstPosition, lastRound: 0, end: null }
  return { version: 1, clusterId, chain: [segment], servers, decider, skips: [], features: [] }
}
