import type { ReadDb } from '../../contracts/storage.ts'
import type { GroupSpec } from '../job-spec.ts'
import { armRows, isReady } from '../rows.ts'
import { completedTasks, liveTasks } from '../tasks/read.ts'

/** What a group's first tasks of a version still wait for, as sentences; empty: nothing. Groups of the job, as `after` names them. */
export function unmetAfter(db: ReadDb, job: string, spec: Pick<GroupSpec, 'after'>, version: number): string[] {
  return spec.after.flatMap(({ group, until }) => {
    const wanted = armRows(db, job, group).find((arm) => arm.version === version)?.count ?? 0
    const complete = new Set(
      completedTasks(db, job, group)
        .filter((task) => task.version === version)
        .map((task) => task.idx),
    ).size
    const live = liveTasks(db, job, group).filter((task) => task.version === version && task.want === 'run')
    const reached =
      complete + (until === 'completed' ? 0 : live.filter(until === 'healthy' ? isReady : (task) => task.state === 'running').length)
    return reached >= wanted && wanted > 0 ? [] : [`waits until ${group} is ${until}: ${reached} of ${wanted} tasks are`]
  })
}
