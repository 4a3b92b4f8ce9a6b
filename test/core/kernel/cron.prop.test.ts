import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextCron, parseCron, UTC, wallText, type Cron } from '../../../src/core/kernel/cron.ts'
import { wallOf, type ZoneTable } from '../../../src/core/kernel/zone.ts'
import { zoneTable } from '../../../src/server/zones.ts'

const cron = (text: string): Cron => {
  const parsed = parseCron(text)
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}
const berlin = zoneTable('Europe/Berlin', Date.UTC(2025, 0, 1), Date.UTC(2030, 0, 1))
const runs = (text: string, zone: ZoneTable, from: string, count: number): string[] => {
  let at = Date.parse(from)
  return Array.from({ length: count }, () => {
    at = nextCron(cron(text), zone, at) ?? NaN
    return new Date(at).toISOString().slice(0, 16)
  })
}

test('fields take lists, ranges, steps and names, and both kinds of days are either', () => {
  expect(runs('*/20 9-10 * * mon-fri', UTC, '2026-11-27T10:30Z', 3)).toEqual(['2026-11-27T10:40', '2026-11-30T09:00', '2026-11-30T09:20'])
  expect(runs('0 0 13 * fri', UTC, '2026-11-01T00:00Z', 4)).toEqual([
    '2026-11-06T00:00',
    '2026-11-13T00:00',
    '2026-11-20T00:00',
    '2026-11-27T00:00',
  ])
  expect(runs('@monthly', UTC, '2026-11-29T00:00Z', 2)).toEqual(['2026-12-01T00:00', '2027-01-01T00:00'])
  expect(runs('0 12 29 feb *', UTC, '2026-01-01T00:00Z', 2)).toEqual(['2028-02-29T12:00', '2032-02-29T12:00'])
  expect(cron('0 0 * * 7').weekdays).toEqual(new Set([0]))
})

describe('when the clock changes', () => {
  test('a time that is leapt over comes at the leap, once', () => {
    expect(runs('15,45 2 * * *', berlin, '2026-03-28T12:00Z', 3)).toEqual(['2026-03-29T01:00', '2026-03-30T00:15', '2026-03-30T00:45'])
  })
  test('a time that comes twice comes once', () => {
    expect(runs('30 2 * * *', berlin, '2026-10-24T12:00Z', 2)).toEqual(['2026-10-25T00:30', '2026-10-26T01:30'])
  })
  test('a line for every hour goes on every hour through both', () => {
    expect(runs('30 * * * *', berlin, '2026-10-24T23:40Z', 3)).toEqual(['2026-10-25T00:30', '2026-10-25T01:30', '2026-10-25T02:30'])
    expect(runs('30 * * * *', berlin, '2026-03-29T00:00Z', 3)).toEqual(['2026-03-29T00:30', '2026-03-29T01:30', '2026-03-29T02:30'])
  })
})

test.each([
  ['* * * *', /has 4 fields, not five/],
  ['0 0 * * * *', /has 6 fields/],
  ['60 * * * *', /60 is not a minute \(0–59\)/],
  ['0 24 * * *', /24 is not a hour/],
  ['0 0 * foo *', /foo is not a month/],
  ['0 0 31 2 *', /never comes/],
  ['5-2 * * * *', /5-2 is not a minute/],
  ['*/0 * * * *', /\*\/0 is not a minute/],
  [', * * * *', /an empty part is not a minute/],
])('%s is refused with its reason', (text, reason) => {
  expect(parseCron(text)).toMatch(reason)
})

test('the next time is after the one asked about, matches the line on the wall, and nothing between does', () => {
  const field = (max: number) => fc.oneof(fc.constant('*'), fc.integer({ min: 0, max }).map(String), fc.constant('*/7'))
  fc.assert(
    fc.property(field(59), field(23), fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2028, 0, 1) }), (minute, hour, after) => {
      const line = cron(`${minute} ${hour} * * *`)
      const next = nextCron(line, berlin, after) ?? NaN
      expect(next).toBeGreaterThan(after)
      const isOn = (at: number): boolean => {
        const [hours = 0, minutes = 0] = wallText(wallOf(berlin, at)).slice(11).split(':').map(Number)
        return line.hours.includes(hours) && line.minutes.includes(minutes)
      }
      // Only the leap itself may stand for a time that does not exist.
      const isLeap = berlin.transitions.some((it) => it.atMs === next)
      expect(isOn(next) || isLeap).toBe(true)
      for (let at = Math.ceil((after + 1) / 60_000) * 60_000, n = 0; at < next && n < 800; at += 60_000, n += 1) {
        const isSecondPass = berlin.transitions.some((it) => at >= it.atMs && at < it.atMs + 3_600_000)
        expect(isOn(at) && !(isSecondPass && !line.isEveryHour), `${wallText(wallOf(berlin, at))} was passed over`).toBe(false)
      }
    }),
    { numRuns: 40 },
  )
})
