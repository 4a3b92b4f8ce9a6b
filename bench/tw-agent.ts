import { readdirSync, readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { SHIM_NAME } from '../src/agent/exec/shim.ts'
import { desired, lives, spec, TestNode } from '../test/agent/harness.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { beatsOnSockets, type BeatLoad } from './lib/tw/beats.ts'
import { quantile } from './lib/quantile.ts'

const figure = figuresOf('tw-agent')
const STARTS = 40
const AT_ONCE = 100
const KEPT = 200
const KILLS = Number(process.env['MUSTER_AGENT_KILLS'] ?? 100)
/** Of the brief: so many agents, a beat each. */
const BEATS_A_SECOND = 10_000

export const parts = ['start', 'adopt', 'beats'] as const

/** The agent of one node on this machine, against a server that only repeats its orders: starts, adoption, and what a beat costs its server. */
export async function* run(wanted: readonly string[] = parts): AsyncGenerator<Figure> {
  yield figure('load average before', loadavg()[0] ?? 0, 'processes')
  if (wanted.includes('start')) yield* measureStarts()
  if (wanted.includes('adopt')) yield* measureAdoption()
  if (wanted.includes('beats')) yield* measureBeats()
}

const sleeper = spec(['sleep', '1000'], { cpuMilli: 1, memoryBytes: 1024 ** 2, memoryMaxBytes: 64 * 1024 ** 2 })
const tasks = (first: number, count: number) => Array.from({ length: count }, (_, i) => desired(first + i, sleeper))
const isRunning = (node: TestNode, count: number): boolean =>
  (node.server.report?.tasks.filter(({ state }) => state === 'running').length ?? 0) >= count

async function until(what: string, isSo: () => boolean, withinMs = 60_000): Promise<number> {
  const began = performance.now()
  while (!isSo()) {
    if (performance.now() - began > withinMs) throw new Error(`${what} took more than ${withinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return performance.now() - began
}

/** From the order to the report that says it runs, one at a time and then many at once. */
async function* measureStarts(): AsyncGenerator<Figure> {
  const node = await new TestNode().start()
  try {
    await until('the first report', () => node.server.report !== null)
    const times: number[] = []
    for (let i = 1; i <= STARTS; i += 1) {
      node.server.order(tasks(1, i))
      times.push(await until(`start ${i}`, () => isRunning(node, i)))
    }
    times.sort((a, b) => a - b)
    yield figure('start of a container p50', quantile(times, 0.5), 'ms', '<=', 40)
    yield figure('start of a container p99', quantile(times, 0.99), 'ms', '<=', 150)
    node.server.order(tasks(1, STARTS + AT_ONCE))
    yield figure(`${AT_ONCE} at once`, (await until('starts at once', () => isRunning(node, STARTS + AT_ONCE))) / 1000, 's', '<=', 3)
  } finally {
    await node.close()
  }
}

/** The agent is killed again and again; its tasks must not notice. */
async function* measureAdoption(): AsyncGenerator<Figure> {
  const node = await new TestNode().start()
  try {
    node.server.order(tasks(1, KEPT))
    await until('all tasks', () => isRunning(node, KEPT), 120_000)
    const pidsOf = (): string => JSON.stringify(node.server.report?.tasks.map(({ id, pid, restarts }) => [id, pid, restarts]))
    const before = pidsOf()
    const pids = node.server.report?.tasks.flatMap(({ pid }) => pid ?? []) ?? []
    const times: number[] = []
    let changed = 0
    for (let i = 0; i < KILLS; i += 1) {
      await node.crash()
      node.server.report = null
      node.startAgent('ignore')
      times.push(await until(`adoption ${i}`, () => isRunning(node, KEPT)))
      if (pidsOf() !== before) changed += 1
    }
    times.sort((a, b) => a - b)
    yield figure(`kills of the agent with ${KEPT} tasks`, KILLS, 'kills')
    yield figure('kills after which a task was another process', changed, 'kills', '<=', 0)
    yield figure('tasks that are gone', pids.filter((pid) => !lives(pid)).length, 'tasks', '<=', 0)
    yield figure('shims that are not of one task each', Math.abs(shimsBelow(node.paths.tasks) - KEPT), 'shims', '<=', 0)
    yield figure('adopted p50', quantile(times, 0.5), 'ms')
    yield figure('adopted, longest', times.at(-1) ?? 0, 'ms', '<=', 1000)
  } finally {
    await node.close()
  }
}

/** Shells that watch over a task with its folder below this one. */
function shimsBelow(tasks: string): number {
  return readdirSync('/proc').filter((name) => {
    try {
      const [, , , shim, folder = ''] = /^\d+$/.test(name) ? readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0') : []
      return shim === SHIM_NAME && folder.startsWith(tasks)
    } catch {
      return false // It ended meanwhile.
    }
  }).length
}

/** What it costs the server to hear of everybody each second, over real sockets, and what it was when everybody told everything. */
async function* measureBeats(): AsyncGenerator<Figure> {
  const all = BEATS_A_SECOND
  const rows: { what: string; load: BeatLoad; mostCpu?: number }[] = [
    { what: 'frames of 500 nodes', load: { way: 'frames', nodes: all, connections: all / 500 }, mostCpu: 15 },
    { what: 'a connection a node', load: { way: 'frames', nodes: all, connections: all }, mostCpu: 15 },
    { what: 'a whole report of 25 tasks each', load: { way: 'json', nodes: all / 50, connections: all / 50 } },
  ]
  for (const { what, load, mostCpu } of rows) {
    const { cpu, rate } = await beatsOnSockets(load)
    // By what was heard: on a busy machine the agents may not get to send all of it.
    const cpuOfAll = (cpu * all) / rate
    yield figure(`${all} beats a second, ${what}: cpu`, cpuOfAll, '% of a core', mostCpu === undefined ? undefined : '<=', mostCpu)
    yield figure(`${what}: heard while measured`, rate, 'beats/s')
  }
  yield* measureRelayed(all)
}

/** Over the relays that the server names, sealed; each node's stream is open beside them, with its ping a second, as it is in any case. */
async function* measureRelayed(all: number): AsyncGenerator<Figure> {
  const streams = await beatsOnSockets({ way: 'streams', nodes: all, connections: all })
  const both = await beatsOnSockets({ way: 'relays', nodes: all, connections: all })
  yield figure(`streams of ${all} nodes, a ping a second and no beats: cpu`, streams.cpu, '% of a core')
  yield figure(
    `${all} beats a second over relays: cpu beside the streams`,
    ((both.cpu - streams.cpu) * all) / both.rate,
    '% of a core',
    '<=',
    15,
  )
  yield figure('over relays: heard while measured', both.rate, 'beats/s')
  yield figure('over relays: relays', both.relays, '')
}
