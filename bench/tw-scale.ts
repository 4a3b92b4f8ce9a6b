import { fork } from 'node:child_process'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { inDirectory } from './lib/directory.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { quantile } from './lib/quantile.ts'
import { changes, idle } from './lib/tw/at-rest.ts'
import { fill, fillUp } from './lib/tw/fill.ts'
import { jobShapes, NODES, TASKS } from './lib/tw/fleet.ts'
import { killAgainAndAgain } from './lib/tw/kills.ts'
import { countTasks, joinNodes, openHouse, type House } from './lib/tw/house.ts'
import { oneTask } from './lib/tw/one-task.ts'

/*
 * tw at the size of a fleet: the real planner, sequencer, log (fdatasync) and state.db; what is not there are agents. `fill` is the base of
 * `one`, `idle` and `restart`, which are measured on the full fleet. $MUSTER_BENCH_DIR: the disk; $MUSTER_BENCH_NODES: 100,000 unless it
 * says otherwise, with 25 tasks a node. The load average is printed beside the figures: another program's work counts as ours.
 */

const figure = figuresOf('tw-scale')
export const parts = ['fill', 'one', 'idle', 'restart', 'spread', 'kill']

/** so often a process that fills the fleet is killed */
const KILLS = 20
/** the size the targets are for; of a smaller fleet they are only reported */
const isWhole = NODES >= 100_000

export async function* run(asked: readonly string[] = parts): AsyncGenerator<Figure> {
  const wanted = new Set(asked)
  if (['fill', 'one', 'idle', 'restart'].some((part) => wanted.has(part))) yield* inDirectory('tw', (dir) => full(dir, wanted))
  if (wanted.has('spread')) yield* inDirectory('tw', spread)
  if (wanted.has('kill')) yield* inDirectory('tw', kill)
  yield figure('load average of the last minute', loadavg()[0] ?? 0, '')
}

const timed = (metric: string, value: number, unit: string, comparison: '>=' | '<=', limit: number): Figure =>
  isWhole ? figure(metric, value, unit, comparison, limit) : figure(metric, value, unit)

async function* full(dir: string, wanted: ReadonlySet<string>): AsyncGenerator<Figure> {
  const house = await openHouse(dir, ['tw.reconcile'])
  try {
    await joinNodes(house.control)
    const filled = await fill(house, jobShapes(7))
    yield timed(`F1: ${TASKS} tasks on ${NODES} nodes, placed and durable`, filled.seconds, 's', '<=', 10)
    yield figure('F1: placements a second', filled.placed / filled.seconds, '1/s')
    yield figure('F1: processor time of all threads', filled.cpuSeconds, 's')
    yield figure('F1: the last 100,000 against the first', filled.lastToFirst, '×', '<=', 1.2)
    yield timed('F1: most memory', filled.rssBytes / 1024 ** 3, 'GiB', '<=', 4)
    yield figure('F1: placements that were refused', filled.refused, '', '<=', 0)
    yield figure('F1: tasks in the state', countTasks(house.control), '', '>=', TASKS)
    if (wanted.has('one')) yield* one(house)
    if (wanted.has('idle')) {
      const rest = await idle(house)
      yield timed('F7: processor at rest, all controllers', 100 * rest.share, '%', '<=', 1)
      const change = await changes(house)
      yield figure('F7: one task reports: to durable and decided, p50', quantile(change.ms, 0.5), 'ms')
      yield timed('F7: processor of one report', change.cpuMs, 'ms', '<=', 5)
    }
  } finally {
    await house.close()
  }
  if (!wanted.has('restart')) return
  // The first one is killed on what it wrote.
  await restart(dir)
  yield timed(`F6: serving again with ${TASKS} tasks after kill -9`, await restart(dir), 's', '<=', 3)
}

async function* one(house: House): AsyncGenerator<Figure> {
  const { planMs, durableMs, explainMs, answerMs, packed } = await oneTask(house, () => fillUp(house))
  yield figure('F1: cpu packed at the first failure', 100 * packed, '%', '>=', 96)
  yield timed('F3: one task planned into the full fleet, p99', quantile(planMs, 0.99), 'ms', '<=', 1)
  yield figure('F3: the same, placed and durable, p50', quantile(durableMs, 0.5), 'ms')
  yield timed('F3: failure explained, p99', quantile(explainMs, 0.99), 'ms', '<=', 20)
  yield timed('answer of `tw explain` for a job without a place, p50', quantile(answerMs.explain, 0.5), 'ms', '<=', 50)
  yield timed('F8: answer to the plan of a job of 10,000 tasks, p50', quantile(answerMs.jobPlan, 0.5), 'ms', '<=', 200)
}

/** Hard spread over racks, one a node, and constraints, end to end; the planner's own part is `tw-packing spread`. */
async function* spread(dir: string): AsyncGenerator<Figure> {
  const house = await openHouse(dir, ['tw.reconcile'])
  try {
    await joinNodes(house.control)
    const shapes = jobShapes(11, Math.max(1, Math.round(NODES / 100)), () => ({
      distinct: { node: 1 },
      spread: { rack: { targets: 'even', hard: true } },
    }))
    const small = shapes.map((shape) => ({ ...shape, count: Math.min(400, Math.floor(NODES / 8)) }))
    const filled = await fill(house, small)
    yield timed(
      'F2: placements a second, durable, with hard rack spread, one a node and constraints',
      filled.placed / filled.seconds,
      '1/s',
      '>=',
      100_000,
    )
    yield figure('F2: processor time of all threads a placement', (1e6 * filled.cpuSeconds) / filled.placed, 'µs')
    yield figure('F2: placements that were refused', filled.refused, '', '<=', 0)
  } finally {
    await house.close()
  }
}

/** Killed at many points on its way, what was acknowledged is there, and whole; and in the end all have a place. */
async function* kill(dir: string): AsyncGenerator<Figure> {
  const { kills, acknowledged, lost, miscounted, placed } = await killAgainAndAgain(dir, KILLS, 42)
  yield figure('kill -9: times', kills, '')
  yield figure('kill -9: tasks acknowledged before the last', acknowledged, '')
  yield figure('kill -9: acknowledged and lost', lost, '', '<=', 0)
  yield figure('kill -9: tasks not counted on their nodes, or counted without a row', miscounted, '', '<=', 0)
  yield figure('kill -9: tasks without a place in the end', TASKS - placed, '', '<=', 0)
}

/** From the start of a process on what is there to its first decision over all groups. */
async function restart(dir: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now()
    const child = fork(join(import.meta.dirname, 'lib/tw/serve-main.ts'), [dir], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    child.on('message', () => {
      resolve((performance.now() - startedMs) / 1000)
      child.kill('SIGKILL')
    })
    child.on('error', reject)
  })
}
