import type { TaskView } from '../../core/tw/queries.ts'
import { formatSize } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { mark, paint } from './style.ts'
import { fields, table } from './table.ts'
import { count } from './text.ts'
import { ago, cpuText, gpuText, portsText, tasksText, taskState } from './tw-words.ts'

/** Tasks without a place, of one group. */
export interface Blocked {
  count: number
  code: string
  why: string
}

export function taskTable(view: View, tasks: readonly TaskView[], nowMs: number): string {
  const hasReasons = tasks.some(({ reason }) => reason !== '')
  return table(
    view,
    tasks,
    [
      { title: 'task', cell: (task) => task.task },
      { title: 'state', cell: (task) => taskState(view, task) },
      { title: 'node', cell: (task) => task.node },
      { title: 'region', cell: (task) => task.region, isWide: true },
      { title: 'ver', cell: (task) => `v${task.version}${task.arm === 'canary' ? ' canary' : ''}` },
      { title: 'release', cell: (task) => task.release ?? '-', isWide: true },
      { title: 'age', cell: (task) => ago(task.startedAtMs ?? task.placedAtMs, nowMs), align: 'right' },
      { title: 'restarts', cell: (task) => task.restarts, align: 'right' },
      { title: 'cpu', cell: (task) => `${usedCpu(task)}${cpuText(task.cpuMilli)}`, align: 'right' },
      { title: 'memory', cell: (task) => `${usedMemory(task)}${formatSize(task.memoryBytes)}`, align: 'right' },
      { title: 'disk', cell: (task) => (task.diskBytes === 0 ? '-' : formatSize(task.diskBytes)), align: 'right', isWide: true },
      { title: 'gpu', cell: (task) => gpuText(task.gpu), isWide: true },
      { title: 'pid', cell: (task) => task.pid, align: 'right', isWide: true },
      { title: 'id', cell: (task) => task.id, align: 'right', isWide: true },
      { title: 'ports', cell: (task) => portsText(task.ports), canShrink: true },
      ...(hasReasons ? [{ title: 'reason', cell: (task: TaskView) => task.reason, canShrink: true }] : []),
    ],
    'No tasks run.',
  )
}

export function renderTasks(view: View, data: { tasks: readonly TaskView[]; blocked: Record<string, Blocked>; nowMs: number }): string {
  const text = taskTable(view, data.tasks, data.nowMs)
  const blocked = Object.entries(data.blocked).map(
    ([group, it]) => `${mark(view, 'warn', `${group}: ${count(it.count, 'task')} without a place`)}. ${it.why}`,
  )
  return [
    text,
    ...(blocked.length > 0 ? ['', ...blocked, `More: muster tw explain ${Object.keys(data.blocked)[0]?.split('/')[0] ?? ''}`] : []),
  ].join('\n')
}

/** `12m/` before what is reserved; nothing where it was not measured. */
const usedCpu = (task: TaskView): string => (task.cpuUsedMilli === null ? '' : `${cpuText(Math.round(task.cpuUsedMilli))}/`)
const usedMemory = (task: TaskView): string => (task.memoryUsedBytes === null ? '' : `${formatSize(task.memoryUsedBytes)}/`)

export interface TaskEvent {
  atMs: number
  text: string
}

export function eventLines(view: View, events: readonly TaskEvent[]): string[] {
  return events.map((event) => `${paint(view, 'dim', new Date(event.atMs).toISOString().slice(11, 23))}  ${event.text}`)
}

export function renderTask(
  view: View,
  data: {
    task: TaskView
    why: string
    command: readonly string[]
    events: readonly TaskEvent[]
    attempts: readonly Attempt[]
    nowMs: number
  },
): string {
  const { task } = data
  const head = fields(view, [
    ['task', task.task],
    ['id', task.id],
    ['state', `${taskState(view, task)}${task.reason === '' ? '' : ` (${task.reason})`}`],
    ['node', `${task.node} in ${task.region}`],
    ['placed', `${ago(task.placedAtMs, data.nowMs)} ago: ${data.why}`],
    ['version', `v${task.version}${task.release === null ? '' : ` (${task.release})`}${task.arm === null ? '' : `, ${task.arm}`}`],
    ['started', task.startedAtMs === null ? null : `${ago(task.startedAtMs, data.nowMs)} ago`],
    ['restarts', task.restarts],
    ['pid', task.pid],
    ['ports', portsText(task.ports)],
    ['reserved', reservedText(task)],
    ['used', usedText(task)],
    ['command', data.command.join(' ')],
  ])
  const before = data.attempts.map(
    (it) =>
      `  ${it.id} on ${it.node}: ${it.state}${it.reason === '' ? '' : `, ${it.reason}`}${it.endedAtMs === null ? '' : `, ${ago(it.endedAtMs, data.nowMs)} ago`}`,
  )
  return [head, '', ...eventLines(view, data.events), ...(before.length > 0 ? ['', 'had this index before:', ...before] : [])].join('\n')
}

function reservedText(task: TaskView): string {
  const disk = task.diskBytes === 0 ? '' : `, disk ${formatSize(task.diskBytes)}`
  const gpu = task.gpu === null ? '' : `, GPU ${gpuText(task.gpu)}`
  return `cpu ${cpuText(task.cpuMilli)}, memory ${formatSize(task.memoryBytes)}${disk}${gpu}`
}

/** A task that had the same index before. */
interface Attempt {
  id: number
  node: string
  state: string
  reason: string
  endedAtMs: number | null
}

function usedText(task: TaskView): string | null {
  if (task.cpuUsedMilli === null && task.memoryUsedBytes === null) return null
  const cpu = task.cpuUsedMilli === null ? '-' : cpuText(Math.round(task.cpuUsedMilli))
  return `cpu ${cpu}, memory ${task.memoryUsedBytes === null ? '-' : formatSize(task.memoryUsedBytes)}`
}

export interface Explained {
  target: string
  isFine: boolean
  blocked: readonly { tasks: readonly string[]; code: string; why: string }[]
  lines: readonly string[]
  tasks: readonly { task: string; isServing: boolean; lines: readonly string[]; events: readonly TaskEvent[] }[]
  more: number
}

export function renderExplain(view: View, data: Explained): string {
  const parts: string[] = []
  for (const it of data.blocked)
    parts.push(
      `${mark(view, 'bad', `${tasksText(it.tasks)} ${it.tasks.length === 1 ? 'has' : 'have'} no place`)} (${it.code})`,
      `  ${it.why}`,
    )
  parts.push(...data.lines)
  if (data.isFine && data.tasks.length > 0) parts.push(mark(view, 'ok', `${data.target} runs as wanted`))
  // Of a whole job, a task that serves takes a line.
  const [full, short] =
    data.tasks.length > 1 ? [data.tasks.filter((it) => !it.isServing), data.tasks.filter((it) => it.isServing)] : [data.tasks, []]
  for (const task of full) {
    parts.push('', paint(view, 'bold', task.task), ...task.lines.map((line) => `  ${line}`))
    if (task.events.length > 0) parts.push('', ...eventLines(view, task.events).map((line) => `  ${line}`))
  }
  if (short.length > 0) parts.push('', ...short.map((task) => `${task.task}  ${task.lines.join('; ')}`))
  if (data.more > 0) parts.push(`and ${count(data.more, 'more task')}: muster tw ps ${data.target}`)
  return parts.join('\n').replace(/^\n/, '') || `Nothing is known of ${data.target}.`
}
