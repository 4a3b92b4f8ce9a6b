import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import { slotOf } from '../shards/series.ts'
import { DECODE } from './limits.ts'

export type Scalar = string | number | boolean
export type Row = Record<string, Scalar>

/** Samples: each row is of a series. */
export const SAMPLES_TABLE = 'metrics'

/** What a body became. */
export interface Decoded {
  table: string
  /** JSON objects, a line each */
  lines: string[]
  /** of each line, of which slot its series is; only of samples */
  slots?: number[]
  /** records that cannot be rows, and why the first one cannot */
  rejected: number
  reason: string
}

/** Rows of one body, within the bounds of {@link DECODE}. */
export class RowList {
  readonly lines: string[] = []
  /** of each line, of which slot its series is; 0: it is of none */
  readonly slots: number[] = []
  rejected = 0
  reason = ''
  #chars = 0

  add(row: Row): void {
    const line = JSON.stringify(row)
    this.#chars += line.length
    if (this.#chars > DECODE.rowCharsMax) throw tooMany()
    this.lines.push(line)
    this.slots.push(typeof row['series'] === 'string' ? slotOf(row['series']) : 0)
  }

  reject(reason: string, count = 1): void {
    if (this.rejected === 0) this.reason = reason
    this.rejected += count
  }

  into(table: string): Decoded {
    const slots = table === SAMPLES_TABLE ? { slots: this.slots } : {}
    return { table, lines: this.lines, ...slots, rejected: this.rejected, reason: this.reason }
  }
}

/** Runs a decoder whose loops end by throwing a refusal; anything else thrown is a bug. */
export function decoded(work: () => Decoded | MusterError): Decoded | MusterError {
  try {
    return work()
  } catch (error) {
    if (isRefusal(error)) return error
    throw error
  }
}

export const notReadable = (what: string, atByte: number, why = 'it ends early or holds what cannot be there'): MusterError =>
  refuse('SCUBA_BODY_INVALID', `the body is not ${what}: ${why}, at byte ${atByte}`, { details: { atByte } })

export const tooMany = (): MusterError =>
  refuse('SCUBA_TOO_LARGE', `the body stands for more than ${DECODE.rowCharsMax / 1024 / 1024} MiB of rows`, {
    hint: 'Send smaller batches.',
  })

/** The first and the last moment a row's time may have: 1973 and 2286; what is outside is no time of an event. */
const US_MIN = 1e14
const US_MAX = 1e16

/** µs of ns since the epoch; null when it is no time. */
export function microsOfNanos(nanos: bigint): number | null {
  const us = Number(nanos / 1000n)
  return us >= US_MIN && us < US_MAX ? us : null
}

/** µs of ms since the epoch, also of a fraction of them; null when it is no time. */
export function microsOfMillis(millis: number): number | null {
  const us = Math.round(millis * 1000)
  return us >= US_MIN && us < US_MAX ? us : null
}

/** A number as a row holds it: what JSON has no number for becomes text. */
export const numberOf = (value: number): Scalar => (Number.isFinite(value) ? value : String(value))
