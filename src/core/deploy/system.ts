import type { System } from '../contracts/controller.ts'
import { rolloutController } from './controller.ts'
import { DEPLOY_ENTRIES } from './machine.ts'
import { DEPLOY_OPERATIONS } from './operations.ts'
import { DEPLOY_TABLES } from './tables.ts'

export const deploySystem: System = {
  name: 'deploy',
  tables: DEPLOY_TABLES,
  entries: DEPLOY_ENTRIES,
  operations: DEPLOY_OPERATIONS,
  controllers: [rolloutController],
}
