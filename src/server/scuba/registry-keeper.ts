import { setTimeout as sleep } from 'node:timers/promises'
import type { Observed, RegistrySoft } from '../../core/scuba/observed.ts'
import { REGISTRY } from '../../core/scuba/registry-controller.ts'
import { SHARDS } from '../../core/scuba/shards/controller.ts'
import { isRegistryEntry } from '../../core/scuba/registry-entries.ts'
import { registryOf } from '../../core/scuba/registry-state.ts'
import type { ServerHost } from '../host.ts'
import type { ScubaClient } from './client.ts'
import { leafName } from './leaf/name.ts'
import { RegistryTold } from './registry-told.ts'
import { keepServerLeaves } from './server-leaves.ts'
import { watchPeerLeaves, type PeerLeaves } from './peer-leaves.ts'

/** How long a leaf is silent before it is lost: MUSTER_SCUBA_LEAF_LOST_MS; undefined: as long as usual. */
function leafLostMs(env: NodeJS.ProcessEnv): number | undefined {
  const text = env['MUSTER_SCUBA_LEAF_LOST_MS'] ?? ''
  return /^\d{4,9}$/.test(text) ? Number(text) : undefined
}

/** Longest time between two answers of a leaf that has nothing new. */
const WAIT_MS = 5000
const AGAIN_MS = 500
/** Longest wait for a leaf that hangs, before others are asked without it. */
const TOLD_MS_MAX = 1000

export interface RegistryKeeper {
  /** the leaves of nodes and of other servers */
  peers: PeerLeaves
  soft: () => RegistrySoft
  /** Looks at once; resolves when the leaf has answered and works by the registry of now, or does not answer. */
  look: () => Promise<void>
  /** Resolves, where there are other servers, when the leaf knows all others, so that its answers say who is missing. */
  start: () => Promise<void>
  stop: () => Promise<void>
}

/**
 * Keeps the leaf's registry that of the log, and has it say what it has seen, as soon as it is new. When an entry changes the
 * registry the leaf is told at once; one that was restarted says by which registry it works, and is told if that is an old one.
 */
export function createRegistryKeeper(host: ServerHost, client: Pick<ScubaClient, 'observed' | 'putRegistry'>): RegistryKeeper {
  const stopped = new AbortController()
  const lostMs = leafLostMs(process.env)
  let observed: Observed | null = null
  let silentSinceMs: number | null = null
  let told: Promise<void> = Promise.resolve()
  let following: Promise<void> | null = null
  let unlisten = (): void => undefined

  // After a snapshot of long ago was restored, the leaf knows a higher position than the log has.
  const registries = new RegistryTold((version) => registryOf(host.db, Math.max(host.position(), version)))
  const own = (): string | null => observed?.leaf ?? leafName(host.paths.scuba)
  const peers = watchPeerLeaves(host, registries, own)
  const answers = (leaf: string): boolean => peers.seen().some((seen) => seen.leaf === leaf && seen.silentSinceMs === null)
  const ofServers = host.servers && keepServerLeaves(host, host.servers, answers)

  /** One after the other: an older answer must not stand for a newer one, nor an older registry. */
  const take = (answer: Observed): Promise<void> => {
    told = told.then(async () => {
      const isNews = observed?.mark !== answer.mark || silentSinceMs !== null
      observed = answer
      silentSinceMs = null
      const registry = registries.due(answer.leaf, answer.registryVersion)
      if (registry !== null) {
        const { version } = await client.putRegistry(registry)
        registries.took(answer.leaf, registry)
        observed = { ...answer, registryVersion: version }
      }
      if (isNews) for (const name of [REGISTRY, SHARDS]) host.wake(name)
    })
    return told
  }

  const failed = (error: unknown): void => {
    if (stopped.signal.aborted) return
    if (silentSinceMs === null) host.log.warn('the leaf cannot be asked what it has seen', { error: String(error) })
    told = Promise.resolve()
    silentSinceMs ??= host.now()
    host.wake(REGISTRY)
  }

  const look = async (): Promise<void> => client.observed().then(take).catch(failed)

  const follow = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      try {
        await take(await client.observed({ after: observed?.mark ?? '', waitMs: WAIT_MS, signal: stopped.signal }))
      } catch (error) {
        failed(error)
        await sleep(AGAIN_MS, undefined, { signal: stopped.signal }).catch(() => undefined)
      }
    }
  }

  return {
    peers,
    soft: () => ({
      ...{ observed, leaf: own(), silentSinceMs, peers: peers.seen() },
      ...(lostMs === undefined ? {} : { leafLostMs: lostMs }),
    }),
    look,
    start: async () => {
      unlisten = host.onEntries((entries) => {
        if (!entries.some(({ type }) => isRegistryEntry(type))) return
        registries.change()
        void look()
      })
      const isTold = look()
      following = follow()
      peers.start()
      ofServers?.start()
      if ((host.servers?.present().length ?? 1) > 1) await Promise.race([isTold, sleep(TOLD_MS_MAX, undefined, { ref: false })])
    },
    stop: async () => {
      unlisten()
      stopped.abort()
      await Promise.all([following, peers.stop(), ofServers?.stop()])
    },
  }
}
