import type { ReadDb } from '../../contracts/storage.ts'
import { armRows, groupRows, groupSpecOf, isReady, jobRow, specOf, type Arm, type JobRow, type TaskRow } from '../rows.ts'
import { liveTasks } from '../tasks/read.ts'
import { tallyOf } from '../tasks/tally.ts'

export interface JobStatus {
  job: string
  kind: JobRow['kind']
  state: JobRow['state']
  currentVersion: number
  lastVersion: number
  owner: string | null
  groups: GroupStatus[]
}

export interface GroupStatus {
  group: string
  /** its first service, or null */
  service: string | null
  /** wanted by the job itself, without canaries and surge */
  count: number
  arms: ArmStatus[]
  /** live tasks of versions no arm wants: being replaced or stopped */
  leftover: number
}

export interface ArmStatus {
  arm: Arm
  version: number
  wanted: number
  /** live tasks of the version that are not stopping */
  placed: number
  running: number
  /** running, and healthy or without a check */
  healthy: number
  /** since when `wanted` tasks are healthy without a break, log time; null: they are not */
  allHealthySinceMs: number | null
  /** restarts by agents, of the tasks placed now */
  restarts: number
  /** tasks of the version that ran to their end, as far as they are still known */
  complete: number
}

/** What a job wants and has, per group and arm; null when there is no such job. */
export function jobStatus(db: ReadDb, name: string): JobStatus | null {
  const job = jobRow(db, name)
  if (!job) return null
  const spec = specOf(db, name, job.current_version)
  const groups = groupRows(db, name).flatMap((group): GroupStatus[] => {
    const arms = armRows(db, name, group.name)
    const live = liveTasks(db, name, group.name)
    if (arms.length === 0 && live.length === 0) return []
    const active = live.filter((task) => task.want === 'run')
    const versions = new Set(arms.map((arm) => arm.version))
    const completeOf = new Map(tallyOf(db, name, group.name).map(({ version, complete }) => [version, complete]))
    return [
      {
        group: group.name,
        service: groupSpecOf(spec, group.name)?.services[0]?.name ?? null,
        count: group.count,
        arms: arms.map((arm) => ({
          arm: arm.arm,
          version: arm.version,
          wanted: arm.count,
          ...counts(
            active.filter((task) => task.version === arm.version),
            arm.count,
          ),
          complete: completeOf.get(arm.version) ?? 0,
        })),
        leftover: live.filter((task) => !versions.has(task.version) || task.want === 'stop').length,
      },
    ]
  })
  return {
    job: name,
    kind: job.kind,
    state: job.state,
    currentVersion: job.current_version,
    lastVersion: job.last_version,
    owner: job.owner,
    groups,
  }
}

function counts(tasks: readonly TaskRow[], wanted: number): Omit<ArmStatus, 'arm' | 'version' | 'wanted' | 'complete'> {
  const healthySince = tasks
    .filter(isReady)
    .flatMap((task) => task.healthy_since ?? [])
    .sort((a, b) => a - b)
  return {
    placed: tasks.length,
    running: tasks.filter((task) => task.state === 'running').length,
    healthy: tasks.filter(isReady).length,
    allHealthySinceMs: wanted > 0 && healthySince.length >= wanted ? (healthySince[wanted - 1] ?? null) : null,
    restarts: tasks.reduce((sum, task) => sum + task.restarts, 0),
  }
}
