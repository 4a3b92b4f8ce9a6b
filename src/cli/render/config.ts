import type { View } from '../terminal.ts'
import { table } from './table.ts'

export interface ConfigRow {
  name: string
  value: string | boolean | null
  origin: string
}

export function renderConfig(rows: readonly ConfigRow[], hasOrigin: boolean, view: View): string {
  const columns = [
    { title: 'setting', cell: (row: ConfigRow) => row.name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) },
    { title: 'value', cell: (row: ConfigRow) => (row.value === null ? '-' : String(row.value)), canShrink: true },
  ]
  return table(view, rows, hasOrigin ? [...columns, { title: 'origin', cell: (row: ConfigRow) => row.origin }] : columns)
}
