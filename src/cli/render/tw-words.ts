import type { TaskView } from '../../core/tw/queries.ts'
import { formatDuration } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { mark, type Mark } from './style.ts'
import { sinceText } from './text.ts'

/** Words that the tables of tasks, jobs and nodes share. */

const STATE_MARK: Record<string, Mark> = {
  running: 'ok',
  placed: 'busy',
  starting: 'busy',
  stopping: 'busy',
  stopped: 'off',
  complete: 'off',
  failed: 'bad',
  lost: 'bad',
}

/** `● running`, `▲ unhealthy`, `◐ starting`: what matters of state and health in one word. */
export function taskState(view: View, task: Pick<TaskView, 'state' | 'health'>): string {
  if (task.state === 'running' && task.health === 'unhealthy') return mark(view, 'warn', 'unhealthy')
  if (task.state === 'running' && task.health === 'starting') return mark(view, 'busy', 'warming up')
  return mark(view, STATE_MARK[task.state] ?? 'warn', task.state)
}

export function portsText(ports: Record<string, number>): string {
  return (
    Object.entries(ports)
      .map(([name, port]) => `${name}:${port}`)
      .join(' ') || '-'
  )
}

/** `T4 0,1`, `T4 0 (50 %)`. */
export function gpuText(gpu: TaskView['gpu']): string {
  if (gpu === null) return '-'
  const share = gpu.shareMilli === 1000 ? '' : ` (${gpu.shareMilli / 10} %)`
  return `${[...new Set(gpu.models)].join('+')} ${gpu.indexes.join(',')}${share}`.trim()
}

/** Names of tasks in a sentence; of many the first and how many more. */
export function tasksText(tasks: readonly string[]): string {
  return tasks.length <= 3 ? tasks.join(', ') : `${tasks[0] ?? ''} and ${tasks.length - 1} more`
}

export function cpuText(milli: number): string {
  return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`
}

/** `3 m`: how long ago something was. */
export const ago = (atMs: number | null, nowMs: number): string => sinceText(atMs, nowMs, formatDuration)
