import type { System } from '../contracts/controller.ts'
import { canaryController } from './config/canary.ts'
import { compactionController, leaseController } from './controller.ts'
import { controlEntries, kvEntries } from './machine.ts'
import {
  configLookOperations,
  configOperations,
  kvOperations,
  leaseOperations,
  lockOperations,
  logOperations,
  metaOperations,
  scopeOperations,
  snapshotOperations,
} from './operations.ts'
import { CONTROL_TABLES, KV_TABLES } from './tables.ts'

/** Delos on the `control` log: scope locks, configurations, metadata, and reading the logs. */
export const delosSystem: System = {
  name: 'delos',
  tables: CONTROL_TABLES,
  entries: controlEntries,
  operations: [
    ...logOperations,
    ...scopeOperations,
    ...snapshotOperations,
    ...configOperations,
    ...configLookOperations,
    ...metaOperations,
  ],
  controllers: [canaryController],
}

/** The key-value store, on the `kv` log with `kv.db`: a team's own keys, leases and locks. */
export const kvSystem: System = {
  name: 'delos',
  tables: KV_TABLES,
  entries: kvEntries,
  operations: [...kvOperations, ...leaseOperations, ...lockOperations],
  controllers: [leaseController, compactionController],
}
