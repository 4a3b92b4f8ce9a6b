import { presentServers, type RegisterValue, type Server } from '../../../core/delos/virtual-log/value.ts'
import type { PeerAddress, Peers } from '../quorum/peers.ts'
import type { VirtualLog } from './virtual-log.ts'

/** Who was removed hears of it, and what it asked for, before nobody speaks with it any more. */
const GOODBYE_MS = 3000

/** The connections of one server as the members of its logs want them. */
export interface Reach {
  /** Nobody else is to be reached. */
  isAlone(): boolean
  /** To be called when the members of a log are others. */
  update(): void
  /** Was a member, and nothing of it is needed any more. */
  isGone(id: bigint): boolean
  /** Before the connections are closed. */
  stop(): void
}

/**
 * Keeps up with who is a member of one of the logs. Who was removed is reached for a moment, and as long as this server lacks something of a
 * segment that has ended: it may be known to that one alone.
 */
export function keepReach(self: bigint, peers: Peers, logs: readonly VirtualLog[]): Reach {
  let reached = new Set<bigint>()
  let timer: NodeJS.Timeout | null = null
  const present = (): PeerAddress[] => addressesOf(logs.flatMap((log) => presentServers(log.value())))
  const removed = (): PeerAddress[] => {
    const members = present()
    const gone = addressesOf(logs.flatMap((log) => log.value().servers.filter(({ role }) => role === 'removed')))
    return gone.filter(({ id }) => !members.some((member) => member.id === id))
  }
  const leavingNow = (): PeerAddress[] => {
    const isCaughtUp = logs.every((log) => log.isCaughtUp())
    return removed().filter(({ id }) => reached.has(id) || !isCaughtUp)
  }
  const update = (): void => {
    const leaving = leavingNow()
    const all = [...present(), ...leaving]
    reached = new Set(all.map(({ id }) => id))
    peers.update(all)
    if (leaving.length === 0 || timer !== null) return
    timer = setTimeout(() => {
      timer = null
      for (const { id } of leaving) reached.delete(id)
      update()
    }, GOODBYE_MS)
    timer.unref()
  }
  return {
    update,
    isAlone: () => [...present(), ...leavingNow()].every(({ id }) => id === self),
    isGone: (id) => !reached.has(id) && removed().some((one) => one.id === id),
    stop: () => {
      if (timer !== null) clearTimeout(timer)
    },
  }
}

/** Addresses of the servers of a log, as the connections want them. */
export const peerAddresses = (value: RegisterValue): PeerAddress[] => addressesOf(presentServers(value))

/** One address of each server that has one. */
function addressesOf(servers: readonly Server[]): PeerAddress[] {
  const found = new Map<bigint, PeerAddress>()
  for (const { id, addresses } of servers) {
    const url = URL.parse(addresses[0] ?? '')
    if (url !== null) found.set(BigInt(`0x${id}`), { id: BigInt(`0x${id}`), host: url.hostname, port: Number(url.port) })
  }
  return [...found.values()]
}
