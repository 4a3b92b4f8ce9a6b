import type { System } from '../contracts/controller.ts'
import { alertController } from './controller.ts'
import { scubaEntries } from './machine.ts'
import { registryController } from './registry-controller.ts'
import { registryEntries } from './registry-entries.ts'
import { registryOperations } from './registry-operations.ts'
import { LEAF_ROUTES } from './routes.ts'
import { REGISTRY_TABLES } from './registry-tables.ts'
import {
  scubaAlertList,
  scubaAlertPause,
  scubaAlertPut,
  scubaAlertRm,
  scubaAlertShow,
  scubaLiveRead,
  scubaTableList,
  scubaTableShow,
} from './operations.ts'
import { alertOperations } from './operations/alert.ts'
import { ASKING } from './operations/asking.ts'
import { SAVED_TABLES, savedEntries } from './saved/entries.ts'
import { savedOperations } from './saved/operations.ts'
import { sloOperations } from './operations/slo.ts'
import { shardController } from './shards/controller.ts'
import { sloController } from './slo/controller.ts'
import { SCUBA_TABLES } from './tables.ts'

/** Scuba on the control log: the registry of alert rules; rows and queries are the leaf's. */
export const scubaSystem: System = {
  name: 'scuba',
  tables: [...SCUBA_TABLES, ...REGISTRY_TABLES, ...SAVED_TABLES],
  entries: [...scubaEntries, ...registryEntries, ...savedEntries],
  operations: [
    ...ASKING,
    scubaLiveRead,
    scubaTableList,
    scubaTableShow,
    scubaAlertPut,
    scubaAlertList,
    scubaAlertShow,
    scubaAlertRm,
    scubaAlertPause,
    ...alertOperations,
    ...registryOperations,
    ...savedOperations,
    ...sloOperations,
  ],
  routes: LEAF_ROUTES,
  controllers: [alertController, registryController, shardController, sloController],
}
