import type { ReadDb } from '../../contracts/storage.ts'
import { meets } from '../constraint.ts'
import type { GroupSpec } from '../job-spec.ts'
import { armRows, fromJson, jobRow, nodeRow, type NodeRow, type NodeUseRow } from '../rows.ts'
import { isIndexTaken, liveOnNode } from '../tasks/read.ts'
import { attributesOf } from './fleet.ts'

/**
 * Why a placement may not stand in the state as it is now, or null. Knows nothing of any planner: it reads the few rows
 * the record touches (I2, I4, I6).
 */
export function misfitOf(
  db: ReadDb,
  record: { job: string; group: GroupSpec; version: number; index: number; node: string },
): string | null {
  const { group } = record
  if (jobRow(db, record.job)?.state !== 'running') return 'the job is stopped'
  if (!armRows(db, record.job, group.name).some((arm) => arm.version === record.version && arm.count > 0))
    return 'stale: no arm wants this version any more'
  const node = nodeRow(db, record.node)
  if (!node || node.state === 'lost') return 'stale: the node is lost'
  if (node.is_cordoned) return 'stale: the node is cordoned'
  if (group.constraints.some((constraint) => !meets(constraint, attributesOf(node)))) return 'stale: the node fails a constraint'
  const use = db.get<NodeUseRow>('SELECT * FROM tw_node_use WHERE node = ?', record.node)
  if ((use?.cpu_milli ?? 0) + group.container.cpuMilli > node.cpu_milli) return 'stale: not enough cpu'
  if ((use?.memory_bytes ?? 0) + group.container.memoryBytes > node.memory_bytes) return 'stale: not enough memory'
  if (isIndexTaken(db, record.job, group.name, record.index)) return 'stale: the index is in use'
  const statics = Object.values(group.container.ports).filter((port) => port > 0)
  if (statics.length > 0 && holdsPort(db, node.address, statics)) return 'stale: the port is taken'
  return null
}

function holdsPort(db: ReadDb, address: string, ports: readonly number[]): boolean {
  const nodes = db.all<Pick<NodeRow, 'name'>>('SELECT name FROM tw_node WHERE address = ?', address)
  return nodes.some(({ name }) =>
    liveOnNode(db, name).some((task) => fromJson<number[]>(task.static_ports).some((port) => ports.includes(port))),
  )
}
