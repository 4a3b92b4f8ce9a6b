import { LIMITS } from '../limits.ts'
import type { ColumnTypes } from '../rows/columns.ts'
import { microseconds } from '../rows/time.ts'
import { TimeBounds } from './bounds.ts'
import type { RowScanner, Scan } from './scan.ts'
import { shapeKey, type RawShape } from './shape.ts'

/** What is known of a body that is taken on trust: its times, all of them, and what its first and last rows look like. */
export interface Trusted extends Pick<Scan, 'rows' | 'minUs' | 'maxUs' | 'hours'> {
  shape: RawShape
  samples: readonly Scan[]
}

/** Looked through at the beginning and at the end of a body. */
const FIRST_BYTES = 64 * 1024
const LAST_BYTES = 16 * 1024
const LINE_END = 0x0a
const encoder = new TextEncoder()

/**
 * Looks at a body of a trusted table: each line has to begin with its time, an integer; of the first and the last ones each key has to
 * be declared. What stands between is not looked at: the engine finds it when it reads the rows.
 * @param body whole lines in UTF-8
 * @param declared the table's columns
 * @returns null when the body has to be looked through
 */
export function takeOnTrust(scanner: RowScanner, body: Uint8Array, declared: ColumnTypes, receivedMs: number): Trusted | null {
  const firstEnd = body.lastIndexOf(LINE_END, FIRST_BYTES) + 1
  const lastBegin = body.indexOf(LINE_END, Math.max(firstEnd, body.length - LAST_BYTES)) + 1
  if (firstEnd === 0 || lastBegin === 0 || lastBegin >= body.length) return null
  const first = scanner.scan(body.subarray(0, firstEnd), receivedMs)
  const last = first && scanner.scan(body.subarray(lastBegin), receivedMs)
  if (!first || !last || shapeKey(first.shape) !== shapeKey(last.shape)) return null
  const { time, objects, arrays } = first.shape
  if (time?.form !== 'integer' || objects.length + arrays.length > 0) return null
  for (const { columns } of [first, last]) for (const name of columns.keys()) if (!Object.hasOwn(declared, name)) return null
  const times = lineTimes(body, time.key, receivedMs)
  return times && { ...times, shape: first.shape, samples: [first, last] }
}

/** Rows and times of lines that each begin with `{"KEY":INTEGER`; null when one does not, or is ahead of the clock. */
function lineTimes(body: Uint8Array, key: string, receivedMs: number): ReturnType<TimeBounds['end']> | null {
  const begin = encoder.encode(`{${JSON.stringify(key)}:`)
  const aheadUs = (receivedMs + LIMITS.futureMsMax) * 1000
  const bounds = new TimeBounds()
  for (let at = 0; at < body.length;) {
    for (let i = 0; i < begin.length; i += 1) if (body[at + i] !== begin[i]) return null
    at += begin.length
    const from = at
    let value = 0
    for (let digit = (body[at] ?? 0) - 0x30; digit >= 0 && digit <= 9; digit = (body[at] ?? 0) - 0x30) {
      value = value * 10 + digit
      at += 1
    }
    if (at === from || value > Number.MAX_SAFE_INTEGER || (body[from] === 0x30 && at - from > 1)) return null
    if (body[at] !== 0x2c && body[at] !== 0x7d) return null
    const us = microseconds(value)
    if (us === null || us > aheadUs) return null
    bounds.add(us)
    const end = body.indexOf(LINE_END, at)
    if (end < 0) break
    at = end + 1
  }
  return bounds.end()
}
