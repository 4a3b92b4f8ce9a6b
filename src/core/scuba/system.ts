import type { System } from '../contracts/controller.ts'
import { alertController } from './controller.ts'
import { scubaEntries } from './machine.ts'
import {
  scubaAlertList,
  scubaAlertPause,
  scubaAlertPut,
  scubaAlertRm,
  scubaAlertShow,
  scubaLiveRead,
  scubaPanel,
  scubaQuery,
  scubaTableList,
  scubaTableShow,
} from './operations.ts'
import { alertOperations } from './operations/alert.ts'
import { sloOperations } from './operations/slo.ts'
import { sloController } from './slo/controller.ts'
import { SCUBA_TABLES } from './tables.ts'

/** Scuba on the control log: the registry of alert rules; rows and queries are the leaf's. */
export const scubaSystem: System = {
  name: 'scuba',
  tables: SCUBA_TABLES,
  entries: scubaEntries,
  operations: [
    scubaQuery,
    scubaPanel,
    scubaLiveRead,
    scubaTableList,
    scubaTableShow,
    scubaAlertPut,
    scubaAlertList,
    scubaAlertShow,
    scubaAlertRm,
    scubaAlertPause,
    ...alertOperations,
    ...sloOperations,
  ],
  controllers: [alertController, sloController],
}
