import type { Gpus } from '../../contracts/node.ts'
import { fromJson, type NodeRow, type TaskRow } from '../rows.ts'

/** The model of each GPU of a node, by its index. */
export function gpuModels(node: Pick<NodeRow, 'gpus'>): string[] {
  return fromJson<Gpus[]>(node.gpus).flatMap(({ model, count }) => Array.from({ length: count }, () => model))
}

/** Indexes of the GPUs that a task was placed on. */
export function devicesOf(task: Pick<TaskRow, 'gpu_mask'>): number[] {
  const indexes: number[] = []
  for (let mask = task.gpu_mask, device = 0; mask > 0; mask >>= 1, device += 1) if ((mask & 1) === 1) indexes.push(device)
  return indexes
}

/** The GPUs of a task as people see them; null: it has none. */
export interface TaskGpu {
  indexes: number[]
  /** of each of them; `` where the node is gone or has other GPUs by now */
  models: string[]
  /** thousandths of each */
  shareMilli: number
}

export function taskGpu(task: Pick<TaskRow, 'gpu_mask' | 'gpu_milli'>, node: Pick<NodeRow, 'gpus'> | undefined): TaskGpu | null {
  if (task.gpu_mask === 0) return null
  const indexes = devicesOf(task)
  const models = node === undefined ? [] : gpuModels(node)
  return { indexes, models: indexes.map((device) => models[device] ?? ''), shareMilli: task.gpu_milli }
}
