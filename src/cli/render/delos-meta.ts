import { formatDuration } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { fields, table } from './table.ts'

export interface MetaHead {
  kind: string
  name: string
  version: number
  labels: Record<string, string>
  author: string
  at: number
}

const labelText = (labels: Record<string, string>): string =>
  Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .join(' ')

export function renderMetaRecords(records: readonly MetaHead[], nowMs: number, view: View): string {
  return table(
    view,
    records,
    [
      { title: 'kind', cell: (row) => row.kind },
      { title: 'name', cell: (row) => row.name },
      { title: 'version', cell: (row) => row.version, align: 'right' },
      { title: 'labels', cell: (row) => labelText(row.labels), canShrink: true },
      { title: 'by', cell: (row) => row.author, isWide: true },
      { title: 'age', cell: (row) => formatDuration(Math.max(0, nowMs - row.at)), align: 'right' },
    ],
    'No records.',
  )
}

/** The body alone, as JSON; wide: what is known of it before. */
export function renderMetaRecord(record: MetaHead & { body?: unknown }, view: View): string {
  const body = JSON.stringify(record.body, null, 2) ?? 'null'
  if (!view.isWide) return body
  const head = fields(view, [
    ['kind', record.kind],
    ['name', record.name],
    ['version', record.version],
    ['labels', Object.keys(record.labels).length === 0 ? null : labelText(record.labels)],
    ['changed', `${new Date(record.at).toISOString()} by ${record.author}`],
  ])
  return `${head}\n\n${body}`
}
