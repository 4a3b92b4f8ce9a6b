import process from 'node:process'
import type { ZoneTable } from '../core/kernel/zone.ts'

const DAY_MS = 86_400_000
/** No zone has changed its offset twice within this time since 1990 (Morocco's Ramadan pause lasts four weeks). */
const STEP_MS = 7 * DAY_MS

/** Version of the zone data of this runtime. */
export function zoneVersion(): string {
  return process.versions['tz'] ?? 'unknown'
}

/** Whether the runtime knows the zone. */
export function isZone(tz: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: tz }).resolvedOptions().timeZone !== ''
  } catch {
    // RangeError is how Intl says no.
    return false
  }
}

/** The table of one zone between two instants, from the runtime's `Intl`: seven-day steps, each change found by halving. */
export function zoneTable(tz: string, fromMs: number, toMs: number): ZoneTable {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: tz,
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  const offsetSecAt = (atMs: number): number => {
    const parts: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(atMs)) parts[type] = Number(value)
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
    return Math.round((Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(atMs / 1000) * 1000) / 1000)
  }
  const transitions = [{ atMs: fromMs, offsetSec: offsetSecAt(fromMs) }]
  let offset = offsetSecAt(fromMs)
  for (let at = fromMs; at < toMs; at += STEP_MS) {
    const next = Math.min(at + STEP_MS, toMs)
    const nextOffset = offsetSecAt(next)
    if (nextOffset === offset) continue
    let low = at
    let high = next
    while (high - low > 1000) {
      const middle = Math.floor((low + high) / 2000) * 1000
      if (offsetSecAt(middle) === offset) low = middle
      else high = middle
    }
    transitions.push({ atMs: high, offsetSec: nextOffset })
    offset = nextOffset
  }
  return { tz, version: zoneVersion(), transitions }
}

const tables = new Map<string, ZoneTable>()

/** Tables for scheduling: from 12 years before `nowMs` to 6 after, at whole years. Built once a zone and year. */
export function schedulingZone(tz: string, nowMs: number): ZoneTable {
  const year = new Date(nowMs).getUTCFullYear()
  const key = `${tz}/${year}`
  let table = tables.get(key)
  if (table === undefined) {
    table = zoneTable(tz, Date.UTC(year - 12, 0, 1), Date.UTC(year + 6, 0, 1))
    tables.set(key, table)
  }
  return table
}
