import type { ReadDb } from '../../contracts/storage.ts'
import { fromJson, type NodeRow } from '../rows.ts'
import { staticPorts } from '../tasks/read.ts'

/** What the planner knows of a node: a copy it may count down as it places. */
export interface FleetNode {
  name: string
  address: string
  /** what constraints and spreads look at: `name region zone rack`, the agent's attributes, `meta.KEY` labels */
  attributes: Record<string, string>
  /** why it takes nothing now, or null */
  closed: 'lost' | 'draining' | 'cordoned' | null
  cpuMilli: number
  memoryBytes: number
  cpuFree: number
  memoryFree: number
}

export interface Fleet {
  nodes: FleetNode[]
  /** `address:port` of static ports that live tasks hold */
  portsTaken: Set<string>
}

/** The planner's picture of the fleet, nodes by name. */
export function fleetOf(db: ReadDb): Fleet {
  const use = new Map(
    db.all<{ node: string; cpu_milli: number; memory_bytes: number }>('SELECT * FROM tw_node_use').map((row) => [row.node, row]),
  )
  const draining = new Set(db.all<{ node: string }>('SELECT node FROM tw_drain WHERE finished_at IS NULL').map((row) => row.node))
  const rows = db.all<NodeRow>('SELECT * FROM tw_node ORDER BY name')
  const nodes = rows.map((row): FleetNode => {
    const used = use.get(row.name)
    return {
      name: row.name,
      address: row.address,
      attributes: attributesOf(row),
      closed: row.state === 'lost' ? 'lost' : draining.has(row.name) ? 'draining' : row.is_cordoned ? 'cordoned' : null,
      cpuMilli: row.cpu_milli,
      memoryBytes: row.memory_bytes,
      cpuFree: row.cpu_milli - (used?.cpu_milli ?? 0),
      memoryFree: row.memory_bytes - (used?.memory_bytes ?? 0),
    }
  })
  const addresses = new Map(rows.map((row) => [row.name, row.address]))
  const portsTaken = new Set<string>()
  for (const task of staticPorts(db)) {
    for (const port of fromJson<number[]>(task.static_ports)) portsTaken.add(`${addresses.get(task.node) ?? task.node}:${port}`)
  }
  return { nodes, portsTaken }
}

export function attributesOf(row: NodeRow): Record<string, string> {
  const labels = fromJson<Record<string, string>>(row.labels)
  return {
    ...fromJson<Record<string, string>>(row.attributes),
    ...Object.fromEntries(Object.entries(labels).map(([key, value]) => [`meta.${key}`, value])),
    name: row.name,
    region: row.region,
    zone: row.zone,
    rack: row.rack,
  }
}
