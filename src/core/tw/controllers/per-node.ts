import type { Controller } from '../../contracts/controller.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { groupSized } from '../entries/jobs.ts'
import type { GroupSpec, JobKind } from '../job-spec.ts'
import { armRows, groupRows, groupSpecOf, jobRow, specOf, type JobRow } from '../rows.ts'
import { imageOf } from '../scheduler/fleet.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { suits } from '../scheduler/suitable.ts'
import type { TwSoft } from '../soft.ts'
import { completedTasks, liveOnNode, liveTasks } from '../tasks/read.ts'

/** One task on each eligible node, or once on each: the nodes say how many. */
export function isPerNode(kind: JobKind): boolean {
  return kind === 'system' || kind === 'sysbatch'
}

/** Keeps the counts of `system` and `sysbatch` groups in step with the nodes; everything else sees them as any other group. */
export const perNodeController: Controller<TwSoft> = {
  name: 'tw.per-node',
  wakes: ['tw.Node', 'tw.Drain', 'tw.JobSubmitted', 'tw.RunStarted', 'tw.UpdateTargetSet', 'tw.Task', 'tw.StopTask'],
  decide: (db) => {
    const jobs = db.all<JobRow>("SELECT * FROM tw_job WHERE kind IN ('system', 'sysbatch') AND state = 'running' ORDER BY name")
    if (jobs.length === 0) return { entries: [], wakeAt: null }
    const image = imageOf(db)
    const entries = jobs.flatMap((job) =>
      groupRows(db, job.name).flatMap((group) => {
        const arms = armRows(db, job.name, group.name)
        const primary = arms.find((arm) => arm.arm === 'primary')
        const spec = primary && groupSpecOf(specOf(db, job.name, primary.version), group.name)
        if (!spec) return []
        const others = arms.reduce((sum, arm) => sum + (arm.arm === 'primary' ? 0 : arm.count), 0)
        const count = Math.max(0, nodesFor(db, job, spec, image).count - others)
        return count === primary.count ? [] : [groupSized.of({ job: job.name, group: group.name, count })]
      }),
    )
    return { entries, wakeAt: null }
  },
}

/** How many nodes hold a task of the group, or should, and those whose task is to leave. */
export function nodesFor(
  db: ReadDb,
  job: Pick<JobRow, 'name' | 'kind'>,
  spec: GroupSpec,
  image: FleetImage,
): { count: number; barred: ReadonlySet<string> } {
  const standing = new Set(liveTasks(db, job.name, spec.name).map((task) => task.node))
  const done = new Set(job.kind === 'sysbatch' ? completedTasks(db, job.name, spec.name).map((task) => task.node) : [])
  const isSuited = suits(image, spec)
  const barred = new Set<string>()
  let count = done.size
  for (let place = 0; place < image.size; place += 1) {
    const node = image.order[place] ?? 0
    const name = image.names[node] ?? ''
    const closed = image.closedOf(node)
    if (done.has(name)) continue
    if (closed === null) count += isSuited(node) ? 1 : 0
    if (!standing.has(name)) continue
    const leaves = !isSuited(node) || (closed === 'draining' && job.kind === 'system' && isLast(db, name))
    if (leaves) barred.add(name)
    else if (closed === 'draining' || closed === 'cordoned') count += 1
  }
  return { count, barred }
}

/** On a node that is drained, tasks of system jobs leave once nothing else lives there. */
function isLast(db: ReadDb, node: string): boolean {
  return liveOnNode(db, node).every((task) => jobRow(db, task.job)?.kind === 'system')
}
