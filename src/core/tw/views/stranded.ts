import type { ReadDb } from '../../contracts/storage.ts'

/** Of cpu in thousandths of a core, of memory in bytes. */
export interface Shape {
  cpuMilli: number
  memoryBytes: number
}

/** The typical task: the mean of all that are placed; null without any. */
export function typicalTask(db: ReadDb): Shape | null {
  const { tasks, cpu, memory } = db.get<{ tasks: number; cpu: number; memory: number }>(
    'SELECT coalesce(sum(tasks), 0) AS tasks, coalesce(sum(cpu_milli), 0) AS cpu, coalesce(sum(memory_bytes), 0) AS memory FROM tw_node_use',
  ) ?? { tasks: 0, cpu: 0, memory: 0 }
  return tasks === 0 ? null : { cpuMilli: Math.floor(cpu / tasks), memoryBytes: Math.floor(memory / tasks) }
}

/**
 * What is stranded, by node: free, but on a node that takes tasks and has less of the other dimension left than the typical task
 * asks for. Nodes where nothing is stranded are not in it; without tasks nothing is.
 */
export function strandedOf(db: ReadDb): Map<string, Shape> {
  const typical = typicalTask(db)
  if (typical === null) return new Map()
  const rows = db.all<{ node: string; cpuFree: number; memoryFree: number }>(
    `SELECT * FROM (
       SELECT n.name AS node, max(0, n.cpu_milli - coalesce(u.cpu_milli, 0)) AS cpuFree,
         max(0, n.memory_bytes - coalesce(u.memory_bytes, 0)) AS memoryFree
       FROM tw_node n LEFT JOIN tw_node_use u ON u.node = n.name WHERE n.state <> 'lost' AND n.is_cordoned = 0)
     WHERE cpuFree < ? OR memoryFree < ?`,
    typical.cpuMilli,
    typical.memoryBytes,
  )
  return new Map(
    rows.map(({ node, cpuFree, memoryFree }) => [
      node,
      {
        cpuMilli: memoryFree < typical.memoryBytes ? cpuFree : 0,
        memoryBytes: cpuFree < typical.cpuMilli ? memoryFree : 0,
      },
    ]),
  )
}
