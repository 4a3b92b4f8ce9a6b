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

interface TwBody {
  job?: string
  group?: string
  node?: string
  version?: number
  cause?: string
  ids?: number[]
  count?: number
  arms?: { arm: string; version: number; count: number }[]
  ops?: (number | { task?: number; kind?: string; text?: string; op?: number; isOk?: boolean; reason?: string })[]
  tasks?: { index?: number; node?: string; task?: string; state?: string; health?: string; reason?: string }[]
}

function bodyText(entry: EntryLike): string {
  const body = entry.body as TwBody
  const group = `${body.job}/${body.group}`
  switch (entry.type) {
    case 'tw.TasksPlaced':
      return `${group} v${body.version}: ${body.tasks?.map((task) => `[${task.index}] on ${task.node}`).join(', ') ?? `${body.count} tasks`}`
    case 'tw.TasksReported':
      return (body.tasks ?? [])
        .map(
          (task) =>
            `${task.task} ${task.state}${task.state === 'running' ? ` ${task.health}` : ''}${task.reason ? ` (${task.reason})` : ''}`,
        )
        .join(', ')
    case 'tw.StopTask':
      return `ids ${body.ids?.join(' ')}: ${body.cause}`
    case 'tw.UpdateTargetSet':
      return `${group}: ${body.arms?.map(({ arm, version, count }) => `${count} of v${version}${arm === 'primary' ? '' : ` as ${arm}`}`).join(', ')} wanted`
    case 'tw.OpsProposed':
    case 'tw.OpAllowed':
    case 'tw.OpFinished':
      return shortened(`${group}: ${body.ops?.map(opText).join(', ')}`)
    default:
      return shortened(pairs(entry.body))
  }
}

function opText(op: NonNullable<TwBody['ops']>[number]): string {
  if (typeof op === 'number') return `op ${op}`
  if (op.op === undefined) return `${op.kind} of ${op.task} (${op.text})`
  return `op ${op.op} ${op.isOk ? 'done' : 'failed'}${op.reason ? ` (${op.reason})` : ''}`
}

/** `node=n1 state=scheduled`: what a body says, without what is empty. */
function pairs(body: unknown): string {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) return JSON.stringify(body)
  return Object.entries(body)
    .filter(([, value]) => value !== null && value !== '' && value !== false)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}

const shortened = (text: string): string => (text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX - 1)}…` : text)
