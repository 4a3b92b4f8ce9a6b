import { describe, expect, test } from 'vitest'
import type { TwOptions, TwResult } from '../../sim/tw/options.ts'
import { TwWorld } from '../../sim/tw/world.ts'

const run = (seed: number, more: Partial<TwOptions> = {}): TwResult => new TwWorld({ seed, mutant: null, ...more }).run()

test('under faults no promise about a task is broken, and after them everything finds its place', () => {
  const results = Array.from({ length: 12 }, (_, i) => run(i + 1))
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

/** Seeds that once found something, and what it was. */
const MENDED: Record<string, number> = {
  'the leader went while another of its group was under way, when its application answered again': 38,
  'who was placed behind others of its group lost the deadline of theirs': 209,
  'an agent that had lied was held to have ended what it spoke of': 273,
}

describe('what was mended stays so', () => {
  for (const [what, seed] of Object.entries(MENDED)) {
    test(what, () => {
      expect(run(seed).violation).toBe(null)
    })
  }
})

/** A seed that notices, found by `npm run sim -- tw --mutant NAME`, and the check it was noticed by. */
const FOUND: Record<string, { seed: number; by: string }> = {
  'old-stopped-before-new': { seed: 3, by: 'budget' },
  'back-off-ignored': { seed: 8, by: 'back-off' },
  'drained-before-gone': { seed: 5, by: 'drain' },
  'lost-too-soon': { seed: 1, by: 'loss' },
  'ended-task-revived': { seed: 1, by: 'final' },
  'leader-like-any': { seed: 9, by: 'leader' },
  'return-unnoticed': { seed: 5, by: 'liveness' },
  'mass-loss-believed': { seed: 5, by: 'mass loss' },
  'new-leader-impatient': { seed: 1, by: 'loss' },
  'apply-beside-the-log': { seed: 1, by: 'replay' },
  'late-report-taken': { seed: 4, by: 'order' },
  'journal-not-read': { seed: 1, by: 'once' },
  'unknown-left-running': { seed: 3, by: 'liveness' },
  'restart-outlives-stop': { seed: 12, by: 'liveness' },
  'stop-not-told': { seed: 1, by: 'liveness' },
  'report-wakes-nobody': { seed: 1, by: 'missed' },
}

describe('a planted defect is noticed', () => {
  for (const [mutant, { seed, by }] of Object.entries(FOUND)) {
    test(mutant, () => {
      expect(run(seed, { mutant }).violation?.split(':')[0]).toBe(by)
    })
  }
})
