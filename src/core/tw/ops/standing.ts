import type { ReadDb } from '../../contracts/storage.ts'
import type { GroupSpec } from '../job-spec.ts'
import { armRows, groupSpecOf, specOf, type ArmRow } from '../rows.ts'
import { liveGroupTasks } from '../tasks/read.ts'
import type { Standing } from './budget.ts'
import { openOps, type OpRow } from './op-row.ts'

/** A group's standing as the tables have it, with the arms that want tasks and the ops that have not ended: their tasks are leaving. */
export function standingOf(db: ReadDb, job: string, group: string): Standing & { arms: ArmRow[]; ops: OpRow[] } {
  const arms = armRows(db, job, group).filter((arm) => arm.count > 0)
  const live = liveGroupTasks(db, job, group)
  const specs = new Map<number, GroupSpec>()
  for (const version of new Set([...arms.map((arm) => arm.version), ...live.map((task) => task.version)])) {
    const spec = groupSpecOf(specOf(db, job, version), group)
    if (spec) specs.set(version, spec)
  }
  const ops = openOps(db, job, group)
  return { arms, specs, live, ops, leaving: new Set(ops.map((op) => op.task)) }
}
