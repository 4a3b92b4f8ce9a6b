import type { Asked } from '../cli.ts'
import { simulate } from '../simulation.ts'
import type { ControlResult } from './options.ts'
import { CONTROL_MUTANTS } from './mutants.ts'
import { ControlWorld } from './world.ts'

const FIGURES = ['actions', 'ops', 'forced', 'entries'] as const

/** Runs seeds of schedules of planned changes. Gives whether all went as they should. */
export function simulateTwControl(asked: Asked): Promise<boolean> {
  return simulate<ControlResult>(asked, {
    system: 'tw-control',
    mutants: CONTROL_MUTANTS,
    tellSeed: (options) => new ControlWorld(options).run(),
    figures: (_results, total) => Object.fromEntries(FIGURES.map((name) => [name, total((result) => result[name])])),
  })
}
