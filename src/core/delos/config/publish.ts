import type { Controller, Effect } from '../../contracts/controller.ts'
import type { ReadDb } from '../../contracts/storage.ts'

/** What the key-value store says of configurations, as the server sees it. */
export interface PublishedSoft {
  /** configuration → the version that its key has; 0: not known, or somebody else's */
  published: ReadonlyMap<string, number>
}

export const PUBLISH = 'delos.publish'
export const PUBLISH_CONFIG = 'delos.publishConfig'

/** Where watchers of etcd's API find the active version of a configuration. */
export const CONFIG_KEYS = '/muster/config/'

export interface PublishBody {
  name: string
  /** null: there is no such configuration any more */
  version: number | null
}

/**
 * Keeps `/muster/config/<name>` of the key-value store at the active version of each configuration: what should be there and is not is
 * asked for, whatever the reason, so also what somebody overwrote, or a store that was emptied.
 */
export const publishController: Controller<PublishedSoft> = {
  name: PUBLISH,
  wakes: ['delos.Config'],
  decide: () => ({ entries: [], wakeAt: null }),
  effects: (db, _now, { published }) => {
    const active = activeVersions(db)
    const missing = [...active].filter(([name, version]) => published.get(name) !== version)
    const gone = [...published.keys()].filter((name) => !active.has(name))
    return [...missing.map(([name, version]) => effect(name, version)), ...gone.map((name) => effect(name, null))]
  },
}

function effect(name: string, version: number | null): Effect {
  const body: PublishBody = { name, version }
  return { key: `${PUBLISH_CONFIG}/${name}@${version ?? 'gone'}`, kind: PUBLISH_CONFIG, body }
}

function activeVersions(db: ReadDb): Map<string, number> {
  const rows = db.all<{ name: string; active: number }>('SELECT name, active FROM delos_config WHERE active IS NOT NULL ORDER BY name')
  return new Map(rows.map(({ name, active }) => [name, active]))
}
