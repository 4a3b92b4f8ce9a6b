import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { planSlice } from '../src/core/tw/scheduler/planner.ts'
import type { FleetImage } from '../src/core/tw/scheduler/image.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { median } from './lib/quantile.ts'
import { createPrng, drawSize, fleetOf, groupOf, nobody, sized, upTo } from './lib/tw-fleet.ts'
import { openbOf, replay } from './lib/openb.ts'

/*
 * How many tasks a second the planner places on 100,000 nodes, and how well it packs: the first failure of an even load, and
 * the openb list of GPU nodes and tasks (tw brief, 7). `--nodes F --tasks F` name other lists of its format, `--seed N`
 * one seed instead of 42–51; without the files that part is skipped by name.
 */

export const parts = ['spread', 'first-failure', 'openb'] as const
const figure = figuresOf('tw-packing')
const NODES = 100_000
const SEEDS = [42, 43, 44, 45, 46, 47, 48, 49, 50, 51]
const DATA = join(import.meta.dirname, '../../shared/data/tw')

export async function* run(
  wanted: readonly string[] = parts,
  options: { nodes?: string | undefined; tasks?: string | undefined; seed?: string | undefined } = {},
): AsyncGenerator<Figure> {
  if (wanted.includes('spread')) yield* spreadRate()
  if (wanted.includes('first-failure')) yield* firstFailure()
  if (!wanted.includes('openb')) return
  const nodes = options.nodes ?? join(DATA, 'openb_node_list_gpu_node.csv')
  const tasks = options.tasks ?? join(DATA, 'openb_pod_list_default.csv')
  const missing = [nodes, tasks].filter((file) => !existsSync(file))
  if (missing.length > 0) process.stderr.write(`openb skipped: there is no ${missing.join(', no ')}\n`)
  else yield* openb(nodes, tasks, options.seed === undefined ? SEEDS : [Number(options.seed)])
}

/** F2: jobs of 1,000 under a hard spread over 2,500 racks, one to a node, kept to one architecture. */
function* spreadRate(): Generator<Figure> {
  const image = fleetOf(NODES)
  const random = createPrng(1)
  const spread = { rack: { targets: 'even', hard: true } }
  const group = { ...groupOf({ spread, distinct: { node: 1 }, constraints: ['node.arch = amd64', 'node.kernel >= 5.4'] }), count: 1000 }
  const jobs = 300
  const place = (from: number, to: number): number => {
    let placed = 0
    for (let job = from; job < to; job += 1) {
      const wanted = sized(group, ...drawSize(random))
      placed += planSlice(image, { job: `j${job}`, group: wanted, indexes: upTo(1000), standing: nobody }).nodes.length
    }
    return placed
  }
  place(0, 20)
  const start = performance.now()
  const placed = place(20, 20 + jobs)
  yield figure(
    'placed a second, hard rack spread and one to a node',
    (placed * 1000) / (performance.now() - start),
    'tasks/s',
    '>=',
    100_000,
  )
}

/** Jobs of 1,000 of all sizes, at most five of one on a node, until one task has no place. */
function* firstFailure(): Generator<Figure> {
  const image = fleetOf(NODES)
  const random = createPrng(7)
  const group = groupOf({ spread: {}, distinct: { node: 5 } })
  const laps: number[] = []
  let placed = 0
  for (let job = 0; ; job += 1) {
    const start = performance.now()
    const wanted = sized(group, ...drawSize(random))
    const slice = planSlice(image, { job: `j${job}`, group: wanted, indexes: upTo(1000), standing: nobody })
    laps.push(performance.now() - start)
    placed += slice.nodes.length
    if (slice.unplaced.length > 0) break
  }
  const total = laps.reduce((sum, lap) => sum + lap, 0)
  yield figure('placed a second, five of a job to a node', (placed * 1000) / total, 'tasks/s')
  // The first slices still run uncompiled code; medians, since whatever else the machine does falls on single laps.
  yield figure('last 100,000 against the first', median(laps.slice(-100)) / median(laps.slice(20, 120)), 'times', '<=', 1.2)
  yield figure('utilisation at the first failure', utilisation(image), '% of cpu', '>=', 96)
}

function utilisation(image: FleetImage): number {
  let [free, total] = [0, 0]
  for (let node = 0; node < image.size; node += 1) {
    free += image.cpuFree[node] ?? 0
    total += image.cpuTotal[node] ?? 0
  }
  return (100 * (total - free)) / total
}

function* openb(nodes: string, tasks: string, seeds: readonly number[]): Generator<Figure> {
  const lists = openbOf(nodes, tasks)
  const online: number[] = []
  const moved: number[] = []
  let [seconds, share] = [0, 0]
  for (const seed of seeds) {
    const start = performance.now()
    online.push(replay(lists, seed).used)
    seconds += (performance.now() - start) / 1000
    const run = replay(lists, seed, 0.05)
    moved.push(run.used)
    share = Math.max(share, (100 * run.moves) / run.tasks)
  }
  yield* spreadOf('openb, GPU used when all has arrived', online, 95.3)
  yield figure('openb, a seed', seconds / seeds.length, 's')
  yield* spreadOf('openb with moves, GPU used when all has arrived', moved, 96.5)
  yield figure('openb with moves, tasks moved', share, '% of tasks', '<=', 5)
}

function* spreadOf(metric: string, values: readonly number[], least: number): Generator<Figure> {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1))
  // More digits than a figure prints by itself: the policies differ in the second.
  yield { ...figure(metric, mean, '%', '>=', least), value: Number(mean.toFixed(2)) }
  yield figure(`${metric}, standard deviation`, deviation, '%')
}
