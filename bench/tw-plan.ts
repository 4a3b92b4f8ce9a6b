import { filtersOf } from '../src/core/tw/scheduler/filters.ts'
import type { FleetImage } from '../src/core/tw/scheduler/image.ts'
import { planSlice } from '../src/core/tw/scheduler/planner.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { quantile } from './lib/quantile.ts'
import { planCases } from '../test/support/tw-plan-cases.ts'
import { createPrng, drawSize, fleetOf, groupOf, nobody, sized, upTo } from './lib/tw-fleet.ts'

/*
 * One task into a full fleet of 100,000 nodes, why a task has no place there, the plan of a job of 10,000 tasks, and whether
 * what a plan says is what happens (tw brief, 7: F3 and F8). `--seed N`: of the random cases.
 */

export const parts = ['one', 'job', 'cases'] as const
const figure = figuresOf('tw-plan')
const NODES = 100_000
const CASES = 10_000

export async function* run(wanted: readonly string[] = parts, options: { seed?: string | undefined } = {}): AsyncGenerator<Figure> {
  if (wanted.includes('one')) yield* oneTask()
  if (wanted.includes('job')) yield* wholeJob()
  if (!wanted.includes('cases')) return
  const start = performance.now()
  const { cases, different } = planCases(CASES, Number(options.seed ?? 1))
  yield figure('random cases in which running a job did not do what its plan said', different, `of ${cases}`, '<=', 0)
  yield figure('a case', (performance.now() - start) / cases, 'ms')
}

/** Tasks come and go in a fleet so full that most nodes can take none of them. */
function* oneTask(): Generator<Figure> {
  const random = createPrng(3)
  const image = fullFleet(random)
  const groups = [
    groupOf({ spread: {} }),
    groupOf({}),
    groupOf({ spread: { rack: 'even' }, constraints: ['node.kernel >= 6.1'] }),
    groupOf({ distinct: { node: 1 }, affinities: [{ 'node.meta.tier = gold': 50 }], constraints: ['node.meta.tier = gold'] }),
  ]
  const placed: number[] = []
  const unplaced: number[] = []
  for (let i = 0; i < 4000; i += 1) {
    const group = sized(groups[i % groups.length] ?? groupOf(), ...drawSize(random))
    const start = performance.now()
    const slice = planSlice(image, { job: `j${i}`, group, indexes: [0], standing: nobody })
    if (slice.unplaced.length === 0) {
      placed.push(performance.now() - start)
      // As many leave as come: the fleet stays full.
      slice.undo()
    } else {
      filtersOf(image, slice.slice)
      unplaced.push(performance.now() - start)
    }
  }
  // The first hundred compile what all others use.
  yield figure('one task into a full fleet, p50', quantile(placed.slice(100), 0.5), 'ms')
  yield figure('one task into a full fleet, p99', quantile(placed.slice(100), 0.99), 'ms', '<=', 1)
  yield figure('one task that has no place, and why, p99', quantile(unplaced, 0.99), 'ms', '<=', 20)
}

function fullFleet(random: ReturnType<typeof createPrng>): FleetImage {
  const image = fleetOf(NODES)
  const group = groupOf({ spread: {} })
  for (let job = 0, failures = 0; failures < 20; job += 1) {
    const wanted = sized(group, ...drawSize(random))
    if (planSlice(image, { job: `fill${job}`, group: wanted, indexes: upTo(1000), standing: nobody }).unplaced.length > 0) failures += 1
  }
  return image
}

function* wholeJob(): Generator<Figure> {
  const image = fleetOf(NODES)
  const laps: number[] = []
  for (let i = 0; i < 12; i += 1) {
    const group = { ...sized(groupOf(i % 2 === 0 ? {} : { spread: { rack: 'even' } }), 500, 1024), count: 10_000 }
    const start = performance.now()
    const slice = planSlice(image, { job: `j${i}`, group, indexes: upTo(10_000), standing: nobody })
    laps.push(performance.now() - start)
    if (slice.unplaced.length > 0) throw new Error('the fleet is full')
  }
  yield figure('plan of a job of 10,000 tasks, slowest of 10', Math.max(...laps.slice(2)), 'ms', '<=', 200)
}
