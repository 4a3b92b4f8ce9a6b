import type { ReadDb } from '../../contracts/storage.ts'
import type { NodeIdentity } from '../../contracts/node.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { gpuModels } from '../nodes/gpus.ts'
import { nodeProfileView, type NodeProfileView } from '../profiles/rows.ts'
import { attributesOf } from '../scheduler/fleet.ts'
import { fromJson, type DrainRow, type NodeRow, type NodeUseRow } from '../rows.ts'
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
  diskBytes: number
  cpuReserved: number
  memoryReserved: number
  diskReserved: number
  /** its GPUs by their index, and how many thousandths of each are reserved */
  gpus: { model: string; reservedMilli: number }[]
  tasks: number
  /** time since its last report; null where nobody listens */
  silentMs: number | null
  /** the node over whose agent it beats; null: straight to the server, or not known */
  relay: string | null
  joinedAtMs: number
  changedAtMs: number
  attributes: Record<string, string>
  /** what is wrong with the machine: condition → what was measured */
  conditions: Record<string, string>
  /** the host profile it is in or comes into; null: none */
  profile: NodeProfileView | null
}

/** Which nodes, and how many of them. */
export interface NodeSelector {
  name?: string | undefined
  isLost?: boolean | undefined
  region?: string | undefined
  /** `ZONE/RACK` */
  rack?: string | undefined
  /** only names behind this one */
  after?: string | undefined
  limit?: number | undefined
}

/** Nodes by name: every one, or those of the selector. With `soft` (in the server) it also says who is suspect. */
export function nodesView(db: ReadDb, soft?: TwSoft, selector: NodeSelector = {}): NodeView[] {
  const drains = new Map(db.all<DrainRow>('SELECT * FROM tw_drain').map((row) => [row.node, row]))
  const where: string[] = ['name > ?']
  const params: (string | number)[] = [selector.after ?? '']
  const add = (sql: string, value: string | undefined): void => {
    if (value === undefined) return
    where.push(sql)
    params.push(value)
  }
  add('name = ?', selector.name)
  add('state = ?', selector.isLost ? 'lost' : undefined)
  add('region = ?', selector.region)
  add("zone || '/' || rack = ?", selector.rack)
  const sql = `SELECT * FROM tw_node WHERE ${where.join(' AND ')} ORDER BY name LIMIT ?`
  return db.all<NodeRow>(sql, ...params, selector.limit ?? -1).map((row) => {
    const used = db.get<NodeUseRow>('SELECT * FROM tw_node_use WHERE node = ?', row.name)
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
      diskBytes: row.disk_bytes,
      cpuReserved: used?.cpu_milli ?? 0,
      memoryReserved: used?.memory_bytes ?? 0,
      diskReserved: used?.disk_bytes ?? 0,
      gpus: devicesOf(row, used),
      tasks: used?.tasks ?? 0,
      silentMs,
      relay: beat?.via ?? null,
      joinedAtMs: row.joined_at,
      changedAtMs: row.changed_at,
      attributes: attributesOf(row),
      conditions: fromJson<Record<string, string>>(row.conditions),
      profile: nodeProfileView(db, row.name),
    }
  })
}

function devicesOf(row: NodeRow, used: NodeUseRow | undefined): NodeView['gpus'] {
  const taken = fromJson<(number | null)[]>(used?.gpus ?? '[]')
  return gpuModels(row).map((model, device) => ({ model, reservedMilli: taken[device] ?? 0 }))
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
    row.disk_bytes === (identity.diskBytes ?? 0) &&
    row.gpus === canonicalJson(identity.gpus ?? []) &&
    row.attributes === canonicalJson(identity.attributes)
  )
}
