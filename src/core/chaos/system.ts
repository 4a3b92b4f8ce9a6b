import type { System } from '../contracts/controller.ts'
import { runsController } from './controller.ts'
import { CHAOS_ENTRIES } from './machine.ts'
import { CHAOS_OPERATIONS } from './operations.ts'
import { CHAOS_TABLES } from './tables.ts'

export const chaosSystem: System = {
  name: 'chaos',
  tables: CHAOS_TABLES,
  entries: CHAOS_ENTRIES,
  operations: CHAOS_OPERATIONS,
  controllers: [runsController],
}
