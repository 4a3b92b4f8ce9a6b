import type { z } from 'zod'
import type { ReadDb } from '../../core/contracts/storage.ts'
import type { Observed, RegistrySoft } from '../../core/scuba/observed.ts'
import type { scubaLeafList } from '../../core/scuba/operations/segments.ts'
import type { LeafHealth, ScubaClient } from './client.ts'

type Leaves = z.input<typeof scubaLeafList.output>
type Holds = NonNullable<Leaves['leaves'][number]['holds']>

/** Every leaf the log knows, and this server's own as it is now. */
export async function listLeaves(
  db: ReadDb,
  { leaf: own, observed, silentSinceMs }: RegistrySoft,
  client: Pick<ScubaClient, 'health'>,
): Promise<Leaves> {
  const stored = db.all<{ id: string; state: 'present' | 'lost'; since: number }>('SELECT id, state, since FROM scuba_leaf ORDER BY id')
  const health = await client.health().catch(() => null)
  const leaves: Leaves['leaves'] = stored.map(({ id, state, since }) => {
    if (id !== own) return { leaf: id, state, sinceMs: since, holds: null }
    const isSilent = state === 'present' && silentSinceMs !== null
    const holds = observed === null || health === null ? null : holdsOf(observed, health)
    return { leaf: id, state: isSilent ? 'silent' : state, sinceMs: isSilent ? silentSinceMs : since, holds }
  })
  return { leaves }
}

function holdsOf({ tables, lost, registryVersion }: Observed, { pid, clickhouse }: LeafHealth): Holds {
  const all = Object.values(tables)
  const sum = (of: 'rows' | 'bytes' | 'segments'): number => all.reduce((total, table) => total + table[of], 0)
  return {
    ...{ pid, tables: all.length, segments: sum('segments'), rows: sum('rows'), bytes: sum('bytes') },
    ...{ lostSegments: lost.length, lostRows: lost.reduce((total, { rows }) => total + rows, 0), registryVersion },
    clickhouse: clickhouse ? { where: clickhouse.where, away: clickhouse.away } : null,
  }
}
