import type { ReadDb } from '../../contracts/storage.ts'
import type { NodeIdentity } from '../../contracts/node.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { attributesOf } from '../scheduler/fleet.ts'
import type { DrainRow, NodeRow, NodeUseRow } from '../rows.ts'
import { SUSPECT_MS, type TwSoft } from '../soft.ts'

export interface NodeView {
  node: string
  state: 'ready' | 'suspect' | 'lost'
  isCordoned: boolean
  drain: 'draining' | 'drained' | null
  region: string
  zone: string
  rack: string
  address: string
  cpuMilli: number
  memoryBytes: number
  cpuReserved: number
  memoryReserved: number
  tasks: number
  /** time since its last report; null where nobody listens */
  silentMs: number | null
  joinedAtMs: number
  changedAtMs: number
  attributes: Record<string, string>
}

/** Every node by name. With `soft` (in the server) it also says who is suspect. */
export function nodesView(db: ReadDb, soft?: TwSoft): NodeView[] {
  const use = new Map(db.all<NodeUseRow>('SELECT * FROM tw_node_use').map((row) => [row.node, row]))
  const drains = new Map(db.all<DrainRow>('SELECT * FROM tw_drain').map((row) => [row.node, row]))
  return db.all<NodeRow>('SELECT * FROM tw_node ORDER BY name').map((row) => {
    const used = use.get(row.name)
    const drain = drains.get(row.name)
    const beat = soft?.beats.get(row.name)
    const silentMs = beat === undefined ? null : Math.floor(beat.ageMs)
    return {
      node: row.name,
      state: row.state === 'ready' && silentMs !== null && silentMs >= SUSPECT_MS ? 'suspect' : row.state,
      isCordoned: row.is_cordoned === 1,
      drain: drain === undefined ? null : drain.finished_at === null ? 'draining' : 'drained',
      region: row.region,
      zone: row.zone,
      rack: row.rack,
      address: row.address,
      cpuMilli: row.cpu_milli,
      memoryBytes: row.memory_bytes,
      cpuReserved: used?.cpu_milli ?? 0,
      memoryReserved: used?.memory_bytes ?? 0,
      tasks: used?.tasks ?? 0,
      silentMs,
      joinedAtMs: row.joined_at,
      changedAtMs: row.changed_at,
      attributes: attributesOf(row),
    }
  })
}

/** Whether the state already knows an agent as it introduces itself; else the server runs `nodeJoin`. */
export function isJoined(db: ReadDb, identity: NodeIdentity): boolean {
  const row = db.get<NodeRow>('SELECT * FROM tw_node WHERE name = ?', identity.node)
  return (
    row !== undefined &&
    row.state === 'ready' &&
    row.boot_id === identity.bootId &&
    row.pid === identity.pid &&
    row.region === identity.region &&
    row.zone === identity.zone &&
    row.rack === identity.rack &&
    row.address === identity.address &&
    row.cpu_milli === identity.cpuMilli &&
    row.memory_bytes === identity.memoryBytes &&
    row.attributes === canonicalJson(identity.attributes)
  )
}
