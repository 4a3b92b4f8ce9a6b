import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { fromJson, type NodeRow, type NodeUseRow } from '../rows.ts'
import { staticPorts } from '../tasks/read.ts'
import { FleetImage, type NodeFacts } from './image.ts'

/** The planner's picture of the fleet, built from the state. */
export function imageOf(db: ReadDb): FleetImage {
  const image = new FleetImage()
  const draining = new Set(db.all<{ node: string }>('SELECT node FROM tw_drain WHERE finished_at IS NULL').map((row) => row.node))
  for (const row of db.all<NodeRow>('SELECT * FROM tw_node ORDER BY name')) image.setNode(nodeFacts(row, draining.has(row.name)))
  for (const use of db.all<NodeUseRow>('SELECT * FROM tw_node_use')) {
    const node = image.indexOf(use.node)
    if (node !== undefined) image.holdSum(node, use.cpu_milli, use.memory_bytes, use.tasks)
  }
  for (const task of staticPorts(db)) {
    const node = must(image.indexOf(task.node), `node ${task.node} of a task`)
    for (const port of fromJson<number[]>(task.static_ports)) image.holdPort(node, port)
  }
  return image
}

/** A node's row as the image takes it. */
export function nodeFacts(row: NodeRow, isDraining: boolean): NodeFacts {
  const { name: _, ...attributes } = attributesOf(row)
  return {
    name: row.name,
    address: row.address,
    attributes,
    closed: row.state === 'lost' ? 'lost' : isDraining ? 'draining' : row.is_cordoned ? 'cordoned' : null,
    cpuMilli: row.cpu_milli,
    memoryBytes: row.memory_bytes,
    diskBytes: 0,
    gpus: [],
  }
}

/** What constraints look at: `name region zone rack`, the agent's attributes, `meta.KEY` labels. */
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
