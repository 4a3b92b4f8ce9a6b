import { describe, expect, test } from 'vitest'
import type { SimOptions, SimResult } from '../../sim/delos/options.ts'
import { VLOG_MUTANTS } from '../../sim/delos/vlog/mutants.ts'
import { VlogWorld } from '../../sim/delos/vlog/world.ts'

const run = (seed: number, more: Partial<SimOptions> = {}): SimResult =>
  new VlogWorld({ seed, servers: 3, mode: 'safety', mutant: null, scenario: 'vlog', ...more }).run()

const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)

test('over switches, changes of members and drivers that die, nothing acknowledged is lost, doubled, reordered or read stale', () => {
  const results = [...seeds(1, 25).map((seed) => run(seed)), ...seeds(1, 6).map((seed) => run(seed, { servers: 5 }))]
  expect(results.filter(({ ok }) => !ok)).toEqual([])
  // The runs are about something: the chain changed, servers died, and still things were appended.
  const total = (of: (result: SimResult) => number): number => results.reduce((sum, result) => sum + of(result), 0)
  expect(total(({ switches }) => switches)).toBeGreaterThan(100)
  expect(total(({ crashes }) => crashes)).toBeGreaterThan(200)
  expect(total(({ operations }) => operations)).toBeGreaterThan(5000)
  expect(total(({ undecided }) => undecided)).toBe(0)
})

test('when faults stop, what was sealed is continued, every client finishes and every member reads the whole log', () => {
  const results = [...seeds(1, 12).map((seed) => run(seed, { mode: 'liveness' })), run(1, { mode: 'liveness', servers: 5 })]
  expect(results.filter(({ ok }) => !ok)).toEqual([])
})

test('the same seed gives the same run of the virtual log, another seed another', () => {
  expect(run(5)).toEqual(run(5))
  expect(run(5).traceHash).not.toBe(run(6).traceHash)
})

/** A seed that notices, found by `npm run sim -- delos --scenario vlog --mutant NAME`, and the check it was noticed by. */
const FOUND: Record<string, { seed: number; by: string }> = {
  'no-roll-forward': { seed: 3, by: 'liveness' },
  'seal-not-sticky': { seed: 9, by: 'lease' },
  'seal-breaks-lease': { seed: 375, by: 'lease' },
  'register-promise-forgotten': { seed: 3105, by: 'register' },
  'register-takes-nothing-over': { seed: 10, by: 'register' },
  'duplicate-after-retry': { seed: 2, by: 'once' },
  'elected-without-promises': { seed: 129, by: 'agreement' },
  'end-forgotten': { seed: 5, by: 'lease' },
  'skip-ignored-on-replay': { seed: 3, by: 'liveness' },
}

describe('a planted defect of the virtual log is noticed, and the same seed without it is fine', () => {
  test('every mutant has a seed', () => {
    expect(Object.keys(FOUND).sort()).toEqual(Object.keys(VLOG_MUTANTS).sort())
  })

  for (const [name, { seed, by }] of Object.entries(FOUND)) {
    test(name, () => {
      const mode = VLOG_MUTANTS[name]?.mode ?? 'safety'
      expect(run(seed, { mode, mutant: name }).violation?.split(':')[0]).toBe(by)
      expect(run(seed, { mode }).violation).toBeNull()
    })
  }
})
