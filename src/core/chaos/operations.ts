/** What can be asked of chaos. Each operation is defined beside its kind in `operations/`. */
import type { Operation } from '../contracts/operation.ts'
import { catalogueGet, environmentSet, experimentLint, haltClear, haltGet, haltSet } from './operations/halt.ts'
import { runEvidence, runGet, runList, runPlan, runStart, runStop } from './operations/run.ts'

export { catalogueGet, environmentSet, experimentLint, haltClear, haltGet, haltSet } from './operations/halt.ts'
export { runEvidence, runGet, runList, runPlan, runStart, runStop } from './operations/run.ts'

export const CHAOS_OPERATIONS = [
  runPlan,
  runStart,
  runStop,
  runGet,
  runList,
  runEvidence,
  haltSet,
  haltClear,
  haltGet,
  environmentSet,
  experimentLint,
  catalogueGet,
] as unknown as readonly Operation[]
