import { microsOfNanos, RowList, type Decoded, type Row } from '../rows.ts'
import { contextOf, rowOf } from './context.ts'
import { SEVERITIES, type LogRecord, type LogsData } from './messages.ts'
import { hexId, scalarOf } from './values.ts'

/** One row of `logs` per record. Without a time of its own it has the one it was observed at, else the one it came in at. */
export function logRows(data: LogsData): Decoded {
  const rows = new RowList()
  for (const { resource, scope_logs } of data.resource_logs) {
    for (const { scope, log_records } of scope_logs) {
      const context = contextOf(resource, scope)
      for (const record of log_records) rows.add(rowOf(ownColumns(record), record.attributes, context))
    }
  }
  return rows.into('logs')
}

function ownColumns(record: LogRecord): Row {
  const row: Row = {}
  const timeUs = microsOfNanos(record.time_unix_nano) ?? microsOfNanos(record.observed_time_unix_nano)
  if (timeUs !== null) row['time'] = timeUs
  const { severity_number: number, severity_text: text } = record
  if (number > 0) row['severity_number'] = number
  const severity = text !== '' ? text : number > 0 ? (SEVERITIES[number] ?? '') : ''
  if (severity !== '') row['severity'] = severity
  const body = record.body === null ? null : scalarOf(record.body)
  if (body !== null) row['body'] = String(body)
  const [trace, span] = [hexId(record.trace_id), hexId(record.span_id)]
  if (trace !== null) row['trace_id'] = trace
  if (span !== null) row['span_id'] = span
  if (record.event_name !== '') row['event_name'] = record.event_name
  if (record.flags !== 0) row['flags'] = record.flags
  if (record.dropped_attributes_count > 0) row['dropped_attributes'] = record.dropped_attributes_count
  return row
}
