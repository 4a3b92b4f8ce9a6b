import { describe, expect, test } from 'vitest'
import { KV_MUTANTS } from '../../sim/delos/kv/kv-mutants.ts'
import type { SimOptions, SimResult } from '../../sim/delos/options.ts'
import { World } from '../../sim/delos/world.ts'

const run = (seed: number, more: Partial<SimOptions> = {}): SimResult =>
  new World({ seed, servers: 3, mode: 'safety', mutant: null, scenario: 'kv', ...more }).run()

const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)

test('under faults the store is one store: keys, watches, leases, rights and rows are what one server would have had', () => {
  const results = [...seeds(1, 40).map((seed) => run(seed)), ...seeds(1, 8).map((seed) => run(seed, { servers: 5 }))]
  expect(results.filter(({ ok }) => !ok)).toEqual([])
  // The runs are about something.
  const total = (name: keyof NonNullable<SimResult['kv']>): number => results.reduce((sum, { kv }) => sum + (kv?.[name] ?? 0), 0)
  expect(total('revisions')).toBeGreaterThan(2000)
  expect(total('expiries')).toBeGreaterThan(50)
  expect(total('renewals')).toBeGreaterThan(200)
  expect(total('events')).toBeGreaterThan(5000)
  expect(total('progresses')).toBeGreaterThan(2000)
  expect(total('found')).toBeGreaterThan(0)
  expect(results.filter(({ undecided }) => undecided > 0)).toEqual([])
})

test('when faults stop, clients finish, every lease ends and every watch has seen everything', () => {
  const results = seeds(1, 12).map((seed) => run(seed, { mode: 'liveness' }))
  expect(results.filter(({ ok }) => !ok)).toEqual([])
})

test('the same seed gives the same run', () => {
  expect(run(5)).toEqual(run(5))
})

/** A seed that notices, found by `npm run sim -- delos --mutant NAME`, and the check it was noticed by. */
const FOUND: Record<string, { seed: number; by: string }> = {
  'revoke-in-two': { seed: 1, by: 'lease' },
  'progress-before-events': { seed: 1, by: 'watch' },
  'watch-without-permission': { seed: 1, by: 'permission' },
  'compaction-drops-live': { seed: 1, by: 'watch' },
  'expiry-by-old-leader': { seed: 2, by: 'epoch' },
  'cursor-apart': { seed: 3, by: 'state' },
  'digest-not-compared': { seed: 37, by: 'digest' },
  'renewal-by-old-leader': { seed: 5277, by: 'ttl' },
  'claim-not-repeated': { seed: 309, by: 'liveness' },
  'trim-by-leader': { seed: 2, by: 'trim' },
}

describe('a planted defect is noticed, and the same seed without it is fine', () => {
  test('every mutant has a seed', () => {
    expect(Object.keys(FOUND).sort()).toEqual(Object.keys(KV_MUTANTS).sort())
  })

  for (const [name, { seed, by }] of Object.entries(FOUND)) {
    test(name, () => {
      const mode = KV_MUTANTS[name]?.mode ?? 'safety'
      expect(run(seed, { mode, mutant: name }).violation?.split(':')[0]).toBe(by)
      expect(run(seed, { mode }).violation).toBeNull()
    })
  }
})
