import { refuse, type MusterError } from '../../../kernel/errors.ts'
import { codecOf } from '../../../kernel/protobuf/codec.ts'
import { Reader } from '../../../kernel/protobuf/reader.ts'
import type { Schema } from '../../../kernel/protobuf/schema.ts'
import { DECODE } from '../limits.ts'
import { decoded, notReadable, type Decoded } from '../rows.ts'
import { fromOtlpJson } from './json.ts'
import { logRows } from './logs.ts'
import { LOGS_DATA, METRICS_DATA, TRACES_DATA } from './messages.ts'
import { metricRows } from './metrics.ts'
import { spanRows } from './traces.ts'

export type Signal = 'logs' | 'metrics' | 'traces'
export type OtlpEncoding = 'json' | 'protobuf'

/** Rows of an OTLP export request, inflated; the reason when it is none. Nothing of a body that is refused counts. */
export function decodeOtlp(signal: Signal, encoding: OtlpEncoding, body: Uint8Array): Decoded | MusterError {
  return decoded(() => {
    if (signal === 'logs') return logRows(messageOf(LOGS_DATA, encoding, body))
    if (signal === 'metrics') return metricRows(messageOf(METRICS_DATA, encoding, body))
    return spanRows(messageOf(TRACES_DATA, encoding, body))
  })
}

function messageOf<Message>(schema: Schema<Message>, encoding: OtlpEncoding, body: Uint8Array): Message {
  if (encoding === 'json') return fromOtlpJson(schema, jsonOf(body))
  const reader = new Reader(body, 0, body.length, DECODE.itemsMax)
  const message = codecOf(schema).read(reader)
  if (!reader.failed) return message
  if (reader.itemsLeft < 0) throw refuse('SCUBA_TOO_LARGE', `the body holds more than ${DECODE.itemsMax} things`)
  throw notReadable(schema.name, reader.failedAt)
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function jsonOf(body: Uint8Array): unknown {
  let text: string
  try {
    text = decoder.decode(body)
  } catch {
    // It says no place; whoever reads this looks for the first byte that is no UTF-8.
    throw notReadable('JSON', 0, 'it is not UTF-8')
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    const { message } = error as Error
    const at = /position (\d+)/.exec(message)?.[1]
    throw notReadable('JSON', at === undefined ? body.length : new TextEncoder().encode(text.slice(0, Number(at))).length, message)
  }
}
