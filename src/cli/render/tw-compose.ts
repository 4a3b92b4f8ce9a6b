import type { KeyNote } from '../../core/tw/compose/notes.ts'
import type { View } from '../terminal.ts'
import { mark, type Mark } from './style.ts'
import { table } from './table.ts'

const MARKS: Record<KeyNote['status'], Mark> = { mapped: 'ok', changed: 'warn', unsupported: 'bad' }

/** What became of every key of a compose file. */
export function renderKeys(view: View, keys: readonly KeyNote[]): string {
  return table(view, keys, [
    { title: 'key', cell: (key) => key.key },
    { title: 'status', cell: (key) => mark(view, MARKS[key.status], key.status) },
    { title: 'note', cell: (key) => key.note },
  ])
}
