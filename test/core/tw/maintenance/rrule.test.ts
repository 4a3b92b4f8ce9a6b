import { describe, expect, test } from 'vitest'
import { parseRecurrence, windowAt, type Recurrence } from '../../../../src/core/tw/maintenance/rrule.ts'
import { zoneTable } from '../../../../src/server/zones.ts'

const at = (text: string): number => Date.parse(text)
const HOUR = 3_600_000
const berlin = zoneTable('Europe/Berlin', at('2026-01-01T00:00:00Z'), at('2029-01-01T00:00:00Z'))
const utc = zoneTable('UTC', at('2026-01-01T00:00:00Z'), at('2029-01-01T00:00:00Z'))
const rule = (text: string): Recurrence => {
  const parsed = parseRecurrence(text)
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}
const opens = (text: string, now: string, zone = utc, since = '2026-01-01T00:00:00Z', hours = 2): string | null => {
  const window = windowAt(rule(text), zone, at(since), hours * HOUR, at(now))
  return window && new Date(window.openAt).toISOString()
}

describe('a window', () => {
  test('of a week, on days and hours that are named', () => {
    // 2026-11-29 is a Sunday.
    expect(opens('FREQ=WEEKLY;BYDAY=SA;BYHOUR=2', '2026-11-29T12:00:00Z')).toBe('2026-12-05T02:00:00.000Z')
    expect(opens('FREQ=WEEKLY;BYDAY=SA,SU;BYHOUR=2,14', '2026-11-29T12:00:00Z')).toBe('2026-11-29T14:00:00.000Z')
    expect(opens('RRULE:FREQ=DAILY;BYHOUR=23;BYMINUTE=30', '2026-11-29T23:31:00Z')).toBe('2026-11-29T23:30:00.000Z')
  })

  test('is open until its length is over, also past midnight, and then the next one counts', () => {
    expect(opens('FREQ=DAILY;BYHOUR=23', '2026-11-30T00:59:59Z')).toBe('2026-11-29T23:00:00.000Z')
    expect(opens('FREQ=DAILY;BYHOUR=23', '2026-11-30T01:00:00Z')).toBe('2026-11-30T23:00:00.000Z')
  })

  test('of every second week or month counts from when it was made', () => {
    expect(opens('FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=1', '2026-11-24T00:00:00Z', utc, '2026-11-23T00:00:00Z')).toBe(
      '2026-12-07T01:00:00.000Z',
    )
    expect(opens('FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1;BYHOUR=1', '2026-11-24T00:00:00Z', utc, '2026-11-01T00:00:00Z')).toBe(
      '2027-01-01T01:00:00.000Z',
    )
  })

  test('of a month takes the second Saturday, the last Sunday, and its last day', () => {
    expect(opens('FREQ=MONTHLY;BYDAY=2SA;BYHOUR=3', '2026-11-29T00:00:00Z')).toBe('2026-12-12T03:00:00.000Z')
    expect(opens('FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=3', '2026-11-30T00:00:00Z')).toBe('2026-12-27T03:00:00.000Z')
    expect(opens('FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=3', '2026-12-01T00:00:00Z')).toBe('2026-12-31T03:00:00.000Z')
  })

  test('stays at its wall-clock time through the change of the clock; a time that is left out is the moment after', () => {
    // Summer time in Berlin begins on 2027-03-28 at 02:00 and ends on 2027-10-31 at 03:00.
    expect(opens('FREQ=DAILY;BYHOUR=4', '2027-03-27T12:00:00Z', berlin)).toBe('2027-03-28T02:00:00.000Z')
    expect(opens('FREQ=DAILY;BYHOUR=4', '2027-03-26T12:00:00Z', berlin)).toBe('2027-03-27T03:00:00.000Z')
    expect(opens('FREQ=DAILY;BYHOUR=2;BYMINUTE=30', '2027-03-27T12:00:00Z', berlin)).toBe('2027-03-28T01:00:00.000Z')
    // 02:30 comes twice in autumn: the first counts, once.
    expect(opens('FREQ=DAILY;BYHOUR=2;BYMINUTE=30', '2027-10-30T12:00:00Z', berlin)).toBe('2027-10-31T00:30:00.000Z')
    expect(opens('FREQ=DAILY;BYHOUR=2;BYMINUTE=30', '2027-10-31T02:30:00Z', berlin)).toBe('2027-11-01T01:30:00.000Z')
  })
})

test('what the rules cannot say is named', () => {
  expect(parseRecurrence('BYDAY=MO')).toMatch(/has no FREQ/)
  expect(parseRecurrence('FREQ=HOURLY')).toMatch(/FREQ is DAILY, WEEKLY or MONTHLY, not HOURLY/)
  expect(parseRecurrence('FREQ=WEEKLY;BYDAY=XX')).toMatch(/BYDAY has MO to SU, not XX/)
  expect(parseRecurrence('FREQ=WEEKLY;BYDAY=2SA')).toMatch(/only FREQ=MONTHLY counts weekdays/)
  expect(parseRecurrence('FREQ=DAILY;BYHOUR=24')).toMatch(/BYHOUR is between 0 and 23, not 24/)
  expect(parseRecurrence('FREQ=DAILY;BYSETPOS=1')).toMatch(/BYSETPOS is not supported/)
  expect(parseRecurrence('FREQ=DAILY;FREQ=DAILY')).toMatch(/given twice/)
})
