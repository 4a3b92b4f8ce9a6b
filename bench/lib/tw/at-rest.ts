import { tasksReported } from '../../../src/core/tw/entries/tasks.ts'
import { taskName, type TaskRow } from '../../../src/core/tw/rows.ts'
import { nodeName, NODES } from './fleet.ts'
import type { House } from './house.ts'

const REST_MS = 20_000
const CHANGES = 200

/** Part of one processor that all controllers take while nothing happens and every agent is heard. */
export async function idle(house: House): Promise<{ share: number }> {
  for (let i = 0; i < NODES; i += 1)
    house.beats.set(nodeName(i), { ageMs: 0, bootId: 'bench', meshPosition: house.control.tail(), connected: true })
  const loop = house.start()
  // The first look at everything is no rest.
  await new Promise((resolve) => setTimeout(resolve, 5000))
  const cpu = process.cpuUsage()
  const startedMs = performance.now()
  await new Promise((resolve) => setTimeout(resolve, REST_MS))
  const { user, system } = process.cpuUsage(cpu)
  await loop.stop()
  return { share: (user + system) / 1000 / (performance.now() - startedMs) }
}

/** One task after the other says that it runs: until it is durable, and what it took of the processor with all that followed. */
export async function changes(house: House): Promise<{ ms: number[]; cpuMs: number }> {
  const { control } = house
  const loop = house.start()
  await new Promise((resolve) => setTimeout(resolve, 2000))
  const ms: number[] = []
  const cpu = process.cpuUsage()
  for (let i = 0; i < CHANGES; i += 1) {
    const task = control.db.get<TaskRow>('SELECT * FROM tw_task WHERE id = ?', 1 + i * 100)
    if (!task) continue
    const rest = { incarnation: 1, health: 'none' as const, pid: 7, ports: {}, reason: '', restarts: 0, startedAt: 1 }
    const report = tasksReported.of({
      node: task.node,
      bootId: 'bench',
      tasks: [{ id: task.id, task: taskName(task), state: 'running', ...rest }],
    })
    const startedMs = performance.now()
    await control.submit({ actor: 'bench' }, () => ({ entries: [report], value: () => undefined }))
    ms.push(performance.now() - startedMs)
  }
  const { user, system } = process.cpuUsage(cpu)
  await loop.stop()
  return { ms, cpuMs: (user + system) / 1000 / CHANGES }
}
