import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { packDirectory, uploadArtifact } from '../src/cli/files/artifact.ts'
import { createClient, type Client } from '../src/cli/client.ts'
import type { Entry } from '../src/core/contracts/entry.ts'
import { type Figure, figuresOf } from './lib/figure.ts'
import { quantile } from './lib/quantile.ts'

const ROOT = join(import.meta.dirname, '..')
const BIN = join(ROOT, 'bin/muster.js')
const SPLITS = 60
const TASKS = 8

interface Fleet {
  client: Client
  muster: (...args: string[]) => string
  root: string
}

/** What a whole fleet does in time: start, a change of the split, recovery of the server, replacement of a node's tasks. */
export async function run(): Promise<Figure[]> {
  const figure = figuresOf('fleet')
  const home = mkdtempSync(join(tmpdir(), 'muster-bench-fleet-'))
  mkdirSync(join(home, 'state'))
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, XDG_STATE_HOME: join(home, 'state'), XDG_CACHE_HOME: join(home, 'cache') }
  const root = join(home, 'state', 'muster', 'default')
  const fleet: Fleet = {
    root,
    muster: (...args) => execFileSync(process.execPath, [BIN, ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    client: createClient({ socketPath: join(root, 'muster.sock'), isTls: false, token: null }, 'user:bench'),
  }
  try {
    const upMs = timed(() => fleet.muster('up', '--nodes', '6', '--regions', '2'))
    await runService(fleet)
    const splitMs = await changeSplits(fleet)
    process.kill(pidOf(root), 'SIGKILL')
    const recoveryMs = timed(() => fleet.muster('up'))
    const replacedMs = await loseNode(fleet)
    return [
      figure('up --nodes 6 --regions 2, healthy', upMs, 'ms', '<=', 5000),
      figure('change of a split, all 6 proxies, p50', quantile(splitMs, 0.5), 'ms', '<=', 100),
      figure('change of a split, all 6 proxies, p99', quantile(splitMs, 0.99), 'ms', '<=', 100),
      figure('kill -9 of the server, up again, healthy', recoveryMs, 'ms'),
      figure('kill -9 of an agent and its tasks, all serving again', replacedMs, 'ms', '<=', 15_000),
    ]
  } finally {
    fleet.muster('down')
    rmSync(home, { recursive: true, force: true })
  }
}

function timed(work: () => void): number {
  const from = performance.now()
  work()
  return performance.now() - from
}

function pidOf(root: string): number {
  return (JSON.parse(readFileSync(join(root, 'server.json'), 'utf8')) as { pid: number }).pid
}

async function runService({ client }: Fleet): Promise<void> {
  const { digest } = await uploadArtifact(client, await packDirectory(join(ROOT, 'templates/services/hello')))
  const spec = parse(readFileSync(join(ROOT, 'templates/jobs/demo.yaml'), 'utf8')) as { groups: { api: { main: Record<string, unknown> } } }
  spec.groups.api.main['artifact'] = digest
  await client.call('tw.job.run', { spec, reason: 'bench' })
  await healthyAgain(client)
}

/** Log time from `SplitSet` to `SplitApplied`, which says that every proxy works by it. */
async function changeSplits({ client }: Fleet): Promise<number[]> {
  const first = (await client.get<{ server: { position: number } }>('/v1/status')).data.server.position
  for (let epoch = 1; epoch <= SPLITS; epoch += 1) {
    const shares = { v1: 1_000_000 }
    await client.call('tw.mesh.split.set', {
      service: 'web',
      shares,
      arms: { v1: 'primary' },
      salt: String(epoch),
      sticky: null,
      epoch,
      reason: 'bench',
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const setAt = new Map<number, number>()
  const ms: number[] = []
  for await (const { entry } of client.events({ from: first - 1, types: ['tw.Split'], signal: AbortSignal.timeout(10_000) })) {
    const { type, at, body } = entry as Entry<{ epoch: number }>
    if (type === 'tw.SplitSet') setAt.set(body.epoch, at)
    if (type === 'tw.SplitApplied') ms.push(at - (setAt.get(body.epoch) ?? 0))
    if (ms.length === SPLITS) break
  }
  return ms
}

interface Task {
  task: string
  node: string
  state: string
  health: string
  pid: number
}

async function healthyAgain(client: Client, without: ReadonlySet<number> = new Set()): Promise<void> {
  for (;;) {
    const { tasks } = (await client.call<{ tasks: Task[] }>('tw.ps', { job: 'web' })).data
    if (tasks.filter((task) => task.state === 'running' && task.health === 'healthy' && !without.has(task.pid)).length === TASKS) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Kills an agent and every task of its node; gives the time until all tasks answer again. */
async function loseNode({ client }: Fleet): Promise<number> {
  const { nodes } = (await client.get<{ nodes: { node: string; pid: number }[] }>('/v1/status')).data
  const { tasks } = (await client.call<{ tasks: Task[] }>('tw.ps', { job: 'web' })).data
  const victim = nodes.find(({ node }) => tasks.some((task) => task.node === node))
  if (!victim) throw new Error('no node has a task')
  const pids = tasks.filter(({ node }) => node === victim.node).map(({ pid }) => pid)
  const from = performance.now()
  for (const pid of [victim.pid, ...pids]) process.kill(pid, 'SIGKILL')
  await healthyAgain(client, new Set(pids))
  return performance.now() - from
}
