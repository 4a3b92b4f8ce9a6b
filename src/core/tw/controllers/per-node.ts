import type { Controller } from '../../contracts/controller.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { groupSized } from '../entries/jobs.ts'
import type { GroupSpec } from '../job-spec.ts'
import { armRows, groupRows, groupSpecOf, specOf, type JobRow, type TaskRow } from '../rows.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { suitableFor, suits } from '../scheduler/suitable.ts'
import { plannersImage, type TwSoft } from '../soft.ts'
import { completedTasks, liveOnNode } from '../tasks/read.ts'
import { fleetFacts, type FleetFacts } from './group-view.ts'

/** While nodes are cordoned or drained it looks again so soon. */
const LOOK_MS = 1000

/** Keeps the counts of `system` and `sysbatch` groups in step with the nodes; everything else sees them as any other group. */
export const perNodeController: Controller<TwSoft> = {
  name: 'tw.per-node',
  wakes: [
    'tw.Node',
    'tw.DomainLost',
    'tw.Drain',
    'tw.Profile',
    'tw.JobSubmitted',
    'tw.RunStarted',
    'tw.UpdateTargetSet',
    'tw.StopTask',
    'tw.Op',
  ],
  decide: (db, now, soft) => {
    const jobs = db.all<JobRow>("SELECT * FROM tw_job WHERE kind IN ('system', 'sysbatch') AND state = 'running' ORDER BY name")
    if (jobs.length === 0) return { entries: [], wakeAt: null }
    const facts = fleetFacts(db, plannersImage(db, soft))
    const entries = jobs.flatMap((job) =>
      groupRows(db, job.name).flatMap((group) => {
        const arms = armRows(db, job.name, group.name)
        const primary = arms.find((arm) => arm.arm === 'primary')
        const spec = primary && groupSpecOf(specOf(db, job.name, primary.version), group.name)
        if (!spec) return []
        const others = arms.reduce((sum, arm) => sum + (arm.arm === 'primary' ? 0 : arm.count), 0)
        const count = Math.max(0, nodesFor(db, job, spec, facts) - others)
        return count === primary.count ? [] : [groupSized.of({ job: job.name, group: group.name, count })]
      }),
    )
    // What still runs on closed nodes ends by and by, without an entry that would say so here.
    return { entries, wakeAt: hasClosed(facts.image) ? now + LOOK_MS : null }
  },
}

function hasClosed(image: FleetImage): boolean {
  for (let place = 0; place < image.size; place += 1) {
    const closed = image.closedOf(image.order[place] ?? 0)
    if (closed !== null && closed !== 'lost') return true
  }
  return false
}

/**
 * How many nodes hold a task of the group, held it to its end, or should hold one. All that suit are counted once for each change of the
 * fleet; looked at are those that are closed.
 */
export function nodesFor(db: ReadDb, job: Pick<JobRow, 'name' | 'kind'>, spec: GroupSpec, { image, draining }: FleetFacts): number {
  const done = new Set(job.kind === 'sysbatch' ? completedTasks(db, job.name, spec.name).map((task) => task.node) : [])
  const isSuited = suits(image, spec)
  let count = suitableFor(image, spec).size
  for (const name of done) if (!isSuited(image.indexOf(name) ?? -1)) count += 1
  for (let place = 0; place < image.size; place += 1) {
    const node = image.order[place] ?? 0
    const closed = image.closedOf(node)
    if (closed === null || !isSuited(node)) continue
    const name = image.names[node] ?? ''
    if (done.has(name)) continue
    // A closed node gets no new task; the one that is there stays until its drain takes it, as the last one there.
    const drain = draining.get(name)
    const isLeaving = drain !== undefined && !drain.ignores_system && !drain.hasOthers
    if (closed === 'lost' || isLeaving || !holds(db, name, job.name, spec.name)) count -= 1
  }
  return count
}

function holds(db: ReadDb, node: string, job: string, group: string): boolean {
  return liveOnNode(db, node).some((task) => task.job === job && task.grp === group && task.want === 'run')
}

/** Nodes whose task is to leave since they no longer suit the group. */
export function barredNodes(live: readonly Pick<TaskRow, 'node'>[], spec: GroupSpec, image: FleetImage): Set<string> {
  const isSuited = suits(image, spec)
  const nodes = new Set(live.map((task) => task.node))
  return new Set([...nodes].filter((name) => !isSuited(image.indexOf(name) ?? -1)))
}
