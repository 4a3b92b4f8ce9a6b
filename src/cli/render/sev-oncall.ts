import { formatDuration } from '../../core/kernel/units.ts'
import { clockText, dateText } from '../../core/sev/schedule/calendar.ts'
import type { OnCallView } from '../../core/sev/views.ts'
import type { View } from '../terminal.ts'
import { mark, paint } from './style.ts'
import { table } from './table.ts'

/** Renderers of who is on call. */

const stamp = (at: number): string => `${dateText(at)} ${clockText(at)}Z`

export function renderOnCall(data: OnCallView, view: View): string {
  const rows = data.teams.flatMap((team) =>
    team.roles.flatMap((role) =>
      (role.people.length === 0 ? [null] : role.people).map((person) => ({
        team: team.team,
        role: role.role,
        person,
        holder: role.holder,
      })),
    ),
  )
  const text = table(
    view,
    rows,
    [
      { title: 'team', cell: (row) => row.team },
      { title: 'role', cell: (row) => row.role },
      { title: 'who', cell: (row) => row.person?.person ?? mark(view, 'bad', 'nobody') },
      { title: 'their time', cell: (row) => (row.person ? `${clockText(row.person.wallMs)} ${row.person.timeZone}` : null) },
      {
        title: 'until',
        cell: (row) =>
          row.person?.untilMs == null ? null : `${stamp(row.person.untilMs)} (${formatDuration(row.person.untilMs - data.now)})`,
      },
      { title: 'then', cell: (row) => row.person?.then ?? null },
      { title: 'over', cell: (row) => row.person?.channels.join(', ') || null },
      { title: 'because', cell: (row) => row.person?.via ?? row.holder, isWide: true },
    ],
    'Nobody is on call.',
  )
  return [text, ...data.notes.map((note) => paint(view, 'yellow', `▲ ${note}`))].join('\n')
}

interface Schedules {
  schedules: {
    name: string
    spans: { user: string; via: string; fromMs: number; toMs: number }[]
    gaps: { fromMs: number; toMs: number }[]
  }[]
}

export function renderSchedules(data: Schedules, view: View): string {
  if (data.schedules.length === 0)
    return 'No schedule was applied. Write one from templates/oncall.yaml, then `muster sev schedule apply oncall.yaml`.'
  return data.schedules
    .map((schedule) => {
      const rows = [...schedule.spans, ...schedule.gaps.map((gap) => ({ ...gap, user: '', via: 'gap' }))].sort(
        (a, b) => a.fromMs - b.fromMs,
      )
      return `${paint(view, 'bold', schedule.name)}\n${table(view, rows, [
        { title: 'from', cell: (row) => stamp(row.fromMs) },
        { title: 'to', cell: (row) => stamp(row.toMs) },
        { title: 'who', cell: (row) => (row.user === '' ? mark(view, 'bad', 'nobody') : row.user) },
        { title: 'because', cell: (row) => row.via, canShrink: true },
      ])}`
    })
    .join('\n\n')
}

export function renderApplied(data: { people: number; schedules: string[]; position: number }, view: View): string {
  return `in force: ${data.people} people, schedules ${data.schedules.join(', ') || 'none'} ${paint(view, 'dim', `(durable at position ${data.position})`)}`
}

export function renderContactTest(
  data: { person: string; results: { channel: string; isOk: boolean; detail: string; tookMs: number }[] },
  view: View,
): string {
  return table(view, data.results, [
    { title: 'channel', cell: (row) => row.channel },
    { title: 'result', cell: (row) => mark(view, row.isOk ? 'ok' : 'bad', row.isOk ? 'sent' : 'failed') },
    { title: 'took', cell: (row) => formatDuration(row.tookMs), align: 'right' },
    { title: 'detail', cell: (row) => row.detail, canShrink: true },
  ])
}
