import type { SimOptions } from './delos/options.ts'
import { VlogWorld } from './delos/vlog/world.ts'
import { World } from './delos/world.ts'

/** Runs the seeds it is sent, until the channel closes. */
process.on('message', (list: SimOptions[]) => {
  const results = []
  for (const options of list) {
    const result = (options.scenario === 'vlog' ? new VlogWorld(options) : new World(options)).run()
    results.push(result)
    if (options.mutant !== null && !result.ok) break
  }
  process.send?.(results)
})
