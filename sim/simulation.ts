import type { Asked } from './cli.ts'
import { runSeeds, type SeedOptions, type SeedResult, type System } from './pool.ts'

/** A simulation whose runs differ by seed and planted defect alone. */
export interface Simulation<Result extends SeedResult> {
  system: System
  mutants: Readonly<Record<string, unknown>>
  /** one run, line by line */
  tellSeed: (options: SeedOptions & { tell: (line: string) => void }) => Result
  /** what is printed of all runs together; `total` sums */
  figures: (results: readonly Result[], total: (of: (result: Result) => number) => number) => object
}

/** Most seeds that one of all mutants gets. */
const MUTANT_SEEDS_MAX = 100

/** Runs what was asked for. Gives whether all went as it should. */
export async function simulate<Result extends SeedResult & { simulatedMs: number }>(
  asked: Asked,
  { system, mutants, tellSeed, figures }: Simulation<Result>,
): Promise<boolean> {
  const { from, seeds, mutant, pool, say, sinceMs } = asked
  if (asked.mutants)
    return tellMutants(
      asked,
      Object.keys(mutants).map((name) => ({ name, options: { mutant: name } })),
      { system, count: Math.min(seeds, MUTANT_SEEDS_MAX), label: (name) => `\`${name}\`` },
    )
  if (mutant !== null && !(mutant in mutants)) asked.usage(`No mutant ${mutant}. There are ${Object.keys(mutants).join(', ')}.`)
  if (asked.trace) {
    const result = tellSeed({ seed: from, mutant, tell: say })
    say(JSON.stringify(result))
    return result.ok === (mutant === null)
  }
  const results = await runSeeds<SeedOptions, Result>({ system, options: { mutant }, from, count: seeds }, pool)
  const total = (of: (result: Result) => number): number => results.reduce((sum, result) => sum + of(result), 0)
  return tellFigures(asked, mutant, results, {
    mutant,
    ...violationsOf(results),
    ...figures(results, total),
    simulatedSeconds: Math.round(total(({ simulatedMs }) => simulatedMs) / 1000),
    seconds: Math.round(sinceMs() / 1000),
  })
}

export function violationsOf(results: readonly SeedResult[]): { seeds: number; violations: number; firstSeed: number | null } {
  const bad = results.filter(({ ok }) => !ok)
  return { seeds: results.length, violations: bad.length, firstSeed: bad.map(({ seed }) => seed).sort((a, b) => a - b)[0] ?? null }
}

/** Prints figures. Gives whether the runs went as they should: with a planted defect one has to notice it. */
export function tellFigures({ say, json }: Asked, mutant: string | null, results: readonly SeedResult[], figures: object): boolean {
  if (json) say(JSON.stringify(figures))
  else for (const [name, value] of Object.entries(figures)) say(`${name.padEnd(18)} ${value}`)
  return results.every(({ ok }) => ok) === (mutant === null)
}

/** Each mutant until a seed notices it, as a table for `README.md`. Gives whether each was noticed. */
export async function tellMutants<Options extends SeedOptions>(
  { from, pool, say, json }: Asked,
  planted: readonly { name: string; options: Omit<Options, 'seed'> }[],
  { system, count, label }: { system: System; count: number; label: (name: string, options: Omit<Options, 'seed'>) => string },
): Promise<boolean> {
  let isEachFound = true
  for (const { name, options } of planted) {
    const results = await runSeeds<Options, SeedResult>({ system, options, from, count }, { ...pool, onViolation: () => undefined })
    const first = results.filter(({ ok }) => !ok).sort((a, b) => a.seed - b.seed)[0]
    if (first === undefined) isEachFound = false
    const found = first === undefined ? 'not found |' : `${first.seed} | ${first.violation?.split(':')[0]} |`
    say(json ? JSON.stringify({ ...options, first: first ?? null }) : `| ${label(name, options)} | ${found}`)
  }
  return isEachFound
}
