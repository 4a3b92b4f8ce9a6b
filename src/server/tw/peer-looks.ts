import type { FromServer, NodeReport } from '../../core/contracts/node.ts'
import type { ReadDb } from '../../core/contracts/storage.ts'
import { type NodeBeat, type PeerLook, SUSPECT_MS } from '../../core/tw/queries.ts'

/** Peers that are asked about one silent node. */
const PEERS = 3
/** So many answers of a later round take the place of those of the round before. */
const ANSWERS_MIN = 2
/** What they said so long ago is asked again. */
const STALE_MS = 5000
/** Silent nodes asked about in one round: a whole region may fall silent, and of the largest zone all is known before its time is over. */
const ROUND_MAX = 5000
/** Tries to find a peer in another rack, of all agents that are connected. */
const DRAWS = 40

export interface PeerLooks {
  looks: ReadonlyMap<string, PeerLook>
  /** Asks about who is silent, and forgets who is not any more. */
  round: () => void
  /** Takes in where a node is reached, and what it found out about others. */
  hear: (report: NodeReport) => void
}

export interface PeerLooksOptions {
  db: ReadDb
  beats: ReadonlyMap<string, NodeBeat>
  /** nodes whose streams are open */
  connected: () => readonly string[]
  send: (node: string, message: FromServer) => void
  /** something new was found out */
  changed: () => void
  /** ms that only go forward */
  clock?: () => number
  /** uniform in [0, 1) */
  random?: () => number
}

/** Lets agents look after silent ones: whether a machine is dead or only our network to it, its peers in other racks know. */
export function createPeerLooks({
  db,
  beats,
  connected,
  send,
  changed,
  clock = () => performance.now(),
  random = Math.random,
}: PeerLooksOptions): PeerLooks {
  const looks = new Map<string, PeerLook>()
  /** the same of those that are asked about again, until enough have answered */
  const again = new Map<string, PeerLook>()
  const askedAtMs = new Map<string, number>()
  const addresses = new Map<string, string>()
  const rackOf = (node: string): string => db.get<{ rack: string }>('SELECT rack FROM tw_node WHERE name = ?', node)?.rack ?? ''

  /** So many peers, those in other racks first. */
  const peersOf = (node: string, speaking: readonly string[]): string[] => {
    const rack = rackOf(node)
    const near: string[] = []
    const far = new Set<string>()
    for (let i = 0; i < Math.min(DRAWS, speaking.length * 4) && far.size < PEERS; i += 1) {
      const peer = speaking[Math.floor(random() * speaking.length)] as string
      if (peer === node || (beats.get(peer)?.ageMs ?? SUSPECT_MS) >= SUSPECT_MS) continue
      if (rackOf(peer) === rack) near.push(peer)
      else far.add(peer)
    }
    return [...new Set([...far, ...near])].slice(0, PEERS)
  }

  return {
    looks,
    round: () => {
      const now = clock()
      for (const node of looks.keys()) {
        if ((beats.get(node)?.ageMs ?? SUSPECT_MS) >= SUSPECT_MS) continue
        looks.delete(node)
        again.delete(node)
        askedAtMs.delete(node)
      }
      let speaking: readonly string[] | null = null
      let asked = 0
      for (const [node, { ageMs }] of beats) {
        if (ageMs < SUSPECT_MS || asked >= ROUND_MAX) continue
        const address = addresses.get(node)
        if (address === undefined || now - (askedAtMs.get(node) ?? -STALE_MS) < STALE_MS) continue
        speaking ??= connected()
        const peers = peersOf(node, speaking)
        askedAtMs.set(node, now)
        asked += 1
        // What they said last holds until then: a node that is gone is not in doubt each time it is asked about.
        const round = looks.has(node) ? again : looks
        round.set(node, { asked: peers.length, reached: 0, failed: 0 })
        for (const peer of peers) send(peer, { kind: 'look', node, address })
      }
    },
    hear: ({ identity, reach, looks: found = [] }) => {
      if (reach) addresses.set(identity.node, reach)
      for (const { node, isReached } of found) {
        const round = again.has(node) ? again : looks
        const before = round.get(node)
        if (before === undefined) continue
        const look = { ...before, reached: before.reached + (isReached ? 1 : 0), failed: before.failed + (isReached ? 0 : 1) }
        if (round === again && look.reached + look.failed < Math.min(look.asked, ANSWERS_MIN)) {
          again.set(node, look)
          continue
        }
        again.delete(node)
        looks.set(node, look)
        changed()
      }
    },
  }
}
