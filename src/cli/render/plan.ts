import type { Plan, PlanChange } from '../client.ts'
import type { View } from '../terminal.ts'
import { paint } from './style.ts'
import { count } from './text.ts'

/** The difference a command would make: the entries it would log, and each row before and after. */
export function renderPlan(view: View, plan: Plan, again: string): string {
  if (plan.entries.length === 0) return 'Nothing would change.'
  const lines = [
    paint(
      view,
      'bold',
      `Plan ${plan.id}, at log position ${plan.position}: ${count(plan.entries.length, 'entry', 'entries')}, ${count(plan.changes.length, 'row')}.`,
    ),
    '',
    ...plan.entries.map((entry) => `  ${paint(view, 'cyan', entry.type)}`),
    '',
    ...plan.changes.flatMap((change) => renderChange(view, change)),
    '',
    `Nothing was changed. To do it: ${again} --apply ${plan.id}`,
  ]
  return lines.join('\n')
}

function renderChange(view: View, change: PlanChange): string[] {
  const before = change.before ?? {}
  const after = change.after ?? {}
  const sign = { insert: '+', update: '~', delete: '-' }[change.op]
  const color = { insert: 'green', update: 'yellow', delete: 'red' }[change.op] as 'green' | 'yellow' | 'red'
  const row = change.after ?? before
  const lines = [paint(view, color, `${sign} ${change.table} ${identify(view, row)}`)]
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  for (const key of keys) {
    const [old, now] = [show(view, before[key]), show(view, after[key])]
    if (change.op === 'update') {
      if (old !== now) lines.push(`    ${key}: ${paint(view, 'red', old)} → ${paint(view, 'green', now)}`)
    } else {
      lines.push(`    ${key}: ${change.op === 'insert' ? now : old}`)
    }
  }
  return lines
}

/** The first column is the key in every table of ours. */
function identify(view: View, row: Record<string, unknown>): string {
  const first = Object.entries(row)[0]
  return first === undefined ? '' : `${first[0]}=${show(view, first[1])}`
}

/** On a terminal a long value is cut; a file or a pipe gets all of it. */
function show(view: View, value: unknown): string {
  if (value === null || value === undefined) return '-'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return view.isTty && text.length > 200 ? `${text.slice(0, 199)}…` : text
}
