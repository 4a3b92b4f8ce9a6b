import { LIMITS } from '../limits.ts'

/** Rows of other hours than the main one get a segment of their own from so many on. */
const OWN_ROWS_MIN = 10_000
const HOUR_US = 3_600_000_000

/** What is known of a closed chunk that is to be sealed. */
export interface Sealable {
  minUs: number
  maxUs: number
  rows: number
  hours: ReadonlyMap<number, number>
}

/** The rows of one segment-to-be: those of one hour since the epoch, or all but those of some hours. */
export type SegmentRows = { hour: number } | { notHours: number[] }

/**
 * Into which segments chunks are sealed, so that what is asked of one hour need not read others: the hour with the most rows, each
 * hour with 10,000 or more, and one for all late rows.
 */
export function splitByHour(chunks: readonly Sealable[]): SegmentRows[] {
  const rows = new Map<number, number>()
  for (const { hours } of chunks) for (const [hour, count] of hours) rows.set(hour, (rows.get(hour) ?? 0) + count)
  let main = NaN
  for (const [hour, count] of rows) if (!((rows.get(main) ?? 0) >= count)) main = hour
  const kept = [...rows.keys()].filter((hour) => hour === main || (rows.get(hour) ?? 0) >= OWN_ROWS_MIN).sort((a, b) => a - b)
  const isAll = chunks.every(({ minUs, maxUs }) => kept.includes(hourOf(minUs)) && hourOf(minUs) === hourOf(maxUs))
  return [...kept.map((hour) => ({ hour })), ...(isAll ? [] : [{ notHours: kept }])]
}

/** Whether a chunk may have rows of that segment. */
export function holdsRows({ minUs, maxUs }: Sealable, rows: SegmentRows): boolean {
  if ('hour' in rows) return maxUs >= rows.hour * HOUR_US && minUs < (rows.hour + 1) * HOUR_US
  return hourOf(minUs) !== hourOf(maxUs) || !rows.notHours.includes(hourOf(minUs))
}

/** Bounds of an hour, ms. */
export const hourRange = (hour: number): { sinceMs: number; untilMs: number } => ({
  sinceMs: hour * 3_600_000,
  untilMs: (hour + 1) * 3_600_000,
})

/** Condition on `time` for the rows of no such hour. */
export const notHoursSql = (hours: readonly number[]): string =>
  hours.length === 0 ? 'true' : `epoch_us("time") // ${HOUR_US} NOT IN (${hours.join(', ')})`

/** Whether what a table has unsealed is to be sealed now: it is much, or enough and a little old, or old. */
export function isDue({ bytes, oldestMs }: { bytes: number; oldestMs: number }, nowMs: number): boolean {
  const ageMs = nowMs - oldestMs
  return (
    bytes >= LIMITS.sealBytes ||
    (bytes >= LIMITS.sealSoonBytes && ageMs >= LIMITS.sealSoonAgeMs) ||
    (bytes > 0 && ageMs >= LIMITS.sealAgeMs)
  )
}

const hourOf = (us: number): number => Math.floor(us / HOUR_US)
