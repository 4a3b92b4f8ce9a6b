import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { KV_MUTANTS } from './delos/kv/kv-mutants.ts'
import { MUTANTS } from './delos/mutants.ts'
import type { SimOptions, SimResult } from './delos/options.ts'
import { VLOG_MUTANTS } from './delos/vlog/mutants.ts'
import { PARTS } from './parts.ts'
import { runSeeds, type Pool } from './pool.ts'

/**
 * `npm run sim -- delos --seeds N [--from S] [--scenario log|kv|vlog] [--servers 3|5] [--mode safety|liveness] [--mutant NAME | --mutants]
 *   [--seconds S] [--processes P] [--json]`
 *
 * Without a scenario: so many seeds of all of them, each with its share. Exit code 1 if one violates something. With a mutant: stops at the
 * first seed that notices it; exit code 1 if none does. With `--mutants`: all of them, one after the other. After so many seconds no further
 * seed is begun.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    servers: { type: 'string' },
    mode: { type: 'string' },
    scenario: { type: 'string' },
    mutant: { type: 'string' },
    mutants: { type: 'boolean', default: false },
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
const scenario = SCENARIOS.find((name) => name === values.scenario) ?? null
if (values.scenario !== undefined && scenario === null) usage(`No scenario ${values.scenario}.`)
const { mode, servers, mutant } = values
if (mode !== undefined && mode !== 'safety' && mode !== 'liveness') usage(`No mode ${mode}.`)
if (servers !== undefined && servers !== '3' && servers !== '5') usage('--servers is 3 or 5.')
const [from, seeds, processes, secondsMax] = [values.from, values.seeds, values.processes, values.seconds].map(Number) as [
  number,
  number,
  number,
  number,
]
if (!(seeds > 0 && processes > 0 && from >= 0 && secondsMax > 0)) usage('A number is wrong.')

const startedMs = performance.now()
const pool: Pool = {
  processes,
  isTimeOver: () => performance.now() - startedMs > secondsMax * 1000,
  onViolation: (result) => say(values.json ? JSON.stringify(result) : `seed ${result.seed}: ${result.violation}`),
}

const say = (line: string): boolean => process.stdout.write(`${line}\n`)
const optionsOf = (of: Partial<SimOptions>): Omit<SimOptions, 'seed'> => ({
  scenario: of.scenario ?? 'log',
  mode: mode ?? of.mode ?? 'safety',
  servers: servers === undefined ? (of.servers ?? 3) : servers === '5' ? 5 : 3,
  mutant: of.mutant ?? null,
})

const KV_FIGURES = ['revisions', 'expiries', 'renewals', 'events', 'progresses', 'found'] as const

function figuresOf(options: Omit<SimOptions, 'seed'>, results: readonly SimResult[], tookMs: number): object {
  const total = (of: (result: SimResult) => number): number => results.reduce((sum, result) => sum + of(result), 0)
  const violations = results.filter(({ ok }) => !ok)
  return {
    ...options,
    seeds: results.length,
    violations: violations.length,
    firstSeed: violations.map(({ seed }) => seed).sort((a, b) => a - b)[0] ?? null,
    seedsPerSecond: Math.round((results.length * 1000) / tookMs),
    operations: total(({ operations }) => operations),
    commits: total(({ commits }) => commits),
    elections: total(({ elections }) => elections),
    switches: total(({ switches }) => switches),
    crashes: total(({ crashes }) => crashes),
    undecided: total(({ undecided }) => undecided),
    ...(options.scenario === 'kv' ? Object.fromEntries(KV_FIGURES.map((name) => [name, total(({ kv }) => kv?.[name] ?? 0)])) : {}),
    simulatedSeconds: Math.round(total(({ simulatedMs }) => simulatedMs) / 1000),
  }
}

/** One kind of run. Gives whether it went as it should. */
async function runOne(options: Omit<SimOptions, 'seed'>): Promise<boolean> {
  const results = await runSeeds({ options, from, count: seeds }, pool)
  const figures = figuresOf(options, results, performance.now() - startedMs)
  if (values.json) say(JSON.stringify(figures))
  else for (const [name, value] of Object.entries(figures)) say(`${name.padEnd(18)} ${value}`)
  return results.every(({ ok }) => ok) === (options.mutant === null)
}

/** Every kind of run there is. */
async function runAll(): Promise<boolean> {
  const all: SimResult[] = []
  for (const { options, share } of PARTS) {
    const part = optionsOf(options)
    const partMs = performance.now()
    const results = await runSeeds({ options: part, from, count: Math.ceil(seeds * share) }, pool)
    all.push(...results)
    const figures = figuresOf(part, results, performance.now() - partMs)
    const bad = results.filter(({ ok }) => !ok).length
    if (values.json) say(JSON.stringify(figures))
    else say(`${part.scenario}, ${part.mode}, ${part.servers} voters: ${results.length} seeds, ${bad} violations`)
  }
  const count = (of: (result: SimResult) => number): number => all.reduce((sum, result) => sum + of(result), 0)
  const bad = all.filter(({ ok }) => !ok).length
  const total = { seeds: all.length, violations: bad, seconds: Math.round((performance.now() - startedMs) / 1000) }
  if (values.json)
    say(JSON.stringify({ ...total, operations: count(({ operations }) => operations), crashes: count(({ crashes }) => crashes) }))
  else {
    const made = `${count(({ operations }) => operations)} operations, ${count(({ crashes }) => crashes)} crashes, ${total.seconds} s`
    say(`${bad === 0 ? 'ok' : 'VIOLATED'}: ${total.seeds} seeds, ${bad} violations; ${made}`)
  }
  return bad === 0
}

/** Each mutant until a seed notices it, as a table for `sim/README.md`. */
async function runMutants(): Promise<boolean> {
  let isEachFound = true
  for (const of of scenario === null ? SCENARIOS : [scenario]) {
    for (const [name, planted] of Object.entries(MUTANTS_OF[of])) {
      const options = optionsOf({ scenario: of, mutant: name, mode: planted.mode ?? 'safety' })
      const results = await runSeeds({ options, from, count: seeds }, { ...pool, onViolation: () => undefined })
      const first = results.filter(({ ok }) => !ok).sort((a, b) => a.seed - b.seed)[0]
      if (first === undefined) isEachFound = false
      const found = first === undefined ? 'not found' : `seed ${first.seed} | ${first.violation?.split(':')[0]}`
      say(values.json ? JSON.stringify({ ...options, first: first ?? null }) : `| ${name} | ${of}, ${options.servers} voters | ${found} |`)
    }
  }
  return isEachFound
}

async function run(): Promise<boolean> {
  if (values.mutants) return runMutants()
  if (mutant !== undefined) {
    const of = scenario ?? SCENARIOS.find((name) => mutant in MUTANTS_OF[name])
    const planted = of === undefined ? undefined : MUTANTS_OF[of][mutant]
    if (of === undefined || planted === undefined) return usage(`No mutant ${mutant}.`)
    return runOne(optionsOf({ scenario: of, mutant, mode: planted.mode ?? 'safety' }))
  }
  return scenario === null ? runAll() : runOne(optionsOf({ scenario }))
}

process.exitCode = (await run()) ? 0 : 1
