import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import type { Proposal } from '../src/core/contracts/entry.ts'
import { tasksReported } from '../src/core/tw/entries/tasks.ts'
import { taskName } from '../src/core/tw/rows.ts'
import { liveOnNode } from '../src/core/tw/tasks/read.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { fill, submit } from './lib/tw/fill.ts'
import { jobShapes, nodeName, NODES, zoneOf } from './lib/tw/fleet.ts'
import { countTasks, joinNodes, openHouse, placedBy, until, type House } from './lib/tw/house.ts'

/*
 * A node, and soon after it a zone with a tenth of all nodes, go silent at once in a full fleet: the real liveness, reconciler, planner, log
 * and state.db; their peers do not reach them. `seen` counts from the last beat to the loss in the log, `placed again` from there until every task has a durable place.
 * `fail`: a task in 25 of all fails at once, on nodes that go on; another job is submitted meanwhile.
 * $MUSTER_BENCH_NODES and $MUSTER_BENCH_DIR as in tw-scale.
 */

const figure = figuresOf('tw-failover')
export const parts = ['node', 'zone', 'fail']
const isWhole = NODES >= 100_000
/** jobs ask for so much of the fleet that what a zone held fits elsewhere */
const FILLED = 0.8
const WAIT_MS = 120_000

export async function* run(asked: readonly string[] = parts): AsyncGenerator<Figure> {
  const dir = mkdtempSync(join(process.env['MUSTER_BENCH_DIR'] ?? tmpdir(), 'muster-bench-tw-'))
  const house = await openHouse(dir, ['tw.nodes', 'tw.reconcile'])
  try {
    await joinNodes(house.control)
    const beats = hear(house)
    const shapes = jobShapes(7)
    await fill(house, shapes.slice(0, Math.floor(shapes.length * FILLED)))
    const loop = house.start()
    if (asked.includes('node')) yield* lose(house, 'a node', [nodeName(5)], beats)
    if (asked.includes('zone')) {
      const zone = Array.from({ length: NODES }, (_, i) => i).filter((i) => zoneOf(i) === 3)
      yield* lose(house, `a zone of ${zone.length} nodes`, zone.map(nodeName), beats)
    }
    if (asked.includes('fail')) yield* failTasks(house, NODES)
    beats.end()
    await loop.stop()
  } finally {
    await house.close()
    rmSync(dir, { recursive: true, force: true })
  }
  yield figure('load average of the last minute', loadavg()[0] ?? 0, '')
}

interface Beats {
  silence: (nodes: readonly string[]) => void
  end: () => void
}

/** Every agent is heard once a second, but those that are silent. */
function hear(house: House): Beats {
  const heardAt = new Map<string, number>()
  for (let i = 0; i < NODES; i += 1) {
    const node = nodeName(i)
    const isSilent = (): number | undefined => heardAt.get(node)
    house.beats.set(node, {
      get ageMs() {
        const since = isSilent()
        return since === undefined ? 0 : performance.now() - since
      },
      bootId: 'bench',
      meshPosition: 0,
      connected: true,
    })
  }
  return {
    silence: (nodes) =>
      nodes.forEach((node) => {
        heardAt.set(node, performance.now())
        house.looks.set(node, { asked: 3, reached: 0, failed: 3 })
      }),
    end: () => heardAt.clear(),
  }
}

async function* lose(house: House, what: string, nodes: readonly string[], beats: Beats): AsyncGenerator<Figure> {
  const { control } = house
  const before = countTasks(control)
  const held = nodes.reduce((sum, node) => sum + tasksOn(house, node), 0)
  const startedMs = performance.now()
  beats.silence(nodes)
  // Whoever hears beats also wakes the controller.
  const waker = setInterval(() => house.loop()?.wake('tw.nodes'), 500)
  let lost = 0
  let placed = 0
  let seenMs = Infinity
  let cpu = process.cpuUsage()
  const placedMs = await new Promise<number>((resolve) => {
    const give = (): void => {
      end()
      clearTimeout(timer)
      resolve(performance.now() - startedMs)
    }
    const timer = setTimeout(() => resolve(Infinity), WAIT_MS)
    const end = control.onEntries((entries) => {
      for (const entry of entries) {
        placed += placedBy(entry)
        if (entry.type === 'tw.NodeLost') lost += 1
        if (entry.type === 'tw.DomainLost') lost += (entry.body as { nodes: unknown[] }).nodes.length
      }
      if (lost >= nodes.length && seenMs === Infinity) [seenMs, cpu] = [performance.now() - startedMs, process.cpuUsage()]
      if (lost >= nodes.length && placed >= held && countTasks(control) >= before) give()
    })
  })
  clearInterval(waker)
  const { user, system } = process.cpuUsage(cpu)
  yield figure(`F5: tasks of ${what}`, held, '')
  yield judged(`F5: loss of ${what} seen`, seenMs / 1000, 10)
  yield judged(`F5: all tasks of ${what} placed again and durable`, (placedMs - seenMs) / 1000, 5)
  yield figure(`F5: processor time for it, of all threads`, (user + system) / 1e6, 's')
}

/** The tasks of so many at once end badly, as their agents report it; how long a job that comes then waits for its place. */
async function* failTasks(house: House, wanted: number): AsyncGenerator<Figure> {
  const { control } = house
  const reports: Proposal[] = []
  let failed = 0
  for (let i = 0; i < NODES && failed < wanted; i += 1) {
    const tasks = liveOnNode(control.db, nodeName(i)).map((task) => failureOf(task.id, taskName(task), task.incarnation))
    failed += tasks.length
    if (tasks.length > 0) reports.push(tasksReported.of({ node: nodeName(i), bootId: 'bench', tasks }))
  }
  const all = Array.from({ length: Math.ceil(reports.length / REPORTS_AT_ONCE) }, (_, i) =>
    control.submit({ actor: 'bench' }, () => ({
      entries: reports.slice(i * REPORTS_AT_ONCE, (i + 1) * REPORTS_AT_ONCE),
      value: () => undefined,
    })),
  )
  await Promise.all(all)
  const startedMs = performance.now()
  const placed = until(control, (entries) =>
    entries.some(({ type, body }) => type === 'tw.TasksPlaced' && (body as { job: string }).job === 'other'),
  )
  await submit(house, [{ name: 'other', count: 1, cpuMilli: 10, memoryMib: 8, constraints: [], group: {} }])
  await placed
  yield figure('tasks that failed at once', failed, '')
  yield judged('place of another job that comes then, durable', (performance.now() - startedMs) / 1000, 1)
}

/** Nodes whose reports come in one batch. */
const REPORTS_AT_ONCE = 50

function failureOf(id: number, task: string, incarnation: number): z.input<typeof tasksReported.body>['tasks'][number] {
  const rest = { health: 'none' as const, pid: null, ports: {}, restarts: 0, startedAt: 1 }
  return { ...rest, id, task, incarnation, state: 'failed', reason: 'exit 1' }
}

const judged = (metric: string, seconds: number, limit: number): Figure =>
  isWhole ? figure(metric, seconds, 's', '<=', limit) : figure(metric, seconds, 's')

function tasksOn({ control }: House, node: string): number {
  return control.db.get<{ tasks: number }>('SELECT tasks FROM tw_node_load WHERE name = ?', node)?.tasks ?? 0
}
