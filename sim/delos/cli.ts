import type { Asked } from '../cli.ts'
import { runSeeds } from '../pool.ts'
import { tellFigures, tellMutants, violationsOf } from '../simulation.ts'
import { KV_MUTANTS } from './kv/kv-mutants.ts'
import { MUTANTS } from './mutants.ts'
import type { SimOptions, SimResult } from './options.ts'
import { PARTS } from './parts.ts'
import { VLOG_MUTANTS } from './vlog/mutants.ts'

const SCENARIOS = ['log', 'kv', 'vlog'] as const
type Scenario = (typeof SCENARIOS)[number]
const MUTANTS_OF: Record<Scenario, Record<string, { mode?: 'safety' | 'liveness' }>> = {
  log: MUTANTS,
  kv: KV_MUTANTS,
  vlog: VLOG_MUTANTS,
}

/** Without a scenario: so many seeds of all of them, each with its share. Gives whether all went as it should. */
export async function simulateDelos(asked: Asked): Promise<boolean> {
  const { mode, servers, mutant, usage } = asked
  const scenario = scenarioOf(asked)
  if (asked.scenario !== undefined && scenario === null) usage(`No scenario ${asked.scenario}.`)
  if (mode !== undefined && mode !== 'safety' && mode !== 'liveness') usage(`No mode ${mode}.`)
  if (servers !== undefined && servers !== '3' && servers !== '5') usage('--servers is 3 or 5.')
  if (asked.mutants) return runMutants(asked)
  if (mutant === null) return scenario === null ? runAll(asked) : runOne(asked, optionsOf(asked, { scenario }))
  const of = scenario ?? SCENARIOS.find((name) => mutant in MUTANTS_OF[name])
  const planted = of === undefined ? undefined : MUTANTS_OF[of][mutant]
  if (of === undefined || planted === undefined) {
    const names = Object.values(MUTANTS_OF).flatMap((mutants) => Object.keys(mutants))
    return usage(`No mutant ${mutant}. There are ${names.join(', ')}.`)
  }
  return runOne(asked, optionsOf(asked, { scenario: of, mutant, mode: planted.mode ?? 'safety' }))
}

function scenarioOf({ scenario }: Asked): Scenario | null {
  return SCENARIOS.find((name) => name === scenario) ?? null
}

function optionsOf({ mode, servers }: Asked, of: Partial<SimOptions>): Omit<SimOptions, 'seed'> {
  return {
    scenario: of.scenario ?? 'log',
    mode: mode === 'safety' || mode === 'liveness' ? mode : (of.mode ?? 'safety'),
    servers: servers === undefined ? (of.servers ?? 3) : servers === '5' ? 5 : 3,
    mutant: of.mutant ?? null,
  }
}

const KV_FIGURES = ['revisions', 'expiries', 'renewals', 'events', 'progresses', 'found'] as const

function figuresOf(options: Omit<SimOptions, 'seed'>, results: readonly SimResult[], tookMs: number): object {
  const total = (of: (result: SimResult) => number): number => results.reduce((sum, result) => sum + of(result), 0)
  return {
    ...options,
    ...violationsOf(results),
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
async function runOne(asked: Asked, options: Omit<SimOptions, 'seed'>): Promise<boolean> {
  const { from, seeds, pool, sinceMs } = asked
  const results = await runSeeds<SimOptions, SimResult>({ system: 'delos', options, from, count: seeds }, pool)
  return tellFigures(asked, options.mutant, results, figuresOf(options, results, sinceMs()))
}

/** Every kind of run there is. */
async function runAll(asked: Asked): Promise<boolean> {
  const { from, seeds, pool, json, say, sinceMs } = asked
  const all: SimResult[] = []
  for (const { options, share } of PARTS) {
    const part = optionsOf(asked, options)
    const partMs = performance.now()
    const results = await runSeeds<SimOptions, SimResult>({ system: 'delos', options: part, from, count: Math.ceil(seeds * share) }, pool)
    all.push(...results)
    const figures = figuresOf(part, results, performance.now() - partMs)
    const bad = results.filter(({ ok }) => !ok).length
    if (json) say(JSON.stringify(figures))
    else say(`${part.scenario}, ${part.mode}, ${part.servers} voters: ${results.length} seeds, ${bad} violations`)
  }
  const count = (of: (result: SimResult) => number): number => all.reduce((sum, result) => sum + of(result), 0)
  const bad = all.filter(({ ok }) => !ok).length
  const total = { seeds: all.length, violations: bad, seconds: Math.round(sinceMs() / 1000) }
  if (json) say(JSON.stringify({ ...total, operations: count(({ operations }) => operations), crashes: count(({ crashes }) => crashes) }))
  else {
    const made = `${count(({ operations }) => operations)} operations, ${count(({ crashes }) => crashes)} crashes, ${total.seconds} s`
    say(`${bad === 0 ? 'ok' : 'VIOLATED'}: ${total.seeds} seeds, ${bad} violations; ${made}`)
  }
  return bad === 0
}

function runMutants(asked: Asked): Promise<boolean> {
  const scenario = scenarioOf(asked)
  const planted = (scenario === null ? SCENARIOS : [scenario]).flatMap((of) =>
    Object.entries(MUTANTS_OF[of]).map(([name, { mode = 'safety' }]) => ({
      name,
      options: optionsOf(asked, { scenario: of, mutant: name, mode }),
    })),
  )
  return tellMutants<SimOptions>(asked, planted, {
    system: 'delos',
    count: asked.seeds,
    label: (name, { scenario: of, servers }) => `${name} | ${of}, ${servers} voters`,
  })
}
