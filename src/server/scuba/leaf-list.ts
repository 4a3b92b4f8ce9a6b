import type { z } from 'zod'
import type { Observed, PeerSeen, RegistrySoft } from '../../core/scuba/observed.ts'
import type { scubaLeafList } from '../../core/scuba/operations/segments.ts'
import { storedShards } from '../../core/scuba/registry-state.ts'
import type { ServerHost } from '../host.ts'
import type { ScubaClient } from './client.ts'

type Leaves = z.input<typeof scubaLeafList.output>
type Holds = NonNullable<Leaves['leaves'][number]['holds']>

interface StoredLeaf {
  id: string
  state: 'present' | 'lost'
  since: number
  node: string | null
  server: string | null
  leavingTo: string | null
}

/** Every leaf the log knows, and this server's own as it is now. */
export async function listLeaves(
  { db, servers }: Pick<ServerHost, 'db' | 'servers'>,
  { leaf: own, observed, silentSinceMs, peers = [] }: RegistrySoft,
  client: Pick<ScubaClient, 'health'>,
): Promise<Leaves> {
  const stored = db.all<StoredLeaf>('SELECT id, state, since, node, server, leaving_to AS leavingTo FROM scuba_leaf ORDER BY id')
  const nameOf = (server: string): string => servers?.present().find(({ id }) => id === server)?.name ?? server
  const shards = storedShards(db)
  const health = await client.health().catch(() => null)
  const seen = [{ leaf: own, observed, silentSinceMs, health }, ...peers]
  const leaves: Leaves['leaves'] = stored.map(({ id, state, since, node, server, leavingTo }) => {
    const own = shards.filter(({ primary }) => primary === id)
    const one = seen.find(({ leaf }) => leaf === id)
    const its = {
      ...{
        leaf: id,
        node,
        server: server === null ? null : nameOf(server),
        leavingTo,
        shards: own.map(({ id: shard, epoch }) => ({ id: shard, epoch })),
      },
      copies: [...new Set(own.flatMap(({ replicas }) => Object.keys(replicas)))].map((leaf) => {
        // What a silent leaf said last is old.
        const said = one?.silentSinceMs === null ? one.observed?.copies?.find((copy) => copy.leaf === leaf) : undefined
        return { leaf, state: said?.state ?? null, waitingBytes: said?.waitingBytes ?? 0 }
      }),
    }
    if (!one) return { ...its, state, sinceMs: since, holds: null }
    const isSilent = state === 'present' && one.silentSinceMs !== null
    const holds = one.observed === null || one.health === null ? null : holdsOf(one.observed, one.health)
    return { ...its, state: isSilent ? 'silent' : state, sinceMs: isSilent ? one.silentSinceMs : since, holds }
  })
  return { leaves }
}

function holdsOf(
  { tables, lost, registryVersion, holds = [], asideRows = 0 }: Observed,
  { pid, backlogBytes, diskLevel, clickhouse, strictTokens = [], senders = [] }: NonNullable<PeerSeen['health']>,
): Holds {
  const all = Object.values(tables)
  const sum = (of: 'rows' | 'bytes' | 'segments'): number => all.reduce((total, table) => total + table[of], 0)
  return {
    ...{ pid, tables: all.length, segments: sum('segments'), rows: sum('rows'), bytes: sum('bytes') },
    ...{ lostSegments: lost.length, lostRows: lost.reduce((total, { rows }) => total + rows, 0), registryVersion },
    ...{ backlogBytes, disk: diskLevel, strictTokens, copiedRows: holds.reduce((total, { rows }) => total + rows, 0), asideRows },
    senders,
    clickhouse: clickhouse ? { where: clickhouse.where, away: clickhouse.away } : null,
  }
}
