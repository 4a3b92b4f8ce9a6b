import { isUtf8 } from 'node:buffer'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { shapeOf, type RowShape } from '../../../core/scuba/declared/shape.ts'
import { liveEvent, type LiveEvent } from '../../../core/scuba/live/aggregate.ts'
import type { ColumnSet } from '../../../core/scuba/rows/columns.ts'
import { normaliseRow } from '../../../core/scuba/rows/normalise.ts'
import { refuse } from '../../../core/kernel/errors.ts'

export interface Batch {
  payload: Buffer
  rows: number
  minUs: number
  maxUs: number
  /** newest time that a row names, believed or not; null: none does */
  claimedUs: number | null
  /** hour since the epoch → rows of it */
  hours: Map<number, number>
  quarantined: { line: number; reason: string; text: string; isCut: boolean }[]
  /** all lines that could not become rows, also those not kept */
  quarantinedCount: number
  /** rows that are kept although a rule of their table, which only warns, is broken; and the first ten reasons */
  warned: number
  warnings: { line: number; reason: string }[]
  live: LiveEvent[]
}

/**
 * Parses a body: NDJSON, or one JSON array of objects. A line that cannot become a row is set aside with its reason; the
 * others are kept.
 * @throws MusterError SCUBA_ROWS_INVALID when the body as a whole is neither
 */
export function parseBatch(
  body: Buffer,
  columns: ColumnSet,
  receivedMs: number,
  isLive: boolean,
  shape: RowShape = shapeOf(undefined),
): Batch {
  if (!isUtf8(body)) throw refuse('SCUBA_ROWS_INVALID', 'the body is not UTF-8')
  const text = body.toString('utf8')
  const first = /[^\s\uFEFF]/.exec(text)?.[0]
  if (first !== undefined && first !== '{' && first !== '[') {
    throw refuse(
      'SCUBA_ROWS_INVALID',
      `the body begins with ${JSON.stringify(text.trimStart().slice(0, 20))}, which is neither an object nor an array`,
    )
  }
  const batch: Batch = {
    payload: Buffer.alloc(0),
    rows: 0,
    minUs: Infinity,
    maxUs: 0,
    claimedUs: null,
    hours: new Map(),
    quarantined: [],
    quarantinedCount: 0,
    warned: 0,
    warnings: [],
    live: [],
  }
  const lines: string[] = []
  const setAside = (line: number, reason: string, source: string): void => {
    batch.quarantinedCount += 1
    if (batch.quarantined.length < LIMITS.quarantineLinesMax)
      batch.quarantined.push({
        ...{ line, reason, text: source.slice(0, LIMITS.quarantineLineCharsMax) },
        isCut: source.length > LIMITS.quarantineLineCharsMax,
      })
  }
  const take = (value: unknown, line: number, source: () => string): void => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return setAside(line, 'not a JSON object', source())
    const failure = shape.check(value as Record<string, unknown>)[0]
    if (failure?.isEnforced) return setAside(line, failure.reason, source())
    const row = normaliseRow(value as Record<string, unknown>, columns, receivedMs, shape)
    if (typeof row === 'string') return setAside(line, row, source())
    if (failure) {
      batch.warned += 1
      if (batch.warnings.length < 10) batch.warnings.push({ line, reason: failure.reason })
    }
    lines.push(row.line)
    batch.rows += 1
    if (row.timeUs < batch.minUs) batch.minUs = row.timeUs
    if (row.timeUs > batch.maxUs) batch.maxUs = row.timeUs
    if (row.claimedUs !== null) batch.claimedUs = Math.max(batch.claimedUs ?? 0, row.claimedUs)
    const hour = Math.floor(row.timeUs / 3_600_000_000)
    batch.hours.set(hour, (batch.hours.get(hour) ?? 0) + 1)
    if (!isLive) return
    const event = liveEvent(value as Record<string, unknown>, row.timeUs / 1000)
    if (event) batch.live.push(event)
  }
  if (first === '[') parseArray(text).forEach((value, index) => take(value, index + 1, () => JSON.stringify(value)))
  else
    forEachLine(text, (source, line) => {
      let value: unknown
      try {
        value = JSON.parse(source)
      } catch (error) {
        return setAside(line, `not JSON: ${(error as Error).message}`.slice(0, 200), source)
      }
      take(value, line, () => source)
    })
  lines.push('')
  batch.payload = Buffer.from(batch.rows > 0 ? lines.join('\n') : '')
  return batch
}

function parseArray(text: string): unknown[] {
  try {
    return JSON.parse(text) as unknown[]
  } catch (error) {
    throw refuse('SCUBA_ROWS_INVALID', `the array cannot be parsed: ${(error as Error).message}`, { cause: error })
  }
}

function forEachLine(text: string, each: (source: string, line: number) => void): void {
  let line = 0
  for (let at = text.startsWith('\uFEFF') ? 1 : 0; at < text.length;) {
    const end = text.indexOf('\n', at)
    const stop = end < 0 ? text.length : end
    line += 1
    const source = text.slice(at, stop)
    if (source.trim() !== '') each(source, line)
    at = stop + 1
  }
}
