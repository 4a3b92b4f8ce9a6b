import { readdirSync } from 'node:fs'
import { processStat } from '../platform/process.ts'
import type { Task } from './task.ts'

const PAGE_BYTES = 4096
/** USER_HZ: what Linux shows to user space, on every architecture */
const TICKS_PER_SECOND = 100

/**
 * Measures what tasks use, once a second: their cgroup, or the sum over their session. Without a cgroup nothing enforces the
 * memory ceiling, so a task seen above it is killed here: watched, not enforced.
 */
export class UsageWatch {
  readonly #cpu = new Map<number, { pid: number; cpuUs: number; at: number }>()

  sample(tasks: readonly Task[]): void {
    const plain = tasks.some((task) => task.process !== null && task.cgroup === null) ? bySession() : null
    for (const task of tasks) {
      const process = task.process
      if (process === null) {
        this.#cpu.delete(task.record.id)
        continue
      }
      const session = plain?.get(process.pid)
      const { memoryBytes, cpuUs } = task.cgroup?.usage() ?? { memoryBytes: session?.rssBytes ?? null, cpuUs: session?.cpuUs ?? null }
      const now = performance.now()
      const last = this.#cpu.get(task.record.id)
      const usage: { cpuMilli?: number; memoryBytes?: number } = {}
      if (memoryBytes !== null) usage.memoryBytes = memoryBytes
      if (cpuUs !== null) {
        if (last?.pid === process.pid && now > last.at) usage.cpuMilli = Math.max(0, Math.round((cpuUs - last.cpuUs) / (now - last.at)))
        this.#cpu.set(task.record.id, { pid: process.pid, cpuUs, at: now })
      }
      task.usage = usage
      if (task.cgroup === null && (memoryBytes ?? 0) > task.desired.spec.memoryMaxBytes) task.fail('oom')
    }
  }
}

/** Memory and cpu time of every session on the machine; a task leads one. Shared pages count for each of its processes. */
function bySession(): Map<number, { rssBytes: number; cpuUs: number }> {
  const sums = new Map<number, { rssBytes: number; cpuUs: number }>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = processStat(Number(name))
    if (stat === null) continue
    const sum = sums.get(stat.session) ?? { rssBytes: 0, cpuUs: 0 }
    sum.rssBytes += stat.rssPages * PAGE_BYTES
    sum.cpuUs += (stat.ticks * 1e6) / TICKS_PER_SECOND
    sums.set(stat.session, sum)
  }
  return sums
}
