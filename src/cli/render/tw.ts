import { formatDuration, formatSize } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { mark, paint, type Mark } from './style.ts'
import { fields, table } from './table.ts'
import { count, sinceText } from './text.ts'

/** Tables and sentences of tw. Every function is pure: view and data to text. */

export interface TaskLike {
  task: string
  id: number
  version: number
  release: string | null
  arm: string | null
  node: string
  region: string
  state: string
  health: string
  want: string
  restarts: number
  reason: string
  pid: number | null
  ports: Record<string, number>
  placedAtMs: number
  startedAtMs: number | null
  endedAtMs: number | null
  cpuMilli: number
  memoryBytes: number
}

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
export function taskState(view: View, task: Pick<TaskLike, 'state' | 'health'>): string {
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

export function cpuText(milli: number): string {
  return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`
}

const ago = (atMs: number | null, nowMs: number): string => sinceText(atMs, nowMs, formatDuration)

export interface BlockedLike {
  count: number
  code: string
  why: string
}

export function renderTasks(view: View, data: { tasks: readonly TaskLike[]; blocked: Record<string, BlockedLike>; nowMs: number }): string {
  const text = table(
    view,
    data.tasks,
    [
      { title: 'task', cell: (task) => task.task },
      { title: 'state', cell: (task) => taskState(view, task) },
      { title: 'node', cell: (task) => task.node },
      { title: 'region', cell: (task) => task.region },
      { title: 'version', cell: (task) => `v${task.version}${task.arm === 'canary' ? ' canary' : ''}` },
      { title: 'release', cell: (task) => task.release ?? '-', isWide: true },
      { title: 'age', cell: (task) => ago(task.startedAtMs ?? task.placedAtMs, data.nowMs), align: 'right' },
      { title: 'restarts', cell: (task) => task.restarts, align: 'right' },
      { title: 'cpu', cell: (task) => cpuText(task.cpuMilli), align: 'right', isWide: true },
      { title: 'memory', cell: (task) => formatSize(task.memoryBytes), align: 'right', isWide: true },
      { title: 'pid', cell: (task) => task.pid, align: 'right', isWide: true },
      { title: 'id', cell: (task) => task.id, align: 'right', isWide: true },
      { title: 'ports', cell: (task) => portsText(task.ports) },
      { title: 'reason', cell: (task) => task.reason || '', canShrink: true },
    ],
    'No tasks run.',
  )
  const blocked = Object.entries(data.blocked).map(
    ([group, it]) => `${mark(view, 'warn', `${group}: ${count(it.count, 'task')} without a place`)}. ${it.why}`,
  )
  return [
    text,
    ...(blocked.length > 0 ? ['', ...blocked, `More: muster tw explain ${Object.keys(data.blocked)[0]?.split('/')[0] ?? ''}`] : []),
  ].join('\n')
}

export interface ArmLike {
  arm: string
  version: number
  wanted: number
  placed: number
  healthy: number
  restarts: number
}

export interface StatusLike {
  job: string
  kind: string
  state: string
  currentVersion: number
  owner: string | null
  groups: readonly { group: string; service: string | null; count: number; arms: readonly ArmLike[]; leftover: number }[]
}

/** `8/8`, and how it stands. */
function healthMark(view: View, status: StatusLike): string {
  const arms = status.groups.flatMap((group) => group.arms)
  const wanted = arms.reduce((sum, arm) => sum + arm.wanted, 0)
  const healthy = arms.reduce((sum, arm) => sum + Math.min(arm.healthy, arm.wanted), 0)
  if (status.state === 'stopped') return mark(view, 'off', 'stopped')
  return mark(view, healthy >= wanted ? 'ok' : healthy === 0 ? 'bad' : 'warn', `${healthy}/${wanted} healthy`)
}

export function renderJobs(view: View, jobs: readonly StatusLike[]): string {
  return table(
    view,
    jobs,
    [
      { title: 'job', cell: (job) => job.job },
      { title: 'kind', cell: (job) => job.kind },
      { title: 'state', cell: (job) => healthMark(view, job) },
      { title: 'version', cell: (job) => `v${job.currentVersion}` },
      { title: 'groups', cell: (job) => job.groups.map((group) => group.group).join(' ') },
      { title: 'services', cell: (job) => job.groups.flatMap((group) => group.service ?? []).join(' ') || '-' },
      { title: 'owner', cell: (job) => job.owner ?? '-' },
    ],
    'No jobs. Make a file with `muster tw init` and run it with `muster tw job run FILE`.',
  )
}

export function renderArms(view: View, status: StatusLike): string {
  type Row = { group: StatusLike['groups'][number]; arm: ArmLike | null }
  const rows = status.groups.flatMap((group): Row[] =>
    group.arms.length > 0 ? group.arms.map((arm) => ({ group, arm })) : [{ group, arm: null }],
  )
  return table(view, rows, [
    { title: 'group', cell: ({ group }) => group.group },
    { title: 'arm', cell: ({ arm }) => arm?.arm },
    { title: 'version', cell: ({ arm }) => (arm ? `v${arm.version}` : '-') },
    { title: 'wanted', cell: ({ arm }) => arm?.wanted, align: 'right' },
    { title: 'placed', cell: ({ arm }) => arm?.placed, align: 'right' },
    { title: 'healthy', cell: ({ arm }) => arm?.healthy, align: 'right' },
    { title: 'restarts', cell: ({ arm }) => arm?.restarts, align: 'right' },
    { title: 'old', cell: ({ group, arm }) => (arm === null || arm.arm === 'primary' ? group.leftover : ''), align: 'right' },
  ])
}

export interface JobShowLike {
  status: StatusLike
  release: string | null
  blocked: readonly { group: string; version: number; tasks: readonly string[]; code: string; why: string }[]
  waiting: readonly string[]
}

export function renderJob(view: View, data: JobShowLike): string {
  const { status } = data
  const head = fields(view, [
    ['job', status.job],
    ['kind', status.kind],
    ['state', healthMark(view, status)],
    ['version', `v${status.currentVersion}${data.release === null ? '' : ` (${data.release})`}`],
    ['services', status.groups.flatMap((group) => group.service ?? []).join(', ') || null],
    ['owner', status.owner],
  ])
  const parts = [head, '', renderArms(view, status)]
  const remarks = [...data.blocked.map((it) => mark(view, 'warn', `${it.tasks.join(', ')}: ${it.why} (${it.code})`)), ...data.waiting]
  if (remarks.length > 0) parts.push('', ...remarks)
  return parts.join('\n')
}

export function renderHistory(
  view: View,
  versions: readonly { version: number; release: string | null; reason: string; author: string; atMs: number; isCurrent: boolean }[],
): string {
  return table(view, versions, [
    { title: 'version', cell: (it) => `v${it.version}${it.isCurrent ? ' ←' : ''}` },
    { title: 'release', cell: (it) => it.release },
    { title: 'author', cell: (it) => it.author },
    { title: 'time', cell: (it) => new Date(it.atMs).toISOString().replace('T', ' ').slice(0, 19) },
    { title: 'reason', cell: (it) => it.reason, canShrink: true },
  ])
}

export interface ChangeLike {
  path: string
  before: string | null
  after: string | null
}

export function renderChanges(view: View, changes: readonly ChangeLike[]): string {
  if (changes.length === 0) return 'Nothing differs.'
  return changes
    .map(({ path, before, after }) => {
      if (before === null) return paint(view, 'green', `+ ${path}: ${after ?? ''}`)
      if (after === null) return paint(view, 'red', `- ${path}: ${before}`)
      return `${paint(view, 'yellow', `~ ${path}`)}: ${paint(view, 'red', before)} → ${paint(view, 'green', after)}`
    })
    .join('\n')
}

export interface JobPlanLike {
  job: string
  isNew: boolean
  owner: string | null
  changes: readonly ChangeLike[]
  groups: readonly {
    group: string
    action: string
    count: number
    running: number
    places: readonly { task: string; node: string }[]
    unplaced: number
    why: string | null
  }[]
}

/** What a run would do, before the entries it would log: differences, places, what does not fit. */
export function renderJobPlan(view: View, plan: JobPlanLike): string {
  const lines = [plan.isNew ? `The job ${plan.job} is new.` : renderChanges(view, plan.changes)]
  if (plan.owner !== null) lines.push(mark(view, 'warn', `owned by ${plan.owner}: the run will be refused without --take-over`))
  for (const group of plan.groups) {
    const running = group.running > 0 ? `, ${group.running} run now` : ''
    lines.push('', `${group.group}: ${group.action}, ${count(group.count, 'task')}${running}`)
    const byNode = new Map<string, string[]>()
    for (const place of group.places) byNode.set(place.node, [...(byNode.get(place.node) ?? []), place.task])
    for (const [node, tasks] of [...byNode].sort(([a], [b]) => a.localeCompare(b))) lines.push(`  ${node}  ${tasks.join(' ')}`)
    if (group.unplaced > 0) lines.push(`  ${mark(view, 'warn', `${group.unplaced} without a place now`)}. ${group.why ?? ''}`)
  }
  return lines.join('\n')
}

export interface EventLike {
  atMs: number
  text: string
}

export function eventLines(view: View, events: readonly EventLike[]): string[] {
  return events.map((event) => `${paint(view, 'dim', new Date(event.atMs).toISOString().slice(11, 23))}  ${event.text}`)
}

export function renderTask(
  view: View,
  data: { task: TaskLike; why: string; command: readonly string[]; events: readonly EventLike[]; nowMs: number },
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
    ['reserved', `cpu ${cpuText(task.cpuMilli)}, memory ${formatSize(task.memoryBytes)}`],
    ['command', data.command.join(' ')],
  ])
  return [head, '', ...eventLines(view, data.events)].join('\n')
}

export interface ExplainLike {
  target: string
  isFine: boolean
  blocked: readonly { tasks: readonly string[]; code: string; why: string }[]
  lines: readonly string[]
  tasks: readonly { task: string; lines: readonly string[]; events: readonly EventLike[] }[]
}

export function renderExplain(view: View, data: ExplainLike): string {
  const parts: string[] = []
  for (const it of data.blocked)
    parts.push(
      `${mark(view, 'bad', `${it.tasks.join(', ')} ${it.tasks.length === 1 ? 'has' : 'have'} no place`)} (${it.code})`,
      `  ${it.why}`,
    )
  parts.push(...data.lines)
  if (data.isFine && data.blocked.length === 0) parts.push(mark(view, 'ok', `${data.target} runs as wanted`))
  // Of a whole job that is as wanted a line a task is enough.
  if (data.isFine && data.tasks.length > 1)
    return [...parts, '', ...data.tasks.map((task) => `${task.task}  ${task.lines.join('; ')}`)].join('\n')
  for (const task of data.tasks) {
    parts.push('', paint(view, 'bold', task.task), ...task.lines.map((line) => `  ${line}`))
    if (task.events.length > 0) parts.push('', ...eventLines(view, task.events).map((line) => `  ${line}`))
  }
  return parts.join('\n').replace(/^\n/, '') || `Nothing is known of ${data.target}.`
}

export interface NodeLike {
  node: string
  state: string
  isCordoned: boolean
  drain: string | null
  region: string
  zone: string
  rack: string
  address: string
  cpuMilli: number
  memoryBytes: number
  cpuReserved: number
  memoryReserved: number
  tasks: number
  silentMs: number | null
  attributes: Record<string, string>
}

export function nodeState(view: View, node: Pick<NodeLike, 'state' | 'isCordoned' | 'drain'>): string {
  if (node.state !== 'ready') return mark(view, node.state === 'lost' ? 'bad' : 'warn', node.state)
  if (node.drain === 'draining') return mark(view, 'busy', 'draining')
  if (node.drain === 'drained') return mark(view, 'off', 'drained')
  return node.isCordoned ? mark(view, 'off', 'cordoned') : mark(view, 'ok', 'ready')
}

export function renderNodes(view: View, nodes: readonly NodeLike[]): string {
  return table(
    view,
    nodes,
    [
      { title: 'node', cell: (node) => node.node },
      { title: 'state', cell: (node) => nodeState(view, node) },
      { title: 'region', cell: (node) => node.region },
      { title: 'zone', cell: (node) => node.zone, isWide: true },
      { title: 'rack', cell: (node) => node.rack, isWide: true },
      { title: 'address', cell: (node) => node.address },
      { title: 'tasks', cell: (node) => node.tasks, align: 'right' },
      { title: 'cpu', cell: (node) => `${cpuText(node.cpuReserved)} of ${cpuText(node.cpuMilli)}`, align: 'right' },
      { title: 'memory', cell: (node) => `${formatSize(node.memoryReserved)} of ${formatSize(node.memoryBytes)}`, align: 'right' },
    ],
    'No nodes. `muster up` starts a fleet.',
  )
}

export function renderNode(
  view: View,
  data: {
    node: NodeLike
    tasks: readonly TaskLike[]
    drain: { reason: string; author: string; startedAtMs: number; deadlineAtMs: number | null } | null
  },
): string {
  const { node, drain } = data
  const head = fields(view, [
    ['node', node.node],
    ['state', nodeState(view, node)],
    ['place', `${node.region} / ${node.zone} / ${node.rack}`],
    ['address', node.address],
    ['cpu', `${cpuText(node.cpuReserved)} reserved of ${cpuText(node.cpuMilli)}`],
    ['memory', `${formatSize(node.memoryReserved)} reserved of ${formatSize(node.memoryBytes)}`],
    ['drain', drain === null ? null : `by ${drain.author}${drain.reason === '' ? '' : `: ${drain.reason}`}`],
    [
      'attributes',
      Object.entries(node.attributes)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ],
  ])
  const tasks = table(
    view,
    data.tasks,
    [
      { title: 'task', cell: (task) => task.task },
      { title: 'state', cell: (task) => taskState(view, task) },
      { title: 'version', cell: (task) => `v${task.version}` },
      { title: 'ports', cell: (task) => portsText(task.ports) },
    ],
    'No tasks run there.',
  )
  return [head, '', tasks].join('\n')
}
