import { civilOf, daysOf } from '../../kernel/civil.ts'
import { instantOf, wallOf, type ZoneTable } from '../../kernel/zone.ts'

/** When windows open: the part of RFC 5545's recurrence rules that maintenance needs. */
export interface Recurrence {
  freq: 'DAILY' | 'WEEKLY' | 'MONTHLY'
  interval: number
  /** 0 Sunday … 6; with `nth` of the month, from its end when negative */
  byDay: { weekday: number; nth: number | null }[]
  byMonthDay: number[]
  byHour: number[]
  byMinute: number[]
}

/** A time in which work may begin, log time in ms. */
export interface Window {
  openAt: number
  closeAt: number
}

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
const WEEKDAYS = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA']
/** A rule whose next window is further away has none. */
const DAYS_AHEAD_MAX = 366 * 2

/** `FREQ=WEEKLY;BYDAY=SA,SU;BYHOUR=2` → the rule, or a sentence saying what is wrong with it. */
export function parseRecurrence(text: string): Recurrence | string {
  const rule: Recurrence = { freq: 'DAILY', interval: 1, byDay: [], byMonthDay: [], byHour: [], byMinute: [] }
  const seen = new Set<string>()
  for (const part of text.replace(/^RRULE:/i, '').split(';')) {
    const [key = '', value = ''] = part.toUpperCase().split('=')
    if (seen.has(key)) return `${key} is given twice`
    seen.add(key)
    const problem = readPart(rule, key, value)
    if (problem !== null) return problem
  }
  if (!seen.has('FREQ')) return `"${text}" has no FREQ`
  if (rule.freq !== 'MONTHLY' && rule.byDay.some((day) => day.nth !== null)) return 'only FREQ=MONTHLY counts weekdays, like 2SA or -1SU'
  if (rule.freq === 'WEEKLY' && rule.byMonthDay.length > 0) return 'FREQ=WEEKLY takes BYDAY, not BYMONTHDAY'
  return rule
}

function readPart(rule: Recurrence, key: string, value: string): string | null {
  if (key === 'FREQ') {
    if (value !== 'DAILY' && value !== 'WEEKLY' && value !== 'MONTHLY') return `FREQ is DAILY, WEEKLY or MONTHLY, not ${value}`
    rule.freq = value
    return null
  }
  if (key === 'BYDAY') {
    for (const word of value.split(',')) {
      const [, nth, name] = /^([+-]?[1-5])?([A-Z]{2})$/.exec(word) ?? []
      const weekday = WEEKDAYS.indexOf(name ?? '')
      if (weekday < 0) return `BYDAY has MO to SU, not ${word}`
      rule.byDay.push({ weekday, nth: nth === undefined ? null : Number(nth) })
    }
    return null
  }
  const into: Record<string, [number[], number, number]> = {
    BYMONTHDAY: [rule.byMonthDay, -31, 31],
    BYHOUR: [rule.byHour, 0, 23],
    BYMINUTE: [rule.byMinute, 0, 59],
  }
  const [list, min, max] = key === 'INTERVAL' ? [[], 1, 1000] : (into[key] ?? [null, 0, 0])
  if (list === null) return `${key} is not supported; there are FREQ, INTERVAL, BYDAY, BYMONTHDAY, BYHOUR and BYMINUTE`
  for (const word of value.split(',')) {
    const number = /^[+-]?\d+$/.test(word) ? Number(word) : NaN
    if (!(number >= min && number <= max) || (key === 'BYMONTHDAY' && number === 0))
      return `${key} is between ${min} and ${max}, not ${word}`
    if (key === 'INTERVAL') rule.interval = number
    else list.push(number)
  }
  return null
}

/**
 * The window that is open at `now`, else the next one; null: none within two years. `sinceMs` is when the rule began: intervals, and days
 * and hours that are not named, count from there. A time the clock leaves out in spring is the moment after; one it has twice, the first.
 */
export function windowAt(rule: Recurrence, zone: ZoneTable, sinceMs: number, lengthMs: number, now: number): Window | null {
  const start = wallOf(zone, sinceMs)
  const startDay = Math.floor(start / DAY_MS)
  const minuteOfDay = Math.floor((start - startDay * DAY_MS) / MINUTE_MS)
  const hours = rule.byHour.length > 0 ? rule.byHour : [Math.floor(minuteOfDay / 60)]
  const minutes = rule.byMinute.length > 0 ? rule.byMinute : [rule.byHour.length > 0 ? 0 : minuteOfDay % 60]
  const times = hours.flatMap((hour) => minutes.map((minute) => (hour * 60 + minute) * MINUTE_MS)).sort((a, b) => a - b)
  const from = Math.max(startDay, Math.floor(wallOf(zone, now - lengthMs) / DAY_MS) - 1)
  for (let day = from; day < from + DAYS_AHEAD_MAX; day += 1) {
    if (!isDay(rule, day, startDay)) continue
    for (const time of times) {
      const openAt = instantOf(zone, day * DAY_MS + time)
      if (openAt >= sinceMs && openAt + lengthMs > now) return { openAt, closeAt: openAt + lengthMs }
    }
  }
  return null
}

/** Whether the rule names the day, counted from 1970-01-01. */
function isDay(rule: Recurrence, day: number, startDay: number): boolean {
  const weekday = weekdayOf(day)
  if (rule.freq === 'DAILY') {
    const isNamed = rule.byDay.length === 0 || rule.byDay.some((it) => it.weekday === weekday)
    return (day - startDay) % rule.interval === 0 && isNamed && isMonthDay(rule, day)
  }
  if (rule.freq === 'WEEKLY') {
    // Weeks begin on Monday.
    const weeks = (mondayOf(day) - mondayOf(startDay)) / 7
    const days = rule.byDay.length > 0 ? rule.byDay.map((it) => it.weekday) : [weekdayOf(startDay)]
    return weeks % rule.interval === 0 && days.includes(weekday)
  }
  const [date, start] = [civilOf(day), civilOf(startDay)]
  const months = date.year * 12 + date.month - (start.year * 12 + start.month)
  if (months % rule.interval !== 0) return false
  if (rule.byDay.length === 0) return rule.byMonthDay.length === 0 ? date.day === start.day : isMonthDay(rule, day)
  return isMonthDay(rule, day) && rule.byDay.some((it) => it.weekday === weekday && (it.nth === null || isNth(day, it.nth)))
}

function isMonthDay(rule: Recurrence, day: number): boolean {
  if (rule.byMonthDay.length === 0) return true
  const { day: ofMonth } = civilOf(day)
  return rule.byMonthDay.some((wanted) => wanted === ofMonth || wanted === ofMonth - lengthOfMonth(day) - 1)
}

function isNth(day: number, nth: number): boolean {
  const { day: ofMonth } = civilOf(day)
  return nth > 0 ? Math.ceil(ofMonth / 7) === nth : Math.ceil((lengthOfMonth(day) - ofMonth + 1) / 7) === -nth
}

function lengthOfMonth(day: number): number {
  const { year, month } = civilOf(day)
  const next = month === 12 ? { year: year + 1, month: 1, day: 1 } : { year, month: month + 1, day: 1 }
  return daysOf(next) - daysOf({ year, month, day: 1 })
}

/** 1970-01-01 was a Thursday. */
function weekdayOf(day: number): number {
  return (((day + 4) % 7) + 7) % 7
}

function mondayOf(day: number): number {
  return day - ((weekdayOf(day) + 6) % 7)
}
