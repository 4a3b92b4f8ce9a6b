import type { z } from 'zod'
import type { AsideSettled, scubaLeafAside } from '../../core/scuba/operations/aside.ts'
import { groupedText } from './scuba-values.ts'
import type { View } from '../terminal.ts'
import { table } from './table.ts'

const at = (ms: number): string => new Date(ms).toISOString()

type Folder = z.output<typeof scubaLeafAside.output>['folders'][number]

export function renderAside({ leaf, folders }: z.output<typeof scubaLeafAside.output>, view: View): string {
  if (folders.length === 0) return `Leaf ${leaf} set nothing aside.`
  return folders.map((folder) => folderText(folder, view)).join('\n\n')
}

function folderText({ name, sinceMs, rows, takenThrough, isSettled, sealed, batches }: Folder, view: View): string {
  const head = `${name}: ${groupedText(rows)} rows, set aside ${at(sinceMs)}`
  if (takenThrough === null) return `${head}. No leaf says which of them it has: ask again when the leaf that took over is back.`
  const unsure =
    sealed.length === 0
      ? ''
      : `\nOf ${sealed.join(', ')} some later rows are in segments here; which ones is not known, and they are not put back.`
  if (batches.length === 0)
    return `${head}. ${isSettled || sealed.length === 0 ? 'All of them are in their tables.' : 'No batch of it is only here.'}${unsure}`
  const list = table(
    view,
    batches,
    [
      { title: 'batch', align: 'right', cell: ({ seq }) => seq },
      { title: 'table', cell: (batch) => batch.table },
      { title: 'rows', align: 'right', cell: (batch) => groupedText(batch.rows) },
      { title: 'from', cell: ({ fromMs }) => at(fromMs) },
      { title: 'to', cell: ({ toMs }) => at(toMs) },
      { title: 'received', cell: ({ receivedMs }) => at(receivedMs) },
      { title: 'key', cell: ({ key }) => key },
      { title: 'state', cell: ({ state }) => (state === 'back' ? 'in its table' : 'only here') },
    ],
    '',
  )
  return `${head}. Only this leaf had:\n${list}${unsure}`
}

export function renderAsideSettled({ leaf, merged, rows, known, left, dropped, droppedRows }: AsideSettled): string {
  if (dropped > 0)
    return `removed what leaf ${leaf} set aside${droppedRows > 0 ? `, ${groupedText(droppedRows)} rows of it in no table` : ''}`
  const more = [known > 0 ? `${known} were there already` : '', left > 0 ? `${left} stay aside` : ''].filter((text) => text !== '')
  return `put back ${merged} ${merged === 1 ? 'batch' : 'batches'} with ${groupedText(rows)} rows${more.length > 0 ? `; ${more.join(', ')}` : ''}`
}
