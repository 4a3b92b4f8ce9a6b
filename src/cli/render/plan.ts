import type { Plan, PlanChange } from '../client.ts'
import type { View } from '../terminal.ts'
import { formatSize } from '../../core/kernel/units.ts'
import { paint } from './style.ts'
import { count } from './text.ts'

/** Characters of a value that a line of a terminal has room for. */
const VALUE_MAX = 60

/**
 * The difference a command would make: the entries it would log, and each row before and after.
 * @param picture says the same in the words of the command; then rows are shown only with `-o wide`
 */
export function renderPlan(view: View, plan: Plan, again: string, picture: string | null = null): string {
  const before = picture === null ? [] : [picture, '']
  if (plan.entries.length === 0) return [...before, 'Nothing would change.'].join('\n')
  const hasRows = picture === null || view.isWide
  const lines = [
    ...before,
    paint(
      view,
      'bold',
      `Plan ${plan.id}, at log position ${plan.position}: ${count(plan.entries.length, 'entry', 'entries')}, ${count(plan.changes.length, 'row')}${hasRows ? '' : ' (-o wide shows them)'}.`,
    ),
    '',
    ...entryLines(plan.entries).map((line) => `  ${paint(view, 'cyan', line)}`),
    '',
    ...(hasRows ? [...plan.changes.flatMap((change) => renderChange(view, change)), ''] : []),
    `Nothing was changed. To do it: ${again} --apply ${plan.id}`,
  ]
  return lines.join('\n')
}

/** Types in their order, neighbours of one type together: `tw.TasksPlaced × 10`. */
function entryLines(entries: Plan['entries']): string[] {
  const runs: { type: string; n: number }[] = []
  for (const { type } of entries) {
    const last = runs.at(-1)
    if (last?.type === type) last.n += 1
    else runs.push({ type, n: 1 })
  }
  return runs.map(({ type, n }) => (n === 1 ? type : `${type} × ${n}`))
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
      if (JSON.stringify(before[key]) !== JSON.stringify(after[key]))
        lines.push(`    ${key}: ${paint(view, 'red', old)} → ${paint(view, 'green', now)}`)
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

/**
 * On a terminal a value takes one line: a longer text is cut, of JSON only its size is said. A file or a pipe gets all of it, and
 * so does `-o wide`.
 */
function show(view: View, value: unknown): string {
  if (value === null || value === undefined) return '-'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  if (view.width === null || view.isWide || text.length <= VALUE_MAX) return text
  return /^[{[]/.test(text) ? `${text.startsWith('{') ? '{…}' : '[…]'} ${formatSize(text.length)}` : `${text.slice(0, VALUE_MAX - 1)}…`
}
