import type { System } from '../contracts/controller.ts'
import { defragmenter } from './controllers/defragmenter.ts'
import { drainer } from './controllers/drainer.ts'
import { finishedController } from './controllers/finished.ts'
import { janitor } from './controllers/janitor.ts'
import { livenessController } from './controllers/liveness.ts'
import { maintainer } from './controllers/maintainer.ts'
import { perNodeController } from './controllers/per-node.ts'
import { profiler } from './controllers/profiler.ts'
import { reconciler } from './controllers/reconciler.ts'
import { runsController } from './controllers/runs.ts'
import { splitController } from './controllers/split-applied.ts'
import { upgrader } from './controllers/upgrader.ts'
import { updatesController } from './controllers/updates.ts'
import { TW_ENTRIES } from './machine.ts'
import { TW_OPERATIONS } from './operations.ts'
import { TW_TABLES } from './tables.ts'

/** Runs containers: jobs, tasks, nodes, and the control side of the mesh. */
export const twSystem: System = {
  name: 'tw',
  tables: TW_TABLES,
  entries: TW_ENTRIES,
  operations: TW_OPERATIONS,
  controllers: [
    perNodeController,
    runsController,
    updatesController,
    livenessController,
    reconciler,
    drainer,
    maintainer,
    defragmenter,
    splitController,
    upgrader,
    profiler,
    janitor,
    finishedController,
  ],
}
