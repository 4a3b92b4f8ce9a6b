import type { Asked } from '../cli.ts'
import { runSeeds } from '../pool.ts'
import { TW_MUTANTS } from './mutants.ts'
import type { TwOptions, TwResult } from './options.ts'
import { TwWorld } from './world.ts'

const FIGURES = ['entries', 'placed', 'operations', 'refused', 'crashes', 'lost', 'elections'] as const

/** Runs seeds of whole fleets. Gives whether all went as it should. */
export async function simulateTw(asked: Asked): Promise<boolean> {
  const { from, seeds, mutant, pool, say, json, sinceMs } = asked
  if (asked.mutants) return runMutants(asked)
  if (mutant !== null && !(mutant in TW_MUTANTS)) asked.usage(`No mutant ${mutant}. There are ${Object.keys(TW_MUTANTS).join(', ')}.`)
  if (asked.trace) return tellSeed(asked)
  const results = await runSeeds<TwOptions, TwResult>({ system: 'tw', options: { mutant }, from, count: seeds }, pool)
  const total = (of: (result: TwResult) => number): number => results.reduce((sum, result) => sum + of(result), 0)
  const bad = results.filter(({ ok }) => !ok)
  const figures = {
    mutant,
    seeds: results.length,
    violations: bad.length,
    firstSeed: bad.map(({ seed }) => seed).sort((a, b) => a - b)[0] ?? null,
    ...Object.fromEntries(FIGURES.map((name) => [name, total((result) => result[name])])),
    convergedMsMax: Math.max(0, ...results.map(({ convergedMs }) => convergedMs)),
    simulatedSeconds: Math.round(total(({ simulatedMs }) => simulatedMs) / 1000),
    seconds: Math.round(sinceMs() / 1000),
  }
  if (json) say(JSON.stringify(figures))
  else for (const [name, value] of Object.entries(figures)) say(`${name.padEnd(18)} ${value}`)
  return (bad.length === 0) === (mutant === null)
}

/** One seed, line by line. */
function tellSeed({ from, mutant, say }: Asked): boolean {
  const result = new TwWorld({ seed: from, mutant, tell: say }).run()
  say(JSON.stringify(result))
  return result.ok === (mutant === null)
}

/** Most seeds that one of all mutants gets. */
const MUTANT_SEEDS_MAX = 100

/** Each mutant until a seed notices it, as a table for `sim/README.md`. */
async function runMutants({ from, seeds, pool, say, json }: Asked): Promise<boolean> {
  let isEachFound = true
  for (const mutant of Object.keys(TW_MUTANTS)) {
    const results = await runSeeds<TwOptions, TwResult>(
      { system: 'tw', options: { mutant }, from, count: Math.min(seeds, MUTANT_SEEDS_MAX) },
      { ...pool, onViolation: () => undefined },
    )
    const first = results.filter(({ ok }) => !ok).sort((a, b) => a.seed - b.seed)[0]
    if (first === undefined) isEachFound = false
    const found = first === undefined ? 'not found' : `${first.seed} | ${first.violation?.split(':')[0]}`
    say(json ? JSON.stringify({ mutant, first: first ?? null }) : `| \`${mutant}\` | ${found} |`)
  }
  return isEachFound
}
