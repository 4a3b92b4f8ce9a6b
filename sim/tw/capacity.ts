import type { ReadDb } from '../../src/core/contracts/storage.ts'
import { fromJson, taskName, type NodeRow, type TaskRow } from '../../src/core/tw/rows.ts'
import { devicesOf, gpuModels } from '../../src/core/tw/nodes/gpus.ts'
import { liveOnNode } from '../../src/core/tw/tasks/read.ts'
import { Violation } from '../violation.ts'

/** Thousandths of a GPU that can be reserved. */
const GPU_MILLI = 1000

/** I2: what the live tasks of a node reserve, counted anew from the tasks themselves, is not more than it has. */
export function nodeHolds(db: ReadDb, node: string, where: string): void {
  const row = db.get<NodeRow>('SELECT * FROM tw_node WHERE name = ?', node)
  if (row === undefined) throw new Violation(`node: ${node} is not known and gets tasks ${where}`)
  const tasks = liveOnNode(db, node)
  for (const column of ['cpu_milli', 'memory_bytes', 'disk_bytes'] as const) {
    const used = tasks.reduce((total, task) => total + task[column], 0)
    if (used > row[column]) throw new Violation(`capacity: ${node} has ${row[column]} ${column} and ${used} are reserved ${where}`)
  }
  const models = gpuModels(row)
  const used = models.map(() => 0)
  for (const task of tasks)
    for (const device of devicesOf(task)) {
      if (models[device] === undefined)
        throw new Violation(`capacity: ${taskName(task)} has GPU ${device} of ${node}, which has none ${where}`)
      used[device] = (used[device] ?? 0) + task.gpu_milli
    }
  const over = used.findIndex((milli) => milli > GPU_MILLI)
  if (over >= 0) throw new Violation(`capacity: of GPU ${over} of ${node} ${used[over]} thousandths are reserved ${where}`)
}

/** I6: nobody else holds the static ports of a task at the address of its node. */
export function portIsFree(db: ReadDb, task: TaskRow, where: string): void {
  const statics = fromJson<number[]>(task.static_ports)
  if (statics.length === 0) return
  const others = db.all<TaskRow>(
    `SELECT t.* FROM tw_task t JOIN tw_node n ON n.name = t.node
      WHERE n.address = (SELECT address FROM tw_node WHERE name = ?) AND t.is_terminal = 0 AND t.static_ports <> '[]' AND t.id <> ?`,
    task.node,
    task.id,
  )
  const other = others.find((it) => fromJson<number[]>(it.static_ports).some((port) => statics.includes(port)))
  if (other !== undefined) throw new Violation(`port: ${taskName(task)} and ${taskName(other)} hold one port on ${task.node} ${where}`)
}
