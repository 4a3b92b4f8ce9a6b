import type { System } from '../contracts/controller.ts'
import { sevControllers } from './controller.ts'
import { sevEntries } from './machine.ts'
import { observe } from './observe.ts'
import { sevOperations } from './operations.ts'
import { sevTables } from './tables.ts'

export const sevSystem: System = {
  name: 'sev',
  tables: sevTables,
  entries: sevEntries,
  operations: sevOperations,
  controllers: sevControllers,
  observe,
}
