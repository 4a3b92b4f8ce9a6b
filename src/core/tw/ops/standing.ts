import type { ReadDb } from '../../contracts/storage.ts'
import type { GroupSpec } from '../job-spec.ts'
import { armRows, groupSpecOf, liveTasks, specOf } from '../rows.ts'
import type { Standing } from './budget.ts'
import { openOps } from './op-row.ts'

/** A group's standing as the tables have it: every task with an open op is leaving. */
export function standingOf(db: ReadDb, job: string, group: string): Standing {
  const arms = armRows(db, job, group).filter((arm) => arm.count > 0)
  const live = liveTasks(db, job, group)
  const specs = new Map<number, GroupSpec>()
  for (const version of new Set([...arms.map((arm) => arm.version), ...live.map((task) => task.version)])) {
    const spec = groupSpecOf(specOf(db, job, version), group)
    if (spec) specs.set(version, spec)
  }
  return { arms, specs, live, leaving: new Set(openOps(db, job, group).map((op) => op.task)) }
}
