import { civilOf, daysOf } from './civil.ts'
import { instantOf, wallOf, type ZoneTable } from './zone.ts'

/** A cron line of five fields, resolved: which minutes, hours, days of the month (1–31), months (1–12), days of the week (0: Sunday). */
export interface Cron {
  minutes: number[]
  hours: number[]
  days: ReadonlySet<number>
  months: ReadonlySet<number>
  weekdays: ReadonlySet<number>
  /** both kinds of days are restricted: then either is enough, as cron has always had it */
  isEitherDay: boolean
  /** any hour of the day: it means "every so often", so the hour that comes twice in autumn counts twice */
  isEveryHour: boolean
}

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** The 29th of February of a given weekday comes again after 40 years at most, over the turn of a century. */
const DAYS_AHEAD_MAX = 366 * 41

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const NAMED: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

/** `0 3 * * mon-fri`, a list, range or step in each field, or `@daily` and the like → the line, or a sentence saying what is wrong with it. */
export function parseCron(text: string): Cron | string {
  const line = text.trim().toLowerCase()
  const fields = (NAMED[line] ?? line).split(/\s+/)
  if (fields.length !== 5) return `"${text}" has ${fields.length} fields, not five: minute, hour, day of month, month, day of week`
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields
  const read = [
    readField(minute, 'minute', 0, 59),
    readField(hour, 'hour', 0, 23),
    readField(day, 'day of month', 1, 31),
    readField(month, 'month', 1, 12, MONTHS, 1),
    readField(weekday, 'day of week', 0, 7, WEEKDAYS, 0),
  ]
  const values: number[][] = []
  for (const field of read) {
    if (typeof field === 'string') return `"${text}": ${field}`
    values.push(field)
  }
  const [minutes = [], hours = [], days, months, weekdays = []] = values
  const cron: Cron = {
    minutes,
    hours,
    days: new Set(days),
    months: new Set(months),
    weekdays: new Set(weekdays.map((it) => it % 7)),
    isEitherDay: !day.startsWith('*') && !weekday.startsWith('*'),
    isEveryHour: hour.startsWith('*'),
  }
  return isPossible(cron) ? cron : `"${text}" never comes: no month it names has such a day`
}

function readField(text: string, what: string, min: number, max: number, names: readonly string[] = [], first = 0): number[] | string {
  const numberOf = (word: string): number => {
    const named = names.indexOf(word)
    return named >= 0 ? named + first : /^\d{1,2}$/.test(word) ? Number(word) : NaN
  }
  const values = new Set<number>()
  for (const part of text.split(',')) {
    const match = /^(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:\/(\d{1,2}))?$/.exec(part)
    const [, from = '', to, by] = match ?? []
    const low = from === '*' ? min : numberOf(from)
    const high = from === '*' ? max : to === undefined ? (by === undefined ? low : max) : numberOf(to)
    const step = by === undefined ? 1 : Number(by)
    if (!match || (from === '*' && to !== undefined) || !(low >= min && high <= max && low <= high) || step < 1)
      return `${part === '' ? 'an empty part' : part} is not a ${what} (${min}–${max})`
    for (let value = low; value <= high; value += step) values.add(value)
  }
  return [...values].sort((a, b) => a - b)
}

/** Days of a month at most, in a leap year. */
const LENGTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

function isPossible(cron: Cron): boolean {
  return cron.isEitherDay || [...cron.months].some((month) => [...cron.days].some((day) => day <= (LENGTHS[month - 1] ?? 0)))
}

/**
 * The first instant after `afterMs` that the line names in the zone. A time that the clock leaps over counts at the leap; a
 * time that comes twice counts once, at the first, but of a line for every hour at both. Null: none within 41 years.
 */
export function nextCron(cron: Cron, zone: ZoneTable, afterMs: number): number | null {
  // A day early: a clock set back may bring wall times of the day before again.
  const from = Math.floor(wallOf(zone, afterMs) / DAY_MS) - 1
  for (let day = from; day < from + DAYS_AHEAD_MAX; day += 1) {
    if (!isDay(cron, day)) continue
    const next = Math.min(...instantsOf(cron, zone, day).filter((at) => at > afterMs))
    if (next < Infinity) return next
  }
  return null
}

function isDay(cron: Cron, day: number): boolean {
  const date = civilOf(day)
  if (!cron.months.has(date.month)) return false
  const isMonthday = cron.days.has(date.day)
  // 1970-01-01 was a Thursday.
  const isWeekday = cron.weekdays.has((((day + 4) % 7) + 7) % 7)
  return cron.isEitherDay ? isMonthday || isWeekday : isMonthday && isWeekday
}

function instantsOf(cron: Cron, zone: ZoneTable, day: number): number[] {
  return cron.hours.flatMap((hour) =>
    cron.minutes.flatMap((minute) => {
      const wall = day * DAY_MS + (hour * 60 + minute) * MINUTE_MS
      const first = instantOf(zone, wall)
      if (!cron.isEveryHour) return [first]
      return [first, instantOf(zone, wall, 'last')].filter((at) => wallOf(zone, at) === wall)
    }),
  )
}

/** The zone without a table: its clock never changes. */
export const UTC: ZoneTable = { tz: 'UTC', version: '', transitions: [{ atMs: 0, offsetSec: 0 }] }

/** Digits of a wall-clock time: `2026-11-29 03:00`. */
export function wallText(wallMs: number): string {
  const { year, month, day } = civilOf(Math.floor(wallMs / DAY_MS))
  const minutes = Math.floor((wallMs - daysOf({ year, month, day }) * DAY_MS) / MINUTE_MS)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${year}-${two(month)}-${two(day)} ${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
