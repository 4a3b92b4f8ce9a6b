import { commandOf } from '../../core/scuba/saved/command.ts'
import type { StoredBoard, StoredSaved } from '../../core/scuba/saved/queries.ts'
import type { Asked, BoardPanel } from '../../core/scuba/saved/schema.ts'
import type { View } from '../terminal.ts'
import { fields, table } from './table.ts'

const askedText = ({ table: of, sql, calc = ['count'], by = [] }: Asked): string =>
  sql === undefined ? `${calc.join(', ')} of ${of ?? ''}${by.length > 0 ? ` by ${by.join(', ')}` : ''}` : sql.replaceAll(/\s+/g, ' ')

export function renderSavedList({ queries }: { queries: StoredSaved[] }, view: View): string {
  return table(
    view,
    queries,
    [
      { title: 'name', cell: ({ query }) => query.name },
      { title: 'asks', cell: ({ query }) => askedText(query), canShrink: true },
      { title: 'range', cell: ({ query }) => query.since ?? '1h' },
      { title: 'by', cell: ({ setBy }) => setBy },
      { title: 'title', isWide: true, cell: ({ query }) => query.title ?? null },
    ],
    'No saved queries; save one with `muster scuba saved put NAME --table TABLE`.',
  )
}

export function renderSaved({ query, setAtMs, setBy }: StoredSaved, view: View): string {
  return fields(view, [
    ['query', query.name],
    ['title', query.title],
    ['asks', askedText(query)],
    ['where', query.where?.join('\n')],
    ['range', `${query.since ?? '1h'}${query.until === undefined ? '' : ` to ${query.until}`}`],
    ['shown as', query.view],
    ['set', `${new Date(setAtMs).toISOString()} by ${setBy}`],
    ['asked by', commandOf(query)],
  ])
}

export function renderBoardList({ boards }: { boards: StoredBoard[] }, view: View): string {
  return table(
    view,
    boards,
    [
      { title: 'name', cell: ({ board }) => board.name },
      { title: 'title', cell: ({ board }) => board.title ?? null, canShrink: true },
      { title: 'panels', align: 'right', cell: ({ board }) => String(board.panels.length) },
      { title: 'range', cell: ({ board }) => board.since },
      { title: 'by', cell: ({ setBy }) => setBy },
    ],
    'No boards; put one with `muster scuba board put templates/boards/requests.yaml`.',
  )
}

export function renderBoard({ board, setAtMs, setBy }: StoredBoard, view: View): string {
  const head = fields(view, [
    ['board', board.name],
    ['title', board.title],
    ['range', `${board.since}, asked every ${board.refresh}`],
    ['set', `${new Date(setAtMs).toISOString()} by ${setBy}`],
  ])
  const panels = table(view, board.panels, [
    { title: 'panel', cell: ({ title }) => title },
    { title: 'view', cell: ({ view: shown }) => shown ?? 'lines' },
    {
      title: 'asks',
      cell: (panel: BoardPanel) => (panel.saved === undefined ? askedText(panel) : `saved query ${panel.saved}`),
      canShrink: true,
    },
  ])
  return `${head}\n\n${panels}`
}
