import { setTimeout as sleep } from 'node:timers/promises'
import type { ReadDb } from '../../core/contracts/storage.ts'
import type { Proposal } from '../../core/contracts/entry.ts'
import { LeafJoined, LeafLeft } from '../../core/scuba/entries/leaves.ts'
import type { ServerHost } from '../host.ts'
import { joinLeaf } from './join-leaf.ts'
import type { OwnLeaf } from './own-leaf.ts'

/** The servers of the fleet, as far as their leaves go. */
export interface ServersOfLeaves {
  /** id of this server, 16 hex digits */
  self: string
  /** all there are, this one among them */
  present: () => { id: string; name: string }[]
  /** the server that a node's agent talks to, and the host where others reach that */
  beside: (node: string) => { id: string; host: string | null }
  /** Where the leaf of a server is; null: it does not say, as one of an older version. Rejects when the server does not answer. */
  ask: (id: string) => Promise<OwnLeaf | null>
}

const LOOK_MS = 2000
const ACTOR = 'controller:scuba.leaves'

interface Known {
  id: string
  node: string | null
  address: string | null
  server: string
  state: string
}

const knownLeaves = (db: ReadDb): Known[] =>
  db.all<Known>('SELECT id, node, address, server, state FROM scuba_leaf WHERE server IS NOT NULL ORDER BY id')

/**
 * Keeps in the log where the leaf of each server is. One whose leaf answers is asked nothing; of the others the server says where its leaf is now. The
 * leaves of a server that is no more go with it.
 * @param answers whether the leaf of that name answers
 */
export function keepServerLeaves(host: ServerHost, servers: ServersOfLeaves, answers: (leaf: string) => boolean) {
  const stopped = new AbortController()
  let running: Promise<void> | null = null
  let opening: Promise<void> | null = null

  const join = async (server: string): Promise<void> => {
    const { db } = host
    const known = knownLeaves(db).find((leaf) => leaf.server === server && leaf.node === null)
    if (known !== undefined && server !== servers.self && known.state === 'present' && answers(known.id)) return
    const found = await servers.ask(server).catch(() => null)
    if (found === null || stopped.signal.aborted) return
    const { leaf, address } = found
    const isKnown = (of: ReadDb): boolean =>
      knownLeaves(of).some((one) => one.id === leaf && one.address === address && one.server === server && one.node === null)
    if (!isKnown(db)) await host.propose(ACTOR, (of) => (isKnown(of) ? [] : [LeafJoined.of({ leaf, address, server })]))
  }

  /** Leaves that joined while theirs was the only server are reached on its machine alone. */
  const open = async (): Promise<void> => {
    const nodes = host.db.all<{ node: string }>(
      `SELECT node FROM scuba_leaf WHERE node IS NOT NULL AND address LIKE 'unix:%' ORDER BY node`,
    )
    // One whose agent is away, or of an older version, waits.
    await Promise.allSettled(nodes.map(({ node }) => joinLeaf(host, node, ACTOR)))
  }

  const leave = async (): Promise<void> => {
    const gone = (db: ReadDb): Proposal[] => {
      const present = new Set(servers.present().map(({ id }) => id))
      return knownLeaves(db).flatMap(({ id, server }) => (present.has(server) ? [] : [LeafLeft.of({ leaf: id })]))
    }
    if (gone(host.db).length > 0) await host.propose(ACTOR, gone)
  }

  const look = async (): Promise<void> => {
    const present = servers.present()
    if (present.length > 1) {
      // Nobody waits for an agent.
      opening ??= open().finally(() => (opening = null))
      await Promise.all(present.map(({ id }) => join(id)))
    }
    await leave()
  }

  const follow = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await look().catch((error: unknown) => {
        if (!stopped.signal.aborted) host.log.warn('where the leaves of servers are could not be noted', { error: String(error) })
      })
      await sleep(LOOK_MS, undefined, { signal: stopped.signal }).catch(() => undefined)
    }
  }

  return {
    start: (): void => void (running = follow()),
    stop: async (): Promise<void> => {
      stopped.abort()
      await running
    },
  }
}
