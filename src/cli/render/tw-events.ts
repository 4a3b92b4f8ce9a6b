import type { View } from '../terminal.ts'
import { paint } from './style.ts'

export interface EntryLike {
  position: number
  type: string
  at: number
  actor: string
  body: unknown
  notable?: { text: string }
}

const TEXT_MAX = 200

/** One line for an entry: when, what, by whom. */
export function describeEntry(view: View, entry: EntryLike): string {
  const time = paint(view, 'dim', new Date(entry.at).toISOString().replace('T', ' ').slice(0, 23))
  const text = entry.notable?.text ?? bodyText(entry)
  return `${String(entry.position).padStart(6)}  ${time}  ${paint(view, entry.notable ? 'bold' : 'dim', entry.type.padEnd(20))}  ${text}  ${paint(view, 'dim', entry.actor)}`
}

interface TasksBody {
  job?: string
  group?: string
  node?: string
  version?: number
  cause?: string
  ids?: number[]
  count?: number
  tasks?: { index?: number; node?: string; task?: string; state?: string; health?: string; reason?: string }[]
}

function bodyText(entry: EntryLike): string {
  const body = entry.body as TasksBody
  if (entry.type === 'tw.TasksPlaced')
    return `${body.job}/${body.group} v${body.version}: ${body.tasks?.map((task) => `[${task.index}] on ${task.node}`).join(', ') ?? `${body.count} tasks`}`
  if (entry.type === 'tw.TasksReported')
    return (
      body.tasks
        ?.map(
          (task) =>
            `${task.task} ${task.state}${task.state === 'running' ? ` ${task.health}` : ''}${task.reason ? ` (${task.reason})` : ''}`,
        )
        .join(', ') ?? ''
    )
  if (entry.type === 'tw.StopTask') return `ids ${body.ids?.join(' ')}: ${body.cause}`
  const text = JSON.stringify(body)
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX - 1)}…` : text
}
