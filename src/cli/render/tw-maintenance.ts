import type { MaintenanceView, WorkView } from '../../core/tw/queries.ts'
import { formatDuration } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { mark } from './style.ts'
import { fields, table } from './table.ts'

function workState(view: View, work: WorkView): string {
  const text = `${work.state}${work.isOverdue ? ', overdue' : ''}`
  if (work.isOverdue || work.state === 'aborted') return mark(view, 'bad', text)
  if (work.state === 'returned') return mark(view, 'ok', text)
  return mark(view, work.state === 'scheduled' ? 'off' : 'busy', text)
}

function progress(row: MaintenanceView): string {
  const back = row.works.filter((work) => work.state === 'returned').length
  return `${back} of ${row.works.length} back`
}

export function renderMaintenances(view: View, rows: readonly MaintenanceView[]): string {
  return table(
    view,
    rows,
    [
      { title: 'id', cell: (row) => row.maintenance, align: 'right' },
      { title: 'kind', cell: (row) => row.kind },
      { title: 'target', cell: (row) => row.target },
      {
        title: 'state',
        cell: (row) => mark(view, row.isOverdue ? 'bad' : row.state === 'finished' ? 'ok' : 'busy', row.isOverdue ? 'overdue' : row.state),
      },
      { title: 'nodes', cell: progress },
      {
        title: 'window',
        cell: (row) => (row.window === null ? 'any time' : `${row.window} for ${formatDuration(row.windowMs)}, ${row.zone}`),
      },
      { title: 'waits for', cell: (row) => row.works.find((work) => work.waitsFor !== '' && work.state !== 'returned')?.waitsFor ?? '' },
    ],
    'No planned work.',
  )
}

export function renderMaintenance(view: View, row: MaintenanceView): string {
  const head = fields(view, [
    ['maintenance', String(row.maintenance)],
    ['kind', `${row.kind}${row.command === null ? '' : `: ${row.command.join(' ')}`}`],
    ['target', row.target],
    ['state', `${row.isOverdue ? 'overdue' : row.state}, ${progress(row)}`],
    ['window', row.window === null ? 'any time' : `${row.window} for ${formatDuration(row.windowMs)}, ${row.zone}`],
    ['at once', `${row.maxConcurrent} in one ${row.level}, never two ${row.level === 'node' ? 'nodes' : `${row.level}s`}`],
    [
      'deadline',
      row.deadlineMs === null ? null : `${formatDuration(row.deadlineMs)} a node${row.isHard ? ', then tasks are forced off' : ''}`,
    ],
    ['note', row.note === '' ? null : row.note],
    ['by', row.author],
  ])
  const works = table(
    view,
    row.works,
    [
      { title: 'node', cell: (work) => work.node },
      { title: row.level, cell: (work) => work.domain },
      { title: 'state', cell: (work) => workState(view, work) },
      { title: 'waits for', cell: (work) => work.waitsFor },
      { title: 'exit', cell: (work) => work.exitCode ?? '', align: 'right' },
    ],
    'No nodes.',
  )
  const said = row.works.filter((work) => work.output !== '').map((work) => `\n${work.node} said:\n${work.output.trimEnd()}`)
  return [head, '', works, ...said].join('\n')
}
