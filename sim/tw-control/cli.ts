import type { Asked } from '../cli.ts'
import { runSeeds } from '../pool.ts'
import type { ControlOptions, ControlResult } from './options.ts'
import { CONTROL_MUTANTS, ControlWorld } from './world.ts'

/** Runs seeds of schedules of planned changes. Gives whether all went as they should. */
export async function simulateTwControl(asked: Asked): Promise<boolean> {
  const { from, seeds, mutant, pool, say, json, sinceMs } = asked
  if (mutant !== null && !(mutant in CONTROL_MUTANTS))
    asked.usage(`No mutant ${mutant}. There are ${Object.keys(CONTROL_MUTANTS).join(', ')}.`)
  if (asked.trace) {
    const result = new ControlWorld({ seed: from, mutant, tell: say }).run()
    say(JSON.stringify(result))
    return result.ok === (mutant === null)
  }
  const results = await runSeeds<ControlOptions, ControlResult>({ system: 'tw-control', options: { mutant }, from, count: seeds }, pool)
  const total = (of: (result: ControlResult) => number): number => results.reduce((sum, result) => sum + of(result), 0)
  const bad = results.filter(({ ok }) => !ok)
  const figures = {
    mutant,
    seeds: results.length,
    violations: bad.length,
    firstSeed: bad.map(({ seed }) => seed).sort((a, b) => a - b)[0] ?? null,
    actions: total((result) => result.actions),
    ops: total((result) => result.ops),
    forced: total((result) => result.forced),
    entries: total((result) => result.entries),
    simulatedSeconds: Math.round(total(({ simulatedMs }) => simulatedMs) / 1000),
    seconds: Math.round(sinceMs() / 1000),
  }
  if (json) say(JSON.stringify(figures))
  else for (const [name, value] of Object.entries(figures)) say(`${name.padEnd(18)} ${value}`)
  return (bad.length === 0) === (mutant === null)
}
