import type { NodeReport } from '../../core/contracts/node.ts'

const EVERY_MS = 10_000

/** What agents report of their tasks as rows of `muster_tasks`: at each change of a task's state, else every 10 s. */
export function createTaskTelemetry(
  add: (table: string, row: Record<string, unknown>) => void,
  clock: () => number = Date.now,
): (report: NodeReport) => void {
  /** node/task id → its last row */
  const told = new Map<string, { signature: string; at: number }>()
  return ({ identity, tasks }) => {
    const now = clock()
    for (const task of tasks) {
      const id = `${identity.node}/${task.id}`
      const signature = `${task.incarnation}|${task.state}|${task.health}|${task.pid}|${task.restarts}`
      const before = told.get(id)
      if (before?.signature === signature && now - before.at < EVERY_MS) continue
      told.set(id, { signature, at: now })
      const { cpuMilli, memoryBytes } = task
      add('muster_tasks', {
        time: now,
        node: identity.node,
        region: identity.region,
        task: task.task,
        id: task.id,
        incarnation: task.incarnation,
        state: task.state,
        health: task.health,
        reason: task.reason,
        restarts: task.restarts,
        ...(task.pid === null ? {} : { pid: task.pid }),
        ...(cpuMilli === undefined ? {} : { cpu_milli: cpuMilli }),
        ...(memoryBytes === undefined ? {} : { memory_bytes: memoryBytes }),
      })
    }
    // Tasks that are gone for long are forgotten.
    if (told.size > 10_000) for (const [id, { at }] of told) if (now - at > 60_000) told.delete(id)
  }
}
