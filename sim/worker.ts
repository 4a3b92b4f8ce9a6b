import type { SimOptions } from './delos/options.ts'
import { VlogWorld } from './delos/vlog/world.ts'
import { World } from './delos/world.ts'
import type { Portion, SeedOptions, SeedResult } from './pool.ts'
import { ControlWorld } from './tw-control/world.ts'
import { TwWorld } from './tw/world.ts'

const RUNS = {
  delos: (options: SeedOptions): SeedResult => {
    const of = options as SimOptions
    return (of.scenario === 'vlog' ? new VlogWorld(of) : new World(of)).run()
  },
  'tw-control': (options: SeedOptions): SeedResult => new ControlWorld(options).run(),
  tw: (options: SeedOptions): SeedResult => new TwWorld(options).run(),
}

/** Runs the seeds it is sent, until the channel closes. */
process.on('message', ({ system, list }: Portion) => {
  const results = []
  for (const options of list) {
    const result = RUNS[system](options)
    results.push(result)
    if (options.mutant !== null && !result.ok) break
  }
  process.send?.(results)
})
