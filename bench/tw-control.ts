import { runSeeds } from '../sim/pool.ts'
import { CONTROL_MUTANTS } from '../sim/tw-control/mutants.ts'
import type { ControlOptions, ControlResult } from '../sim/tw-control/options.ts'
import { figuresOf, type Figure } from './lib/figure.ts'

const figure = figuresOf('tw-control')
const RUNS = Number(process.env['MUSTER_CONTROL_RUNS'] ?? 10_000)
const PLANTED_RUNS = 100

/**
 * Random schedules of planned changes around the real entries and controllers (`sim/tw-control/`): the budget is never exceeded, no node is
 * over-committed, the leader goes last, nobody sleeps through anything, everything ends. `MUSTER_CONTROL_RUNS` says how many. And every planted
 * defect is found.
 */
export async function* run(): AsyncGenerator<Figure> {
  const pool = {
    processes: 2,
    isTimeOver: () => false,
    onViolation: ({ seed, violation }: { seed: number; violation: string | null }) => process.stderr.write(`seed ${seed}: ${violation}\n`),
  }
  const startedAt = performance.now()
  const results = await runSeeds<ControlOptions, ControlResult>(
    { system: 'tw-control', options: { mutant: null }, from: 1, count: RUNS },
    pool,
  )
  const seconds = (performance.now() - startedAt) / 1000
  const total = (of: (result: ControlResult) => number): number => results.reduce((sum, result) => sum + of(result), 0)
  yield figure('schedules', results.length, 'runs', '>=', RUNS)
  yield figure('violations', results.filter(({ ok }) => !ok).length, 'runs', '<=', 0)
  yield figure(
    'planned changes carried out',
    total(({ ops }) => ops),
    'ops',
  )
  yield figure(
    'of them forced',
    total(({ forced }) => forced),
    'ops',
  )
  yield figure('schedules a second', results.length / seconds, 'runs/s')
  let found = 0
  for (const mutant of Object.keys(CONTROL_MUTANTS)) {
    const planted = await runSeeds<ControlOptions, ControlResult>(
      { system: 'tw-control', options: { mutant }, from: 1, count: PLANTED_RUNS },
      { ...pool, onViolation: () => undefined },
    )
    if (planted.some(({ ok }) => !ok)) found += 1
  }
  const all = Object.keys(CONTROL_MUTANTS).length
  yield figure('planted defects found', found, `of ${all}`, '>=', all)
}
