import { closingCondition, type Conditions } from '../nodes/conditions.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { fromJson, groupSpecOf, specOf, type NodeRow } from '../rows.ts'
import { allLoadSums } from '../tasks/load.ts'
import { gpuTasks, portsHeld } from '../tasks/read.ts'
import { demandOf, type Demand } from './demand.ts'
import { FleetImage, type NodeFacts } from './image.ts'

/** The planner's picture of the fleet, built from the state. */
export function imageOf(db: ReadDb): FleetImage {
  const image = new FleetImage()
  const draining = new Set(db.all<{ node: string }>('SELECT node FROM tw_drain WHERE finished_at IS NULL').map((row) => row.node))
  for (const row of db.all<NodeRow>('SELECT * FROM tw_node ORDER BY name')) image.setNode(nodeFacts(row, draining.has(row.name)))
  holdTasks(db, image)
  return image
}

/** Tasks with GPUs one by one, since devices and shapes count; of all others the sum a node. */
function holdTasks(db: ReadDb, image: FleetImage): void {
  const specs = new Map<string, Demand>()
  for (const task of gpuTasks(db)) {
    const key = `${task.job}/${task.grp}@${task.version}`
    const group = specs.has(key) ? undefined : groupSpecOf(specOf(db, task.job, task.version), task.grp)
    const demand = specs.get(key) ?? demandOf(must(group, `group ${key}`))
    specs.set(key, demand)
    image.applyTask(must(image.indexOf(task.node), `node ${task.node} of a task`), { ...demand, ports: [] }, 1, task.gpu_mask)
  }
  for (const load of allLoadSums(db)) {
    const node = image.indexOf(load.name)
    if (node === undefined) continue
    image.setId(node, load.id)
    if (load.tasks > 0) image.holdSum(node, load)
  }
  for (const { node, port } of portsHeld(db)) image.holdPort(must(image.indexOf(node), `node ${node} of a task`), port)
}

/** A node's row as the image takes it. */
export function nodeFacts(row: NodeRow, isDraining: boolean): NodeFacts {
  const { name: _, ...attributes } = attributesOf(row)
  return {
    name: row.name,
    address: row.address,
    attributes,
    closed:
      row.state === 'lost'
        ? 'lost'
        : isDraining
          ? 'draining'
          : row.is_cordoned
            ? 'cordoned'
            : closingCondition(fromJson<Conditions>(row.conditions)),
    cpuMilli: row.cpu_milli,
    memoryBytes: row.memory_bytes,
    diskBytes: row.disk_bytes,
    gpus: fromJson<NodeFacts['gpus']>(row.gpus),
  }
}

/** What constraints look at: `name region zone rack`, the agent's attributes, `meta.KEY` labels. */
export function attributesOf(row: Pick<NodeRow, 'name' | 'region' | 'zone' | 'rack' | 'attributes' | 'labels'>): Record<string, string> {
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
