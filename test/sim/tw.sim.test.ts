import { describe, expect, test } from 'vitest'
import { TW_MUTANTS } from '../../sim/tw/mutants.ts'
import type { TwOptions, TwResult } from '../../sim/tw/options.ts'
import { TwWorld } from '../../sim/tw/world.ts'

const run = (seed: number, more: Partial<TwOptions> = {}): TwResult => new TwWorld({ seed, mutant: null, ...more }).run()

/** Seeds that are run without a planted defect in any case: from the first. */
const WITHOUT = 12

test('under faults no promise about a task is broken, and after them everything finds its place', () => {
  const results = Array.from({ length: WITHOUT }, (_, i) => run(i + 1))
  expect(results.filter(({ ok }) => !ok)).toEqual([])
  // The runs are about something.
  const total = (of: (result: TwResult) => number): number => results.reduce((sum, result) => sum + of(result), 0)
  expect(total(({ placed }) => placed)).toBeGreaterThan(100)
  expect(total(({ crashes }) => crashes)).toBeGreaterThan(10)
  expect(total(({ lost }) => lost)).toBeGreaterThan(0)
  expect(total(({ elections }) => elections)).toBeGreaterThan(12)
})

test('the same seed gives the same run, read along or not, and another seed another', () => {
  const lines: string[] = []
  const first = run(5)
  expect(run(5, { tell: (line) => lines.push(line) })).toEqual(first)
  expect(lines.length).toBeGreaterThan(20)
  expect(first.traceHash).not.toBe(run(6).traceHash)
})

/** A seed that notices, found by `npm run sim -- tw --mutant NAME`, and the check it was noticed by. */
const FOUND: Record<string, { seed: number; by: string }> = {
  'old-stopped-before-new': { seed: 4, by: 'budget' },
  'budget-ignores-the-sick': { seed: 4, by: 'budget' },
  'back-off-ignored': { seed: 2, by: 'back-off' },
  'wake-up-lost': { seed: 4, by: 'missed' },
  'drained-before-gone': { seed: 5, by: 'drain' },
  'lost-too-soon': { seed: 1, by: 'loss' },
  'referee-blind-to-memory': { seed: 25, by: 'capacity' },
  'ended-task-revived': { seed: 1, by: 'final' },
  'referee-blind-to-cpu': { seed: 3, by: 'capacity' },
  'referee-blind-to-disk': { seed: 52, by: 'capacity' },
  'referee-blind-to-gpus': { seed: 4, by: 'capacity' },
  'plan-blind-to-others': { seed: 8, by: 'plan' },
  'domains-taken-for-one': { seed: 8, by: 'maintenance' },
  'window-ignored': { seed: 2, by: 'maintenance' },
  'budget-forgotten': { seed: 2, by: 'budget' },
  'leader-like-any': { seed: 28, by: 'leader' },
  'never-overdue': { seed: 14, by: 'liveness' },
  'return-unnoticed': { seed: 2, by: 'liveness' },
  'mass-loss-believed': { seed: 4, by: 'mass loss' },
  'new-leader-impatient': { seed: 1, by: 'loss' },
  'apply-beside-the-log': { seed: 1, by: 'replay' },
  'late-report-taken': { seed: 5, by: 'loss' },
  'stale-leader-writes': { seed: 9, by: 'loss' },
  'journal-not-read': { seed: 2, by: 'once' },
  'replaced-leader-obeyed': { seed: 4, by: 'once' },
  'unknown-left-running': { seed: 2, by: 'liveness' },
  'restart-outlives-stop': { seed: 49, by: 'liveness' },
  'stop-not-told': { seed: 6, by: 'liveness' },
  'report-wakes-nobody': { seed: 1, by: 'missed' },
}

test('each planted defect has a seed', () => {
  expect(Object.keys(FOUND).toSorted()).toEqual(Object.keys(TW_MUTANTS).toSorted())
})

describe('a planted defect is noticed', () => {
  for (const [mutant, { seed, by }] of Object.entries(FOUND)) {
    test(mutant, () => {
      expect(run(seed, { mutant }).violation?.split(':')[0]).toBe(by)
    })
  }
})

describe('without it nothing is', () => {
  for (const seed of new Set(
    Object.values(FOUND)
      .map((found) => found.seed)
      .filter((it) => it > WITHOUT),
  )) {
    test(`seed ${seed}`, () => {
      expect(run(seed).violation).toBe(null)
    })
  }
})
