import { civilOf, daysOf } from '../../kernel/civil.ts'

export const DAY_MS = 86_400_000

const monthDays = (year: number, month: number): number =>
  daysOf(month === 12 ? { year: year + 1, month: 1, day: 1 } : { year, month: month + 1, day: 1 }) - daysOf({ year, month, day: 1 })

/** The wall time `months` later; a day the month does not have becomes its last. */
export function addMonths(wallMs: number, months: number): number {
  const days = Math.floor(wallMs / DAY_MS)
  const date = civilOf(days)
  const index = date.year * 12 + (date.month - 1) + months
  const year = Math.floor(index / 12)
  const month = index - year * 12 + 1
  const day = Math.min(date.day, monthDays(year, month))
  return daysOf({ year, month, day }) * DAY_MS + (wallMs - days * DAY_MS)
}

/** 0 = Monday … 6 = Sunday, of days since 1970-01-01 (a Thursday). */
export function weekdayOf(days: number): number {
  return (((days + 3) % 7) + 7) % 7
}

const two = (n: number): string => String(n).padStart(2, '0')

/** `2026-11-02` of a wall time or of an instant in UTC. */
export function dateText(wallMs: number): string {
  const { year, month, day } = civilOf(Math.floor(wallMs / DAY_MS))
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`
}

/** `03:12` or, with seconds, `03:12:07`. */
export function clockText(wallMs: number, seconds = false): string {
  const ofDay = wallMs - Math.floor(wallMs / DAY_MS) * DAY_MS
  const text = `${two(Math.floor(ofDay / 3_600_000))}:${two(Math.floor(ofDay / 60_000) % 60)}`
  return seconds ? `${text}:${two(Math.floor(ofDay / 1000) % 60)}` : text
}

/** `2026-11-02T03:12:07Z` of an instant. */
export function utcText(instantMs: number): string {
  return `${dateText(instantMs)}T${clockText(instantMs, true)}Z`
}

/**
 * `2026-11-02T09:00`, `…T09:00:30`, `2026-11-02` as a wall time; with a trailing `Z` or an offset also as an instant.
 * @returns null when the text is no such time
 */
export function parseTime(text: string): { wallMs: number; instantMs: number | null } | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?(Z|[+-]\d{2}:\d{2})?$/.exec(text)
  if (!match) return null
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((i) => Number(match[i] ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (month < 1 || month > 12 || day < 1 || day > monthDays(year, month) || hour > 23 || minute > 59 || second > 59) return null
  const wallMs = daysOf({ year, month, day }) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000
  const zone = match[7]
  if (zone === undefined) return { wallMs, instantMs: null }
  if (zone === 'Z') return { wallMs, instantMs: wallMs }
  const offsetMs = (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6))) * 60_000 * (zone.startsWith('-') ? -1 : 1)
  return { wallMs, instantMs: wallMs - offsetMs }
}
