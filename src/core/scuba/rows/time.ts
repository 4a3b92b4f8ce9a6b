import { daysOf } from '../../kernel/civil.ts'

/** Where the time of a row came from; anything but `row` is written into the column `time_source`. */
export type TimeSource = 'row' | 'ingest' | 'ahead'

export const TIME_KEYS = ['time', 'ts', 'timestamp', '@timestamp'] as const

export interface RowTime {
  /** µs since the epoch */
  timeUs: number
  source: TimeSource
  /** the key that held it, or null */
  key: string | null
  /** what the row says, believed or not; null: nothing */
  claimedUs: number | null
}

/**
 * Event time of a row: the first of `time`, `ts`, `timestamp`, `@timestamp` (or the declared key alone) that can be read; else the time it came in.
 * More than `futureMsMax` ahead of the leaf's clock is a wrong clock: ingest time then.
 */
export function rowTime(
  row: Readonly<Record<string, unknown>>,
  receivedMs: number,
  futureMsMax: number,
  timeField: string | null = null,
): RowTime {
  for (const key of timeField === null ? TIME_KEYS : [timeField]) {
    const us = microseconds(row[key])
    if (us === null) continue
    if (us > (receivedMs + futureMsMax) * 1000) return { timeUs: receivedMs * 1000, source: 'ahead', key, claimedUs: us }
    return { timeUs: us, source: 'row', key, claimedUs: us }
  }
  return { timeUs: receivedMs * 1000, source: 'ingest', key: null, claimedUs: null }
}

/** Numbers by their size (< 1e11 s, < 1e14 ms, < 1e17 µs, else ns), texts as ISO 8601; null when it is no time. */
export function microseconds(value: unknown): number | null {
  if (typeof value === 'string') return isoMicroseconds(value)
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return null
  if (value < 1e11) return Math.round(value * 1e6)
  if (value < 1e14) return Math.round(value * 1e3)
  if (value < 1e17) return Math.round(value)
  return value < 1e20 ? Math.round(value / 1e3) : null
}

const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?$/

/** ISO 8601 to µs; without a zone it is UTC. */
function isoMicroseconds(text: string): number | null {
  const match = ISO.exec(text)
  if (!match) return null
  const part = (i: number): number => Number(match[i] ?? 0)
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)]
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 60) return null
  const fraction = Number((match[7] ?? '').padEnd(6, '0').slice(0, 6))
  const zone = match[8] ?? 'Z'
  const sign = zone.startsWith('-') ? -1 : 1
  const offset = zone === 'Z' ? 0 : sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)))
  const seconds = daysOf({ year, month, day }) * 86_400 + hour * 3600 + minute * 60 + second - offset * 60
  return seconds < 0 ? null : seconds * 1e6 + fraction
}
