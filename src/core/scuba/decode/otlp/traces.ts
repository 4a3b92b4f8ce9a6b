import { DECODE } from '../limits.ts'
import { microsOfNanos, RowList, type Decoded, type Row } from '../rows.ts'
import { contextOf, rowOf } from './context.ts'
import { SPAN_KINDS, STATUS_CODES, type Span, type TracesData } from './messages.ts'
import { columnsOf, hexId } from './values.ts'

/** One row of `traces` per span, at the time it began; its events and links are JSON text. A span without ids or a beginning is rejected. */
export function spanRows(data: TracesData): Decoded {
  const rows = new RowList()
  for (const { resource, scope_spans } of data.resource_spans) {
    for (const { scope, spans } of scope_spans) {
      const context = contextOf(resource, scope)
      for (const span of spans) {
        const own = ownColumns(span)
        if (typeof own === 'string') rows.reject(own)
        else rows.add(rowOf(own, span.attributes, context))
      }
    }
  }
  return rows.into('traces')
}

function ownColumns(span: Span): Row | string {
  const [trace, id, parent] = [hexId(span.trace_id), hexId(span.span_id), hexId(span.parent_span_id)]
  if (trace === null || trace.length !== 32) return 'a span without a trace_id of 16 bytes'
  if (id === null || id.length !== 16) return 'a span without a span_id of 8 bytes'
  const startUs = microsOfNanos(span.start_time_unix_nano)
  if (startUs === null) return 'a span without start_time_unix_nano'
  // A clock that was set back meanwhile makes it negative; nothing took less than no time.
  const nanos = Math.max(0, Number(span.end_time_unix_nano - span.start_time_unix_nano))
  const row: Row = { time: startUs, trace_id: trace, span_id: id }
  if (parent !== null) row['parent_span_id'] = parent
  row['name'] = span.name
  row['kind'] = (SPAN_KINDS[span.kind] ?? 'UNSPECIFIED').toLowerCase()
  if (span.end_time_unix_nano > 0n) row['duration_ms'] = nanos / 1e6
  row['status'] = (STATUS_CODES[span.status?.code ?? 0] ?? 'UNSET').toLowerCase()
  if (span.status !== null && span.status.message !== '') row['status_message'] = span.status.message
  if (span.trace_state !== '') row['trace_state'] = span.trace_state
  if (span.events.length > 0) {
    const events = span.events.slice(0, DECODE.partsMax)
    row['events'] = JSON.stringify(
      events.map(({ time_unix_nano, name, attributes }) => ({
        time_ms: (microsOfNanos(time_unix_nano) ?? startUs) / 1000,
        name,
        ...columnsOf(attributes),
      })),
    )
  }
  if (span.links.length > 0) {
    const links = span.links.slice(0, DECODE.partsMax)
    row['links'] = JSON.stringify(
      links.map(({ trace_id, span_id, attributes }) => ({ trace_id: hexId(trace_id), span_id: hexId(span_id), ...columnsOf(attributes) })),
    )
  }
  if (span.dropped_attributes_count > 0) row['dropped_attributes'] = span.dropped_attributes_count
  return row
}
