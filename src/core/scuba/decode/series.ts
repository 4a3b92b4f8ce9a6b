import { xxh32 } from '../../kernel/hash.ts'
import type { RowList, Row } from './rows.ts'

/** The columns of a sample that are not its labels; a label of such a name is written as `label.<name>`. */
const OWN = new Set([
  ...['time', 'ts', 'timestamp', '@timestamp', 'ingest_time', 'time_source', 'time_original', '_rest'],
  ...['name', 'value', 'kind', 'series', 'marker', 'unit', 'temporality', 'monotonic', 'start_ms'],
  ...['count', 'sum', 'min', 'max', 'buckets', 'quantiles', 'scale', 'exemplars'],
])

const encoder = new TextEncoder()
const hex = (word: number): string => word.toString(16).padStart(8, '0')

/** 64 bits over a series' name and labels, in the order of the labels' names; equal for equal series, whoever sent them. */
export function seriesHash(name: string, labels: readonly (readonly [string, string])[]): string {
  const sorted = labels.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  const bytes = encoder.encode(`${name}\u0000${sorted.map(([key, value]) => `${key}\u0001${value}`).join('\u0000')}`)
  return hex(xxh32(bytes)) + hex(xxh32(bytes, 0x9e37_79b1))
}

/** What the rows of one series have in common: its name, its hash, and a column for each label, always text. */
export function seriesRow(name: string, labels: readonly (readonly [string, string])[]): Row {
  const row: Row = { name, series: seriesHash(name, labels) }
  for (const [key, value] of labels) row[labelColumn(key)] = value
  if (row['service'] === undefined) {
    const service = labels.find(([key]) => key === 'service.name')?.[1] ?? labels.find(([key]) => key === 'job')?.[1]
    if (service !== undefined) row['service'] = service
  }
  return row
}

export const labelColumn = (key: string): string => (OWN.has(key.toLowerCase()) ? `label.${key}` : key)

/** The word a series that has ended is marked with; `NaN`, `+Inf` and `-Inf` are the others, which JSON has no number for. */
export const STALE = 'stale'

/** A sample of a series: its value, or in `marker` why there is none. */
export function addSample(rows: RowList, series: Row, timeUs: number, kind: string, value: number, isStale: boolean): void {
  rows.add({ time: timeUs, ...series, kind, ...valueOf(value, isStale) })
}

export function valueOf(value: number, isStale: boolean): Row {
  if (isStale) return { marker: STALE }
  if (Number.isFinite(value)) return { value }
  return { marker: Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf' }
}
