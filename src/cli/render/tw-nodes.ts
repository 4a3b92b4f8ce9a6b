import type { NodeView, TaskView } from '../../core/tw/queries.ts'
import { formatDuration, formatSize } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { mark } from './style.ts'
import { fields, table } from './table.ts'
import { profileText } from './tw-profiles.ts'
import { cpuText, portsText, taskState } from './tw-words.ts'

export function nodeState(view: View, node: Pick<NodeView, 'state' | 'isCordoned' | 'drain' | 'conditions'>): string {
  if (node.state !== 'ready') return mark(view, node.state === 'lost' ? 'bad' : 'warn', node.state)
  if (node.drain === 'draining') return mark(view, 'busy', 'draining')
  if (node.drain === 'drained') return mark(view, 'off', 'drained')
  if (node.isCordoned) return mark(view, 'off', 'cordoned')
  const [condition] = Object.keys(node.conditions)
  return condition === undefined ? mark(view, 'ok', 'ready') : mark(view, 'warn', condition)
}

/** @param hasProfile whether a column says in which profile each is, and how it differs from it */
export function renderNodes(view: View, nodes: readonly NodeView[], hasProfile = false): string {
  return table(
    view,
    nodes,
    [
      { title: 'node', cell: (node) => node.node },
      { title: 'state', cell: (node) => nodeState(view, node) },
      { title: 'region', cell: (node) => node.region },
      ...(hasProfile ? [{ title: 'profile', cell: (node: NodeView) => profileText(view, node.profile) ?? '-' }] : []),
      { title: 'zone', cell: (node) => node.zone, isWide: true },
      { title: 'rack', cell: (node) => node.rack, isWide: true },
      { title: 'address', cell: (node) => node.address },
      { title: 'beat', cell: (node) => (node.silentMs === null ? '-' : `${formatDuration(node.silentMs)} ago`), align: 'right' },
      { title: 'tasks', cell: (node) => node.tasks, align: 'right' },
      { title: 'cpu', cell: (node) => `${cpuText(node.cpuReserved)} of ${cpuText(node.cpuMilli)}`, align: 'right' },
      { title: 'memory', cell: (node) => `${formatSize(node.memoryReserved)} of ${formatSize(node.memoryBytes)}`, align: 'right' },
      {
        title: 'disk',
        cell: (node) => `${formatSize(node.diskReserved)} of ${formatSize(node.diskBytes)}`,
        align: 'right',
        isWide: true,
      },
      { title: 'gpu', cell: (node) => gpusText(node.gpus) ?? '-', isWide: true },
    ],
    'No nodes. `muster up` starts a fleet.',
  )
}

/** `0 T4 50 %, 1 T4 100 %`: what is reserved of each; null where there are none. */
function gpusText(gpus: NodeView['gpus']): string | null {
  return gpus.map(({ model, reservedMilli }, device) => `${device} ${model} ${reservedMilli / 10} %`).join(', ') || null
}

export function renderNode(
  view: View,
  data: {
    node: NodeView
    tasks: readonly TaskView[]
    drain: { reason: string; author: string; startedAtMs: number; deadlineAtMs: number | null } | null
  },
): string {
  const { node, drain } = data
  const head = fields(view, [
    ['node', node.node],
    ['state', nodeState(view, node)],
    ['place', `${node.region} / ${node.zone} / ${node.rack}`],
    ['address', node.address],
    [
      'last beat',
      node.silentMs === null ? null : `${formatDuration(node.silentMs)} ago${node.relay === null ? '' : `, over ${node.relay}`}`,
    ],
    ['cpu', `${cpuText(node.cpuReserved)} reserved of ${cpuText(node.cpuMilli)}`],
    ['memory', `${formatSize(node.memoryReserved)} reserved of ${formatSize(node.memoryBytes)}`],
    ['disk', `${formatSize(node.diskReserved)} reserved of ${formatSize(node.diskBytes)}`],
    ['gpu', gpusText(node.gpus)],
    ['profile', profileText(view, node.profile)],
    [
      'conditions',
      Object.entries(node.conditions)
        .map(([name, what]) => `${name} (${what})`)
        .join(', ') || null,
    ],
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
