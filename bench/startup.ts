import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Figure, figuresOf } from './lib/figure.ts'

/** Runs a command this often per round: the kernel shows a child's CPU time in ticks of 10 ms, which a round evens out. */
const RUNS = 12
/** Rounds are interleaved, so that a busy machine is busy for all of them; each figure is the median of its rounds. */
const ROUNDS = 7
const TICK_MS = 10

const BIN = join(import.meta.dirname, '../bin/muster.js')

interface Subject {
  name: string
  argv: string[]
  /** CPU it may cost beside `node -e 0`, in ms */
  cpuMsMax?: number
}

const BARE: Subject = { name: 'node -e 0', argv: ['-e', '0'] }
const LIVE: Subject[] = [
  { name: 'muster --version', argv: [BIN, '--version'], cpuMsMax: 8 },
  { name: 'muster tw ps --json', argv: [BIN, 'tw', 'ps', '--json'], cpuMsMax: 55 },
  { name: 'completion of a command', argv: [BIN, '__complete', 'tw', ''], cpuMsMax: 12 },
  { name: 'completion of a name', argv: [BIN, '__complete', 'tw', 'node', 'show', ''], cpuMsMax: 12 },
]
const DOWN: Subject[] = [{ name: 'muster tw ps --json, server down', argv: [BIN, 'tw', 'ps', '--json'] }]

/** CPU (user and system) and wall time of starting muster, against Node doing nothing. Starts a fleet of one node of its own. */
export async function run(): Promise<Figure[]> {
  const home = mkdtempSync(join(tmpdir(), 'muster-bench-startup-'))
  mkdirSync(join(home, 'state'))
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_CONFIG_HOME: join(home, 'config'),
    NO_COLOR: '1',
  }
  const muster = (...args: string[]): void => {
    const { status, stderr } = spawnSync(process.execPath, [BIN, ...args], { env, cwd: home, encoding: 'utf8' })
    if (status !== 0) throw new Error(`muster ${args.join(' ')} ended with ${status}: ${stderr}`)
  }
  try {
    muster('up', '--nodes', '1')
    const live = compare([BARE, ...LIVE], env, home)
    muster('down')
    return [...live, ...compare([BARE, ...DOWN], env, home).filter(({ metric }) => !metric.startsWith(BARE.name))]
  } finally {
    spawnSync(process.execPath, [BIN, 'down'], { env, cwd: home })
    rmSync(home, { recursive: true, force: true })
  }
}

function compare(subjects: readonly Subject[], env: NodeJS.ProcessEnv, cwd: string): Figure[] {
  for (const { argv } of subjects) for (let i = 0; i < 2; i += 1) spawnSync(process.execPath, argv, { env, cwd }) // fills the compile cache
  const samples = subjects.map(() => ({ cpuMs: [] as number[], wallMs: [] as number[] }))
  for (let round = 0; round < ROUNDS; round += 1) {
    subjects.forEach(({ name, argv }, i) => {
      const cpu = childrenCpuMs()
      const start = performance.now()
      for (let n = 0; n < RUNS; n += 1) {
        const { status } = spawnSync(process.execPath, argv, { env, cwd, stdio: 'ignore' })
        if (status !== 0) throw new Error(`${name} ended with ${status}`)
      }
      samples[i]?.wallMs.push((performance.now() - start) / RUNS)
      samples[i]?.cpuMs.push((childrenCpuMs() - cpu) / RUNS)
    })
  }
  const figure = figuresOf('startup')
  const bare = samples[0]?.cpuMs ?? []
  return subjects.flatMap(({ name, cpuMsMax }, i) => {
    const { cpuMs, wallMs } = samples[i] ?? { cpuMs: [], wallMs: [] }
    const wall = figure(`${name}: wall`, median(wallMs), 'ms')
    if (i === 0) return [figure(`${name}: cpu`, median(cpuMs), 'ms'), wall]
    // Round by round: each is compared with the bare Node of its own minute.
    const extra = median(cpuMs.map((value, round) => value - (bare[round] ?? 0)))
    return [
      cpuMsMax === undefined
        ? figure(`${name}: cpu beside node`, extra, 'ms')
        : figure(`${name}: cpu beside node`, extra, 'ms', '<=', cpuMsMax),
      wall,
    ]
  })
}

/** User and system time of all children that have ended, from /proc/self/stat (proc(5), fields 16 and 17). */
function childrenCpuMs(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
