import { describe, expect, test } from 'vitest'
import { MUTANTS } from '../../sim/delos/mutants.ts'
import type { SimOptions, SimResult } from '../../sim/delos/options.ts'
import { World } from '../../sim/delos/world.ts'

const run = (seed: number, more: Partial<SimOptions> = {}): SimResult =>
  new World({ seed, servers: 3, mode: 'safety', mutant: null, ...more }).run()

const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)

test('under faults nothing that was acknowledged is lost, doubled, reordered or read stale', () => {
  const results = [...seeds(1, 40).map((seed) => run(seed)), ...seeds(1, 15).map((seed) => run(seed, { servers: 5 }))]
  expect(results.filter(({ ok }) => !ok)).toEqual([])
  // The runs are about something: there were crashes, elections and switches, and still things were chosen.
  const total = (of: (result: SimResult) => number): number => results.reduce((sum, result) => sum + of(result), 0)
  expect(total(({ crashes }) => crashes)).toBeGreaterThan(100)
  expect(total(({ elections }) => elections)).toBeGreaterThan(100)
  expect(total(({ switches }) => switches)).toBeGreaterThan(5)
  expect(total(({ commits }) => commits)).toBeGreaterThan(2000)
  expect(total(({ undecided }) => undecided)).toBe(0)
})

test('when faults stop, every client finishes and every server reaches the same position', () => {
  const results = [...seeds(1, 15).map((seed) => run(seed, { mode: 'liveness' })), run(1, { mode: 'liveness', servers: 5 })]
  expect(results.filter(({ ok }) => !ok)).toEqual([])
})

test('the same seed gives the same run, another seed another', () => {
  expect(run(5)).toEqual(run(5))
  expect(run(5).traceHash).not.toBe(run(6).traceHash)
})

/** A seed that notices, found by `npm run sim -- delos --mutant NAME`, and the check it was noticed by. */
const FOUND: Record<string, { seed: number; by: string }> = {
  'ack-before-sync': { seed: 1, by: 'durability' },
  'promise-not-synced': { seed: 2544, by: 'lease' },
  'suffix-ignored': { seed: 3, by: 'agreement' },
  'counted-twice': { seed: 1, by: 'durability' },
  'hole-skipped': { seed: 1, by: 'durability' },
  'seal-not-sticky': { seed: 71, by: 'seal' },
  'zombie-append': { seed: 32, by: 'lease' },
  'no-roll-forward': { seed: 21, by: 'liveness' },
  'duplicate-after-retry': { seed: 1, by: 'once' },
  'learner-counted': { seed: 1, by: 'durability' },
  'lease-from-answer': { seed: 947, by: 'lease' },
  'lease-forgotten': { seed: 5, by: 'lease' },
  'clock-before-read': { seed: 1067, by: 'linearizability' },
}

describe('a planted defect is noticed, and the same seed without it is fine', () => {
  test('every mutant has a seed', () => {
    expect(Object.keys(FOUND).sort()).toEqual(Object.keys(MUTANTS).sort())
  })

  for (const [name, { seed, by }] of Object.entries(FOUND)) {
    test(name, () => {
      const mode = MUTANTS[name]?.mode ?? 'safety'
      expect(run(seed, { mode, mutant: name }).violation?.split(':')[0]).toBe(by)
      expect(run(seed, { mode }).violation).toBeNull()
    })
  }
})
