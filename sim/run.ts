import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { KV_MUTANTS } from './delos/kv/kv-mutants.ts'
import { MUTANTS } from './delos/mutants.ts'
import type { SimOptions, SimResult } from './delos/options.ts'
import { VLOG_MUTANTS } from './delos/vlog/mutants.ts'

/**
 * `npm run sim -- delos --seeds N [--from S] [--scenario log|kv|vlog] [--servers 3|5] [--mode safety|liveness] [--mutant NAME]
 *   [--seconds S] [--processes P] [--json]`
 *
 * Without a mutant: runs every seed; exit code 1 if one violates something. With one: stops at the first seed that
 * notices it; exit code 1 if none does. After so many seconds no further seed is begun.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    servers: { type: 'string', default: '3' },
    mode: { type: 'string' },
    scenario: { type: 'string' },
    mutant: { type: 'string' },
    seconds: { type: 'string', default: 'Infinity' },
    processes: { type: 'string', default: String(Math.min(2, availableParallelism())) },
    json: { type: 'boolean', default: false },
  },
})

const SCENARIOS = ['log', 'kv', 'vlog'] as const
const MUTANTS_OF: Record<(typeof SCENARIOS)[number], Record<string, { mode?: 'safety' | 'liveness' }>> = {
  log: MUTANTS,
  kv: KV_MUTANTS,
  vlog: VLOG_MUTANTS,
}

function usage(problem: string): never {
  process.stderr.write(
    `${problem}\nSystems: delos. Mutants: ${Object.values(MUTANTS_OF)
      .flatMap((mutants) => Object.keys(mutants))
      .join(', ')}\n`,
  )
  process.exit(2)
}

const [system] = positionals
if (system !== 'delos') usage(system === undefined ? 'Which system?' : `No simulation of ${system}.`)
const mutant = values.mutant ?? null
const found = mutant === null ? undefined : SCENARIOS.find((name) => mutant in MUTANTS_OF[name])
if (mutant !== null && found === undefined) usage(`No mutant ${mutant}.`)
const wanted = values.scenario ?? found ?? 'log'
const scenario = SCENARIOS.find((name) => name === wanted) ?? usage(`No scenario ${wanted}.`)
const mode = values.mode ?? (mutant === null ? 'safety' : MUTANTS_OF[scenario][mutant]?.mode) ?? 'safety'
if (mode !== 'safety' && mode !== 'liveness') usage(`No mode ${mode}.`)
if (values.servers !== '3' && values.servers !== '5') usage('--servers is 3 or 5.')
const [from, seeds, processes] = [Number(values.from), Number(values.seeds), Number(values.processes)]
if (!(seeds > 0 && processes > 0 && from >= 0)) usage('A number is wrong.')

const options: Omit<SimOptions, 'seed'> = { servers: values.servers === '5' ? 5 : 3, mode, mutant, scenario }
const startedMs = performance.now()
const isTimeOver = (): boolean => performance.now() - startedMs > Number(values.seconds) * 1000
const results: SimResult[] = []
const violations: SimResult[] = []
let nextSeed = from
let isOver = false

/** Seeds a worker gets at a time. */
const PORTION = 20

async function work(): Promise<void> {
  const child = fork(join(import.meta.dirname, 'worker.ts'))
  const portion = (): void => {
    const list: SimOptions[] = []
    while (!isOver && !isTimeOver() && list.length < PORTION && nextSeed < from + seeds) {
      list.push({ ...options, seed: nextSeed })
      nextSeed += 1
    }
    if (list.length > 0) child.send(list)
    else child.disconnect()
  }
  child.on('message', (done: SimResult[]) => {
    results.push(...done)
    for (const result of done) {
      if (result.ok) continue
      violations.push(result)
      if (mutant !== null) isOver = true
      process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : `seed ${result.seed}: ${result.violation}\n`)
    }
    portion()
  })
  portion()
  await new Promise<void>((resolve, reject) => {
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))))
  })
}

await Promise.all(Array.from({ length: processes }, work))

const KV_FIGURES = ['revisions', 'expiries', 'renewals', 'events', 'progresses', 'found'] as const
const seconds = (performance.now() - startedMs) / 1000
const total = (of: (result: SimResult) => number): number => results.reduce((sum, result) => sum + of(result), 0)
const figures = {
  scenario,
  mode,
  servers: options.servers,
  mutant,
  seeds: results.length,
  violations: violations.length,
  firstSeed: violations.map(({ seed }) => seed).sort((a, b) => a - b)[0] ?? null,
  seedsPerSecond: Math.round(results.length / seconds),
  operations: total(({ operations }) => operations),
  commits: total(({ commits }) => commits),
  elections: total(({ elections }) => elections),
  switches: total(({ switches }) => switches),
  crashes: total(({ crashes }) => crashes),
  undecided: total(({ undecided }) => undecided),
  ...(scenario === 'kv' ? Object.fromEntries(KV_FIGURES.map((name) => [name, total(({ kv }) => kv?.[name] ?? 0)])) : {}),
  simulatedSeconds: Math.round(total(({ simulatedMs }) => simulatedMs) / 1000),
}
if (values.json) process.stdout.write(`${JSON.stringify(figures)}\n`)
else for (const [name, value] of Object.entries(figures)) process.stdout.write(`${name.padEnd(18)} ${value}\n`)
const isFine = mutant === null ? violations.length === 0 : violations.length > 0
process.exitCode = isFine ? 0 : 1
