import { expect, test } from 'vitest'
import { branchesOf } from '../../../../src/core/scuba/shards/branches.ts'
import { coverageOfLeaves, type Answered } from '../../../../src/core/scuba/shards/coverage.ts'

const answered = (rowsScanned: number, rows = 1): Answered => ({
  rowsScanned,
  coverage: { rows, segments: 1, chunks: 2, leaves: 1, fromMs: rowsScanned, toMs: rowsScanned + 5, hotToMs: rowsScanned, missing: [] },
})

test('a leaf that is away lowers the coverage by what it is known to hold', () => {
  const { coverage, rowsScanned } = coverageOfLeaves([answered(100), answered(200)], [{ leaf: 'c', reason: 'gone', rows: 100 }])
  expect(rowsScanned).toBe(300)
  expect(coverage).toMatchObject({ rows: 0.75, segments: 2, chunks: 4, leaves: 2, leavesAsked: 3, fromMs: 100, toMs: 205 })
  expect(coverage.missing).toEqual(['leaf c: gone'])
})

test('coverage is never whole while a leaf is away, also one that nobody knows or that held nothing', () => {
  expect(coverageOfLeaves([answered(100)], [{ leaf: 'b', reason: 'gone', rows: 0 }]).coverage.rows).toBeLessThan(1)
  expect(coverageOfLeaves([answered(100)], [{ leaf: 'b', reason: 'gone', rows: null }]).coverage.rows).toBe(0.5)
  expect(coverageOfLeaves([], [{ leaf: 'b', reason: 'gone', rows: null }]).coverage.rows).toBe(0)
})

test('what a leaf itself misses counts as much as its rows do', () => {
  expect(coverageOfLeaves([answered(100), answered(50, 0.5)], []).coverage.rows).toBeCloseTo(0.75)
  expect(coverageOfLeaves([answered(100), answered(50)], []).coverage.rows).toBe(1)
})

test('up to 64 leaves are asked one by one, more by 32 branches that hold each of them once', () => {
  const leaves = Array.from({ length: 1000 }, (_, at) => at)
  expect(branchesOf(leaves.slice(0, 64))).toHaveLength(64)
  const branches = branchesOf(leaves)
  expect(branches).toHaveLength(32)
  expect(branches.flat().sort((a, b) => a - b)).toEqual(leaves)
})
