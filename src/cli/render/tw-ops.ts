import type { LeftTask, OpView } from '../../core/tw/queries.ts'
import { formatDuration } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { mark } from './style.ts'
import { fields, table } from './table.ts'

export function opState(view: View, op: Pick<OpView, 'state' | 'isForced' | 'isLate'>): string {
  const text = `${op.state}${op.isForced ? ', forced' : ''}${op.isLate ? ', late' : ''}`
  if (op.state === 'done') return mark(view, 'ok', text)
  if (op.state === 'failed' || op.isLate) return mark(view, 'bad', text)
  if (op.state === 'withdrawn') return mark(view, 'off', text)
  if (op.state === 'running' || op.state === 'allowed') return mark(view, 'busy', text)
  return mark(view, 'warn', text)
}

export function renderOps(view: View, ops: readonly OpView[]): string {
  return table(
    view,
    ops,
    [
      { title: 'op', cell: (op) => op.op, align: 'right' },
      { title: 'task', cell: (op) => op.task },
      { title: 'node', cell: (op) => op.node ?? '' },
      { title: 'kind', cell: (op) => op.kind, isWide: true },
      { title: 'cause', cell: (op) => op.text },
      { title: 'state', cell: (op) => opState(view, op) },
      { title: 'waits for', cell: (op) => (op.waitsFor === '' ? op.why : `${op.waitsFor}${op.code === null ? '' : ` (${op.code})`}`) },
    ],
    'No planned changes.',
  )
}

export function renderOp(view: View, op: OpView, now: number): string {
  const at = (ms: number | null): string | null =>
    ms === null ? null : ms <= now ? `${formatDuration(now - ms)} ago` : `in ${formatDuration(ms - now)}`
  return fields(view, [
    ['op', String(op.op)],
    ['task', `${op.task}${op.node === null ? '' : ` on ${op.node}`}`],
    ['what', `${op.kind}, ${op.text} (${op.cause})`],
    ['state', opState(view, op)],
    ['waits for', op.waitsFor === '' ? null : `${op.waitsFor}${op.code === null ? '' : ` (${op.code})`}`],
    ['why', op.why === '' ? null : op.why],
    ['proposed', `${at(op.proposedAtMs)} by ${op.proposedBy}`],
    ['deadline', op.deadlineAtMs === null ? null : `${at(op.deadlineAtMs)}${op.isHard ? ', then it is forced' : ''}`],
    ['decided', at(op.decidedAtMs)],
    ['ended', at(op.endedAtMs)],
  ])
}

/** What keeps a drain from being complete. */
export function renderLeft(view: View, left: readonly LeftTask[]): string {
  return table(
    view,
    left,
    [
      { title: 'task', cell: (it) => it.task },
      { title: 'node', cell: (it) => it.node },
      { title: 'waits for', cell: (it) => `${it.waitsFor}${it.code === null ? '' : ` (${it.code})`}` },
    ],
    'Nothing is left there.',
  )
}
