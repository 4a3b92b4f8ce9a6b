import { quoteName } from '../names.ts'
import { RESERVED, type ColumnTypes } from '../rows/columns.ts'
import type { PlainValue, TraceAnswer, TraceSpan } from '../wire-types.ts'

/** Columns that hold a trace's id, and those that make a row of its table a span. */
const ID_COLUMNS = ['trace_id', 'trace']
const SPAN_COLUMNS = ['span_id', 'duration_ms']
export const TRACE_SPANS_MAX = 5000

export interface TraceTable {
  table: string
  column: string
  isSpans: boolean
}

/** Where a trace may have left rows. */
export function traceTables(tables: readonly { name: string; columns: ColumnTypes }[]): TraceTable[] {
  return tables.flatMap(({ name, columns }) => {
    const column = ID_COLUMNS.find((candidate) => columns[candidate] === 'VARCHAR')
    return column === undefined ? [] : [{ table: name, column, isSpans: SPAN_COLUMNS.every((one) => one in columns) }]
  })
}

/** Rows of the trace in one table, all columns, oldest first; its id is the parameter `trace`. */
export const traceSql = ({ table, column }: TraceTable): string =>
  `SELECT * FROM ${quoteName(table)} WHERE ${quoteName(column)} = $trace ORDER BY "time" LIMIT ${TRACE_SPANS_MAX}`

const OWN = new Set([...Object.keys(RESERVED), 'trace_id', 'span_id', 'parent_span_id', 'name', 'service', 'duration_ms'])

/** A row of a table of spans. */
export function spanOf(columns: readonly string[], row: readonly PlainValue[]): TraceSpan {
  const held: Record<string, PlainValue> = {}
  columns.forEach((name, at) => {
    if (row[at] !== null && row[at] !== undefined && row[at] !== '') held[name] = row[at]
  })
  const text = (name: string): string | null => (typeof held[name] === 'string' ? held[name] : null)
  const status = (text('status') ?? text('status_code') ?? '').toLowerCase()
  return {
    id: text('span_id') ?? '',
    parent: text('parent_span_id'),
    depth: 0,
    name: text('name') ?? '',
    service: text('service'),
    startMs: Number(held['time'] ?? 0),
    durationMs: Number(held['duration_ms'] ?? 0),
    isError: status.includes('error'),
    attributes: Object.fromEntries(Object.entries(held).filter(([name]) => !OWN.has(name))),
  }
}

/** Spans as a tree written down: parents before their children, children by their start. One whose parent is not there is a root. */
export function orderSpans(spans: readonly TraceSpan[]): TraceSpan[] {
  const ids = new Set(spans.map(({ id }) => id))
  const children = new Map<string | null, TraceSpan[]>()
  for (const span of [...spans].sort((a, b) => a.startMs - b.startMs || b.durationMs - a.durationMs)) {
    const parent = span.parent !== null && span.parent !== span.id && ids.has(span.parent) ? span.parent : null
    const siblings = children.get(parent)
    if (siblings) siblings.push(span)
    else children.set(parent, [span])
  }
  const ordered: TraceSpan[] = []
  const seen = new Set<TraceSpan>()
  const waiting = (children.get(null) ?? []).map((span) => ({ span, depth: 0 })).reverse()
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (seen.has(next.span)) continue
    seen.add(next.span)
    const { span, depth } = next
    ordered.push({ ...span, depth })
    for (const child of (children.get(span.id) ?? []).toReversed()) waiting.push({ span: child, depth: depth + 1 })
  }
  // Spans that are each other's parents hang from nothing; they are shown all the same.
  for (const span of spans) if (!seen.has(span)) ordered.push({ ...span, depth: 0 })
  return ordered
}

/** What of a row of another table is worth a line. */
export function rowText(columns: readonly string[], row: readonly PlainValue[]): string {
  return columns
    .flatMap((name, at) => (OWN.has(name) && name !== 'name' && name !== 'service' ? [] : [[name, row[at]] as const]))
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' ')
    .slice(0, 500)
}

/** The answer of what was found. Its time is that of its spans: a row that says something of the trace an hour later does not make it an hour long. */
export function traceAnswer(
  trace: string,
  spans: readonly TraceSpan[],
  rows: TraceAnswer['rows'],
): Pick<TraceAnswer, 'trace' | 'startMs' | 'durationMs' | 'spans' | 'rows'> {
  const times = spans.length > 0 ? spans : rows.map(({ timeMs }) => ({ startMs: timeMs, durationMs: 0 }))
  const starts = times.map(({ startMs }) => startMs)
  const ends = times.map(({ startMs, durationMs }) => startMs + durationMs)
  const startMs = starts.length === 0 ? 0 : starts.reduce((least, ms) => Math.min(least, ms))
  const endMs = ends.length === 0 ? 0 : ends.reduce((most, ms) => Math.max(most, ms))
  return { trace, startMs, durationMs: endMs - startMs, spans: orderSpans(spans), rows: rows.toSorted((a, b) => a.timeMs - b.timeMs) }
}
