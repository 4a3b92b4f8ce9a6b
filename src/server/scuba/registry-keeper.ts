import { REGISTRY } from '../../core/scuba/registry-controller.ts'
import { isRegistryEntry } from '../../core/scuba/registry-entries.ts'
import { registryOf } from '../../core/scuba/registry-state.ts'
import type { Registry } from '../../core/scuba/registry.ts'
import type { Observed, RegistrySoft } from '../../core/scuba/observed.ts'
import type { ServerHost } from '../host.ts'
import type { ScubaClient } from './client.ts'
import { leafName } from './leaf/name.ts'

const LOOK_MS = 2000

export interface RegistryKeeper {
  soft: () => RegistrySoft
  /** Looks at once; resolves when the leaf has answered and works by the registry of now, or does not answer. */
  look: () => Promise<void>
  start: () => void
  stop: () => Promise<void>
}

/**
 * Keeps the leaf's registry that of the log, and asks it what it has seen: every two seconds, and at once when an entry
 * changes the registry. A leaf that was restarted says by which registry it works, and is told if that is an old one.
 */
export function createRegistryKeeper(host: ServerHost, client: Pick<ScubaClient, 'observed' | 'putRegistry'>): RegistryKeeper {
  let wanted: Registry | null = null
  let observed: Observed | null = null
  let seen = ''
  let silentSinceMs: number | null = null
  let running: Promise<void> | null = null
  let again: Promise<void> | null = null
  let timer: NodeJS.Timeout | null = null
  let unlisten = (): void => undefined

  const lookOnce = async (): Promise<void> => {
    try {
      observed = await client.observed()
      if (silentSinceMs !== null) seen = ''
      silentSinceMs = null
      const held = observed.registryVersion
      // The leaf takes nothing older over; after a snapshot of long ago was restored, ours would be.
      wanted ??= registryOf(host.db, Math.max(host.position(), held + 1))
      if (held !== wanted.version) await client.putRegistry(wanted)
    } catch (error) {
      if (silentSinceMs === null) host.log.warn('the leaf cannot be asked what it has seen', { error: String(error) })
      silentSinceMs ??= host.now()
    }
    const news = digestOf(observed, silentSinceMs)
    if (news === seen) return
    seen = news
    host.wake(REGISTRY)
  }

  // Whoever asks while a look goes on may know of more than it does: it waits for the next.
  const look = (): Promise<void> => {
    if (running) return (again ??= running.then(() => ((again = null), look())))
    running = lookOnce().finally(() => (running = null))
    return running
  }

  return {
    soft: () => ({ observed, leaf: observed?.leaf ?? leafName(host.paths.scuba), silentSinceMs }),
    look,
    start: () => {
      unlisten = host.onEntries((entries) => {
        if (!entries.some(({ type }) => isRegistryEntry(type))) return
        wanted = null
        void look()
      })
      void look()
      timer = setInterval(() => void look(), LOOK_MS)
    },
    stop: async () => {
      unlisten()
      if (timer) clearInterval(timer)
      await running
    },
  }
}

/** What the controller would conclude something from. */
function digestOf(observed: Observed | null, silentSinceMs: number | null): string {
  if (observed === null || silentSinceMs !== null) return `silent ${silentSinceMs}`
  const { leaf, tables, lost, notes } = observed
  return JSON.stringify([leaf, Object.entries(tables).map(([name, { columns }]) => [name, columns]), lost, notes.at(-1)?.number])
}
