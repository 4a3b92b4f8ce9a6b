import { ENTITLEMENT_ENTRIES } from './entitlements/entries.ts'
import { ADMISSION_ENTRIES } from './entries/admission.ts'
import { DEFRAG_ENTRIES } from './entries/defrag.ts'
import { DRAIN_ENTRIES } from './entries/drains.ts'
import { JOB_ENTRIES } from './entries/jobs.ts'
import { MESH_ENTRIES } from './entries/mesh.ts'
import { NODE_ENTRIES } from './entries/nodes.ts'
import { MAINTENANCE_ENTRIES } from './entries/maintenance.ts'
import { OP_ENTRIES } from './entries/ops.ts'
import { SETTINGS_ENTRIES } from './entries/settings.ts'
import { RUN_ENTRIES } from './entries/runs.ts'
import { TASK_ENTRIES } from './entries/tasks.ts'
import { PROFILE_ENTRIES } from './entries/profiles.ts'
import { UPGRADE_ENTRIES } from './entries/upgrades.ts'
import { UPDATE_ENTRIES } from './entries/updates.ts'

/** Every entry of tw, in the order a job lives through them. What each changes is in `entries/`. */
export const TW_ENTRIES = [
  ...NODE_ENTRIES,
  ...DRAIN_ENTRIES,
  ...ADMISSION_ENTRIES,
  ...JOB_ENTRIES,
  ...RUN_ENTRIES,
  ...UPDATE_ENTRIES,
  ...TASK_ENTRIES,
  ...OP_ENTRIES,
  ...MAINTENANCE_ENTRIES,
  ...DEFRAG_ENTRIES,
  ...SETTINGS_ENTRIES,
  ...MESH_ENTRIES,
  ...ENTITLEMENT_ENTRIES,
  ...UPGRADE_ENTRIES,
  ...PROFILE_ENTRIES,
] as const
