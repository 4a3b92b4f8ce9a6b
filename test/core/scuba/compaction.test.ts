import { expect, test } from 'vitest'
import { planCompaction } from '../../../src/core/scuba/compaction/plan.ts'
import { sortSql } from '../../../src/core/scuba/compaction/order.ts'

const HOUR_US = 3_600_000_000
const NOW = 500_000 * HOUR_US + HOUR_US / 2
const segment = (hour: number, i: number, more: object = {}) => ({
  ...{ file: `${hour}-${String(i).padStart(2, '0')}`, bytes: 1000, minUs: hour * HOUR_US + i, maxUs: hour * HOUR_US + i + 1 },
  ...more,
})
const many = (hour: number, count: number, more: object = {}) => Array.from({ length: count }, (_, i) => segment(hour, i, more))
const sizes = (segments: ReturnType<typeof many>, countMin?: number) =>
  planCompaction(segments, NOW / 1000, countMin).map((group) => group.length)

test('eight small segments of one hour become one; seven, large ones, or those of two hours do not', () => {
  expect(sizes(many(500_000, 8))).toEqual([8])
  expect(sizes(many(500_000, 7))).toEqual([])
  expect(sizes(many(500_000, 8, { bytes: 32 * 1024 * 1024 }))).toEqual([])
  expect(sizes([...many(499_999, 4), ...many(500_000, 4)])).toEqual([])
})

test('hours that are over become one a day, so that a quiet table has few files; those of different thinning stay apart', () => {
  const day = 499_968
  expect(sizes([...many(day, 4), ...many(day + 1, 4)])).toEqual([8])
  expect(sizes([...many(day, 4), ...many(day + 1, 4, { thinned: 10 })])).toEqual([])
  expect(sizes([...many(day, 4, { thinned: 10 }), ...many(day + 1, 4, { thinned: 10 })])).toEqual([8])
})

test('what becomes one stays small enough to be sorted at once: a day of sealed segments is left as it is', () => {
  const day = 499_968
  expect(sizes(many(day, 80, { bytes: 27 * 1024 * 1024 }))).toEqual([])
  expect(sizes(many(day, 20, { bytes: 12 * 1024 * 1024 }))).toEqual([10, 10])
})

test('rows are sorted as the table is declared, else by service, and by time in the end; unknown columns are left out', () => {
  const columns = { time: 'TIMESTAMP', Service: 'VARCHAR', user: 'VARCHAR' } as const
  expect(sortSql(undefined, columns)).toBe('"Service", "time"')
  expect(sortSql(['user', 'gone'], columns)).toBe('"user", "time"')
  expect(sortSql([], { time: 'TIMESTAMP' })).toBe('"time"')
})
