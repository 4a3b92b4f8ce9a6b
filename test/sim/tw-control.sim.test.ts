import { describe, expect, test } from 'vitest'
import { CONTROL_MUTANTS } from '../../sim/tw-control/mutants.ts'
import { ControlWorld } from '../../sim/tw-control/world.ts'

/** Schedules to run here; `npm run bench -- tw-control` runs 10,000. */
const RUNS = Number(process.env['MUSTER_CONTROL_RUNS'] ?? 20)

test('schedules of updates, drains, crashes and consent keep the budget, stop the leader last, and end', () => {
  let ops = 0
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const result = new ControlWorld({ seed, mutant: null }).run()
    expect(result.violation, `seed ${seed}`).toBeNull()
    ops += result.ops
  }
  expect(ops).toBeGreaterThan(RUNS)
})

test('the same seed gives the same run', () => {
  const run = (): string[] => {
    const lines: string[] = []
    new ControlWorld({ seed: 3, mutant: null, tell: (line) => lines.push(line) }).run()
    return lines
  }
  expect(run()).toEqual(run())
})

/** A seed that notices, found by `npm run sim -- tw-control --mutants`, and the check it was noticed by. */
const FOUND: Record<string, { seed: number; by: string }> = {
  'stops-old-first': { seed: 1, by: 'I1' },
  'budget-forgotten': { seed: 1, by: 'I1' },
  'young-counted-in': { seed: 1, by: 'I1' },
  'consent-not-awaited': { seed: 1, by: 'leader last' },
  'surge-without-end': { seed: 2, by: 'I3' },
  'cpu-not-counted': { seed: 22, by: 'I2' },
  'arms-outlive-their-job': { seed: 8, by: 'I4' },
  'domains-taken-for-one': { seed: 38, by: 'domains' },
  'more-at-once': { seed: 95, by: 'domains' },
  'put-off-is-hidden': { seed: 40, by: 'leader last' },
  'ops-never-end': { seed: 1, by: 'rest' },
  'deadline-sleeps': { seed: 4, by: 'rest' },
  'nobody-wakes-the-drain': { seed: 1, by: 'missed' },
}

describe('a planted defect is noticed, and without it the seed finds nothing', () => {
  test.each(Object.keys(CONTROL_MUTANTS))('%s', (mutant) => {
    const { seed = 0, by } = FOUND[mutant] ?? {}
    expect(new ControlWorld({ seed, mutant }).run().violation?.split(':')[0]).toBe(by)
    expect(new ControlWorld({ seed, mutant: null }).run().violation).toBeNull()
  })
})

/** Seeds that failed once. */
test.each([
  [33, 'an op that was put off was not among those the application was told of, so it took its leader for the last one'],
  [46, 'a task of a system job was stopped at the hard deadline of a drain, not as an op'],
  [1632, 'an op that was the last one of an old order waited for ever for one that was planned since'],
  [2902, 'a node was closed for its profile, and nobody counted the nodes of a system job anew'],
])('seed %i: %s', (seed) => {
  expect(new ControlWorld({ seed, mutant: null }).run().violation).toBeNull()
})
