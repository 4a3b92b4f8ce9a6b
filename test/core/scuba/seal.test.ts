import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/core/scuba/limits.ts'
import { backlogWaitMs, diskLevel, sealRate } from '../../../src/core/scuba/seal/pressure.ts'
import { holdsRows, isDue, splitByHour, type SegmentRows } from '../../../src/core/scuba/seal/split.ts'

const HOUR_US = 3_600_000_000

/** A chunk of rows in some hours. */
function chunkOf(times: readonly number[]) {
  const hours = new Map<number, number>()
  for (const us of times) hours.set(Math.floor(us / HOUR_US), (hours.get(Math.floor(us / HOUR_US)) ?? 0) + 1)
  return { minUs: Math.min(...times), maxUs: Math.max(...times), rows: times.length, hours }
}

const isOf = (us: number, rows: SegmentRows): boolean => {
  const hour = Math.floor(us / HOUR_US)
  return 'hour' in rows ? rows.hour === hour : !rows.notHours.includes(hour)
}

test('every row goes into exactly one segment, and each segment reads every chunk that has rows of it', () => {
  const times = fc.array(fc.integer({ min: 0, max: 6 * HOUR_US }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(fc.array(times, { minLength: 1, maxLength: 5 }), (chunks) => {
      const segments = splitByHour(chunks.map(chunkOf))
      for (const chunk of chunks) {
        for (const us of chunk) {
          const taken = segments.filter((rows) => isOf(us, rows))
          expect(taken).toHaveLength(1)
          for (const rows of taken) expect(holdsRows(chunkOf(chunk), rows)).toBe(true)
        }
      }
    }),
  )
})

test('the hour with most rows and each with 10,000 have a segment of their own, the others one together', () => {
  const chunk = {
    minUs: 0,
    maxUs: 5 * HOUR_US,
    rows: 1,
    hours: new Map([
      [0, 3],
      [1, 20_000],
      [2, 9999],
      [3, 10_000],
      [4, 1],
    ]),
  }
  expect(splitByHour([chunk])).toEqual([{ hour: 1 }, { hour: 3 }, { notHours: [1, 3] }])
  expect(splitByHour([chunkOf([1, 2, 3])])).toEqual([{ hour: 0 }])
})

test('a table is sealed when it has much, enough for ten seconds, or anything for a minute', () => {
  const due = (bytes: number, ageMs: number): boolean => isDue({ bytes, oldestMs: 1_000_000 - ageMs }, 1_000_000)
  expect([due(LIMITS.sealBytes, 0), due(LIMITS.sealBytes - 1, 0)]).toEqual([true, false])
  expect([due(LIMITS.sealSoonBytes, 10_000), due(LIMITS.sealSoonBytes, 9999), due(LIMITS.sealSoonBytes - 1, 10_000)]).toEqual([
    true,
    false,
    false,
  ])
  expect([due(1, 60_000), due(1, 59_999), due(0, 1e9)]).toEqual([true, false, false])
})

test('a sender waits as long as sealing takes what is beyond the allowed backlog, by the rate that was seen', () => {
  const fast = sealRate(null, { bytes: 1e9, ms: 10_000 })
  expect(fast).toBe(1e8)
  expect(sealRate(fast, { bytes: 1000, ms: 1000 })).toBe(fast)
  expect(backlogWaitMs(LIMITS.backlogBytesMax, fast)).toBe(0)
  expect(backlogWaitMs(LIMITS.backlogBytesMax + 1e9, fast)).toBe(10_000)
  // A minute of a slow disk is less than 4 GB.
  expect(backlogWaitMs(2e9, 1e7)).toBeGreaterThan(100_000)
  expect(backlogWaitMs(LIMITS.sealBytes, 1)).toBe(0)
})

test('a disk is judged by its share, but a large one only when little is free', () => {
  const GIB = 1024 ** 3
  expect([0.5, 0.81, 0.91, 0.96].map((used) => diskLevel(10 * GIB, 10 * GIB * (1 - used)))).toEqual(['ok', 'warn', 'evict', 'full'])
  expect(diskLevel(1000 * GIB, 40 * GIB)).toBe('ok')
})
