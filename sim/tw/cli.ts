import type { Asked } from '../cli.ts'
import { simulate } from '../simulation.ts'
import { TW_MUTANTS } from './mutants.ts'
import type { TwResult } from './options.ts'
import { TwWorld } from './world.ts'

const FIGURES = ['entries', 'placed', 'operations', 'refused', 'crashes', 'lost', 'elections'] as const

/** Runs seeds of whole fleets. Gives whether all went as it should. */
export function simulateTw(asked: Asked): Promise<boolean> {
  return simulate<TwResult>(asked, {
    system: 'tw',
    mutants: TW_MUTANTS,
    tellSeed: (options) => new TwWorld(options).run(),
    figures: (results, total) => ({
      ...Object.fromEntries(FIGURES.map((name) => [name, total((result) => result[name])])),
      convergedMsMax: Math.max(0, ...results.map(({ convergedMs }) => convergedMs)),
    }),
  })
}
