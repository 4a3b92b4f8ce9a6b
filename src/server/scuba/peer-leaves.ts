import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { refuse } from '../../core/kernel/errors.ts'
import type { Observed, PeerSeen } from '../../core/scuba/observed.ts'
import { REGISTRY } from '../../core/scuba/registry-controller.ts'
import { SHARDS } from '../../core/scuba/shards/controller.ts'
import { peersOf } from '../../core/scuba/registry-state.ts'
import type { Peer } from '../../core/scuba/registry.ts'
import type { ServerHost } from '../host.ts'
import { PeerCalls } from './aggregate/call.ts'
import { peerKeys } from './aggregate/port.ts'
import type { ActionDef } from '../../core/contracts/operation.ts'
import type { DoOptions, LeafHealth } from './client.ts'
import type { RegistryTold } from './registry-told.ts'

const LOOK_MS = 2000
const ANSWER_MS_MAX = 5000

export interface PeerLeaves {
  /** Has each of them carry out an operation; an error is what it refused with, or SCUBA_DOWN. */
  doAll: (
    operation: ActionDef,
    input: unknown,
    how: DoOptions,
  ) => Promise<{ peer: Peer; answer: Readonly<Record<string, unknown>> | Error }[]>
  /** one for each other leaf that the log says the place of */
  seen: () => PeerSeen[]
  start: () => void
  stop: () => Promise<void>
}

/**
 * Looks at the leaves of other servers and of nodes: what they have seen and done, and whether they work by the registry of now.
 * @param own name of this server's; null: not known yet
 */
export function watchPeerLeaves(host: ServerHost, registries: RegistryTold, own: () => string | null): PeerLeaves {
  const others = (): Peer[] => peersOf(host.db).filter(({ id }) => id !== own())
  const calls = new PeerCalls(peerKeys(join(host.paths.keys, 'server.pem')))
  const stopped = new AbortController()
  const seen = new Map<string, PeerSeen>()
  let running: Promise<void> | null = null

  const get = async <T>(peer: Peer, path: string): Promise<T> => {
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(ANSWER_MS_MAX)])
    return JSON.parse((await calls.call(peer, 'GET', `/v1/scuba/${path}`, { signal })).body.toString('utf8')) as T
  }

  const look = async (peer: Peer): Promise<void> => {
    const before = seen.get(peer.id)
    try {
      const observed = await get<Observed>(peer, 'observed')
      // A leaf of another name at that address is another leaf: its rows are not this one's.
      if (observed.leaf !== peer.id) throw new Error(`the leaf there is ${observed.leaf}`)
      const { pid, backlogBytes, diskLevel, clickhouse, quotas, strictTokens, senders } = await get<LeafHealth>(peer, 'health')
      const wanted = registries.due(peer.id, observed.registryVersion)
      if (wanted !== null) {
        // A node's answers for itself alone: whoever asks for all asks a server's.
        const body = JSON.stringify(peer.node === null ? wanted : { ...wanted, leaves: [] })
        const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(ANSWER_MS_MAX)])
        await calls.call(peer, 'PUT', '/v1/scuba/registry', { body, headers: { 'content-type': 'application/json' }, signal })
        registries.took(peer.id, wanted)
      }
      seen.set(peer.id, {
        leaf: peer.id,
        observed,
        silentSinceMs: null,
        health: { pid, backlogBytes, diskLevel, clickhouse, quotas, strictTokens, senders },
      })
      if (before?.observed?.mark !== observed.mark || before.silentSinceMs !== null) for (const name of [REGISTRY, SHARDS]) host.wake(name)
    } catch (error) {
      if (stopped.signal.aborted) return
      const silentSinceMs = before?.silentSinceMs ?? host.now()
      if ((before?.silentSinceMs ?? null) === null) {
        host.log.warn('another leaf does not answer', { leaf: peer.id, address: peer.address, error: String(error) })
        host.wake(REGISTRY)
      }
      seen.set(peer.id, { leaf: peer.id, observed: before?.observed ?? null, silentSinceMs, health: null })
    }
  }

  const follow = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const peers = others()
      for (const leaf of seen.keys()) if (!peers.some(({ id }) => id === leaf)) seen.delete(leaf)
      await Promise.all(peers.map(look))
      await sleep(LOOK_MS, undefined, { signal: stopped.signal }).catch(() => undefined)
    }
  }

  const deed = async (
    peer: Peer,
    operation: ActionDef,
    input: unknown,
    how: DoOptions,
  ): Promise<Readonly<Record<string, unknown>> | Error> => {
    // Whoever only looks does not wait for a leaf that is known to be away.
    if (!operation.isMutation && (seen.get(peer.id)?.silentSinceMs ?? null) !== null) return refuse('SCUBA_DOWN', 'does not answer')
    const limit = AbortSignal.any([
      stopped.signal,
      AbortSignal.timeout(how.patienceMs ?? ANSWER_MS_MAX),
      ...(how.signal ? [how.signal] : []),
    ])
    const body = JSON.stringify({ ...(input as object), isPlan: how.isPlan === true, by: how.by ?? '' })
    const headers = { 'content-type': 'application/json' }
    try {
      const reply = await calls.call(peer, 'POST', `/v1/scuba/do/${operation.name}`, { body, headers, signal: limit })
      return JSON.parse(reply.body.toString('utf8')) as Readonly<Record<string, unknown>>
    } catch (error) {
      return error as Error
    }
  }

  return {
    doAll: (operation, input, how) =>
      Promise.all(others().map(async (peer) => ({ peer, answer: await deed(peer, operation, input, how) }))),
    seen: () => [...seen.values()],
    start: () => (running = follow()),
    stop: async () => {
      stopped.abort()
      await running
      calls.close()
    },
  }
}
