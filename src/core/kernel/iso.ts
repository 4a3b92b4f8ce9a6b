import { civilOf } from './civil.ts'

const DAY_MS = 86_400_000

/** `2026-11-30T08:00:00.000Z` of ms since the epoch, as `toISOString` writes it; years 0 to 9999. */
export function isoText(ms: number): string {
  const days = Math.floor(ms / DAY_MS)
  const { year, month, day } = civilOf(days)
  const inDay = Math.floor(ms) - days * DAY_MS
  const digits = (value: number, count: number): string => String(Math.floor(value)).padStart(count, '0')
  const time = [inDay / 3_600_000, (inDay / 60_000) % 60, (inDay / 1000) % 60].map((part) => digits(part, 2)).join(':')
  return `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}T${time}.${digits(inDay % 1000, 3)}Z`
}
