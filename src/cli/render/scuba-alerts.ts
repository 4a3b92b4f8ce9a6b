import { formatDuration } from '../../core/kernel/units.ts'
import type { AlertGroupState, AlertLateRow, StoredAlert } from '../../core/scuba/queries.ts'
import type { View } from '../terminal.ts'
import { numberText } from './scuba-values.ts'
import { mark, type Mark } from './style.ts'
import { fields, table } from './table.ts'

const MARK: Record<AlertGroupState['state'], Mark> = {
  inactive: 'ok',
  firing: 'bad',
  recovering: 'warn',
  flapping: 'bad',
  no_data: 'warn',
  unknown: 'warn',
}

/** The worst of a rule's groups, in a word. */
function ruleState({ states, pausedUntilMs }: StoredAlert, view: View): string {
  if (pausedUntilMs !== null && pausedUntilMs > Date.now())
    return mark(view, 'off', `paused until ${new Date(pausedUntilMs).toISOString()}`)
  const firing = states.filter(({ state }) => state === 'firing' || state === 'flapping').length
  if (firing > 0) return mark(view, 'bad', firing === 1 ? 'firing' : `firing (${firing} groups)`)
  const other = states[0]
  return other ? mark(view, MARK[other.state], other.state.replace('_', ' ')) : mark(view, 'ok', 'inactive')
}

export function renderAlerts({ alerts }: { alerts: StoredAlert[] }, view: View): string {
  return table(
    view,
    alerts,
    [
      { title: 'rule', cell: ({ rule }) => rule.name },
      { title: 'state', cell: (stored) => ruleState(stored, view) },
      { title: 'sev', cell: ({ rule }) => `SEV${rule.sev}` },
      { title: 'table', cell: ({ rule }) => rule.table ?? 'SQL' },
      {
        title: 'fires',
        cell: ({ rule }) => `${rule.calc ?? 'value'} ${rule.fire}${rule.for === '0s' ? '' : ` for ${rule.for}`}`,
        canShrink: true,
      },
      { title: 'every', isWide: true, cell: ({ rule }) => rule.every },
    ],
    'No alert rules; put one with `muster scuba alert put FILE`.',
  )
}

export function renderAlert(stored: StoredAlert, view: View): string {
  const { rule, states } = stored
  const head = fields(view, [
    ['rule', rule.name],
    ['state', ruleState(stored, view)],
    ['paused because', stored.pausedUntilMs === null ? null : stored.pauseReason],
    ['summary', rule.summary],
    ['sev', `SEV${rule.sev}`],
    ['service', rule.service ?? (rule.by.includes('service') ? 'of the group' : null)],
    ['table', rule.table],
    ['sql', rule.sql],
    ['where', rule.where],
    ['by', rule.by.join(', ') || null],
    ['fires', `${rule.calc ?? 'value'} ${rule.fire} for ${rule.for}, looked at every ${rule.every}`],
    ['clears', `${rule.clear ?? `when not ${rule.fire}`}, for ${rule.keep_firing_for}`],
    ['without rows', rule.no_data],
    ['set', `${new Date(stored.setAtMs).toISOString()} by ${stored.setBy}`],
  ])
  if (states.length === 0) return head
  const groups = table(view, states, [
    { title: 'group', cell: ({ group }) => group || 'all' },
    { title: 'state', cell: ({ state }) => mark(view, MARK[state], state.replace('_', ' ')) },
    { title: 'value', align: 'right', cell: ({ value }) => (value === null ? null : numberText(value)) },
    { title: 'for', cell: ({ sinceMs }) => formatDuration(Math.max(0, Math.floor((Date.now() - sinceMs) / 1000) * 1000)) },
    { title: 'why', cell: ({ reason }) => reason, canShrink: true },
  ])
  return `${head}\n\n${groups}`
}

export interface AlertMoveView {
  atMs: number
  rule: string
  group: string
  from: AlertGroupState['state']
  to: AlertGroupState['state']
  value: number | null
  reason: string
}

/** Moves as they were, or, of a rule that was tried, as they would have been. */
export function renderAlertMoves(moves: readonly AlertMoveView[], view: View): string {
  return table(
    view,
    moves,
    [
      { title: 'time', cell: ({ atMs }) => new Date(atMs).toISOString() },
      { title: 'rule', cell: ({ rule }) => rule },
      { title: 'group', cell: ({ group }) => group || 'all' },
      { title: 'state', cell: ({ to }) => mark(view, MARK[to], to.replace('_', ' ')) },
      { title: 'was', isWide: true, cell: ({ from }) => from.replace('_', ' ') },
      { title: 'value', align: 'right', cell: ({ value }) => (value === null ? null : numberText(value)) },
      { title: 'why', cell: ({ reason }) => reason, canShrink: true },
    ],
    'Nothing moved.',
  )
}

/** What rows that came late would have changed. */
export function renderLateVerdicts(late: readonly AlertLateRow[], view: View): string {
  const time = (ms: number): string => new Date(ms).toISOString()
  return table(view, late, [
    { title: 'noted', cell: ({ atMs }) => time(atMs) },
    { title: 'rule', cell: ({ rule }) => rule },
    { title: 'group', cell: ({ group }) => group || 'all' },
    { title: 'late rows', cell: ({ would }) => mark(view, 'warn', would === 'fire' ? 'would have fired' : 'would not have fired') },
    { title: 'for windows until', cell: ({ fromMs, toMs }) => (fromMs === toMs ? time(fromMs) : `${time(fromMs)} .. ${time(toMs)}`) },
    { title: 'value', align: 'right', cell: ({ value }) => (value === null ? null : numberText(value)) },
  ])
}
