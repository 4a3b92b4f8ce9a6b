import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ensureProxy } from '../src/agent/mesh/client.ts'
import { MESH_POLICY } from '../src/core/tw/queries.ts'
import { statePaths } from '../src/platform/paths.ts'
import { figuresOf, type Figure } from './lib/figure.ts'
import { median } from './lib/quantile.ts'

/*
 * The proxy beside direct access to the same backend, rounds of both interleaved, medians printed. Load comes from wrk
 * where it is installed; else from a generator of our own, in a process of its own, which costs about as much as the
 * proxy: on two cores the figures are then lower than the proxy's own limit. $MUSTER_BENCH_SECONDS: length of a round.
 */

const ROUNDS = 3
const CONNECTIONS = 64
const SECONDS = Number(process.env['MUSTER_BENCH_SECONDS'] ?? 3)
const figure = figuresOf('mesh')

interface Load {
  requests: number
  perSecond: number
  p50Ms: number
  p99Ms: number
  errors: number
}

export async function* run(): AsyncGenerator<Figure> {
  const dir = mkdtempSync(join(tmpdir(), 'muster-bench-mesh-'))
  const { port: backendPort, child } = await startBackend()
  const paths = statePaths('bench', { MUSTER_STATE_DIR: dir }).agent('bench')
  const proxy = await ensureProxy({ node: 'bench', region: 'bench', paths, eventsSocket: join(dir, 'no-leaf.sock'), wantedGatewayPort: 0 })
  try {
    await proxy.configure(snapshotFor(backendPort))
    yield* measure(Number(proxy.gateway?.split(':')[1]), backendPort, proxy.pid ?? 0)
  } finally {
    await proxy.stop()
    child.stdin?.end()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function* measure(proxyPort: number, backendPort: number, proxyPid: number): AsyncGenerator<Figure> {
  const hasWrk = spawnSync('wrk', ['--version']).error === undefined
  const load = hasWrk ? loadByWrk : loadByOurs
  await load(proxyPort, 1)
  const rounds = { direct: [] as Load[], proxy: [] as Load[] }
  const cpuUs: number[] = []
  for (let i = 0; i < ROUNDS; i += 1) {
    rounds.direct.push(await load(backendPort, SECONDS))
    const before = cpuMs(proxyPid)
    const through = await load(proxyPort, SECONDS)
    rounds.proxy.push(through)
    cpuUs.push(((cpuMs(proxyPid) - before) * 1000) / through.requests)
  }
  const of = (list: Load[], key: keyof Load): number => median(list.map((each) => each[key]))
  for (const name of ['direct', 'proxy'] as const) {
    yield figure(`${name}, requests`, of(rounds[name], 'perSecond'), '1/s')
    yield figure(`${name}, p50`, of(rounds[name], 'p50Ms'), 'ms')
    yield figure(`${name}, p99`, of(rounds[name], 'p99Ms'), 'ms')
  }
  yield figure('proxy, CPU of a request', median(cpuUs), 'µs')
  yield figure('proxy against direct', of(rounds.proxy, 'perSecond') / of(rounds.direct, 'perSecond'), 'x')
  yield figure(
    'failed requests',
    rounds.proxy.reduce((sum, each) => sum + each.errors, 0),
    'requests',
    '<=',
    0,
  )
  yield figure(`load average, with load by ${hasWrk ? 'wrk' : 'our own generator'}`, loadavg()[0] ?? 0, '')
}

/** User and system time of a process; clock ticks are 10 ms on Linux. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

function startBackend(): Promise<{ port: number; child: ChildProcess }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'lib/http-backend.ts')], { stdio: ['pipe', 'pipe', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.stdout.once('data', (line: Buffer) => resolve({ port: Number(line.toString()), child }))
  })
}

function snapshotFor(port: number): Parameters<Awaited<ReturnType<typeof ensureProxy>>['configure']>[0] {
  const endpoint = {
    task: 'web/api[0]',
    id: 1,
    address: '127.0.0.1',
    port,
    subset: 'v1',
    release: '',
    node: 'bench',
    region: 'bench',
    weight: 100,
  }
  return { position: 1, services: [{ name: 'web', protocol: 'http', policy: MESH_POLICY, endpoints: [endpoint], split: null, faults: [] }] }
}

const exec = promisify(execFile)

async function loadByOurs(port: number, seconds: number): Promise<Load> {
  const { stdout } = await exec(process.execPath, [
    join(import.meta.dirname, 'lib/http-load.ts'),
    String(port),
    String(CONNECTIONS),
    String(seconds),
  ])
  const result = JSON.parse(stdout) as { requests: number; errors: number; seconds: number; p50Ms: number; p99Ms: number }
  return { ...result, perSecond: result.requests / result.seconds }
}

async function loadByWrk(port: number, seconds: number): Promise<Load> {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--latency', '-H', 'Host: web', `http://127.0.0.1:${port}/bench`]
  const { stdout } = await exec('wrk', args)
  const latency = (share: string): number => milliseconds(new RegExp(`^\\s+${share}%\\s+(\\S+)`, 'm').exec(stdout)?.[1] ?? '')
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1]
  const broken = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? []
  const errors = [bad ?? '0', ...broken].reduce((sum, count) => sum + Number(count), 0)
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1])
  return { requests, perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]), p50Ms: latency('50'), p99Ms: latency('99'), errors }
}

function milliseconds(text: string): number {
  const [, number, unit] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? []
  return Number(number) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1)
}
