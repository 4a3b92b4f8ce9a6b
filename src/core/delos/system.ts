import type { System } from '../contracts/controller.ts'
import { alarmController } from './alarms/controller.ts'
import { canaryController } from './config/canary.ts'
import { publishController } from './config/publish.ts'
import { controlEntries } from './machine.ts'
import {
  accessOperations,
  configLookOperations,
  configOperations,
  kvOperations,
  leaderOperations,
  leaseOperations,
  lockOperations,
  logOperations,
  memberOperations,
  metaOperations,
  scopeOperations,
  snapshotOperations,
} from './operations.ts'
import { CONTROL_TABLES } from './tables.ts'

/**
 * Delos on the `control` log: scope locks, configurations, metadata, and reading the logs. The key-value store has a log and a machine
 * of its own (`kv/`); what is asked of it here are actions.
 */
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
    ...memberOperations,
    ...accessOperations,
    ...leaderOperations,
    ...kvOperations,
    ...leaseOperations,
    ...lockOperations,
  ],
  controllers: [canaryController, publishController, alarmController],
}
