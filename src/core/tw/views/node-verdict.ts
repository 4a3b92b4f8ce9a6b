import type { ReadDb } from '../../contracts/storage.ts'
import { waitingReasons } from '../controllers/waiting.ts'
import type { GroupSpec } from '../job-spec.ts'
import { taskName } from '../rows.ts'
import { refusalOf } from '../scheduler/filters.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { Slice } from '../scheduler/slice.ts'
import { liveTasks } from '../tasks/read.ts'
import type { GroupPlan } from './job-plan.ts'

/**
 * Why one given node does not take one more task of the group, in words; null when it would.
 * @param live a node for each task of the group that stands already
 */
export function refusalBy(image: FleetImage, job: string, group: GroupSpec, live: readonly string[], node: string): string | null {
  const index = image.indexOf(node)
  if (index === undefined) return `there is no node ${node}`
  const standing = { sameVersion: [], group: live, live, avoid: new Set<string>() }
  return refusalOf(image, new Slice(image, { job, group, indexes: [], standing }), index)
}

/** What the node has left: `700m cpu and 512 MiB are free`. */
export function leftText(image: FleetImage, node: string): string {
  const index = image.indexOf(node) ?? 0
  return `${image.cpuFree[index] ?? 0}m cpu and ${Math.floor((image.memoryFree[index] ?? 0) / 1_048_576)} MiB are free`
}

/** Of a plan that the image has already: what the node is given of the group, or why nothing. */
export function plannedOn(db: ReadDb, image: FleetImage, job: string, { group, decision }: GroupPlan, node: string): string {
  const places = decision.place.flatMap(({ tasks }) => tasks)
  const given = places.filter((place) => place.node === node).map(({ index }) => taskName({ job, grp: group.name, idx: index }))
  if (given.length > 0) return `${node} is given ${given.join(', ')}`
  if (places.length === 0 && waitingReasons(decision).length === 0) return `${node} is given nothing: no task is started now`
  const live = [...liveTasks(db, job, group.name), ...places].map((task) => task.node)
  return (
    refusalBy(image, job, group, live, node) ??
    `${node} could take one (${leftText(image, node)}), and others come first by spread, affinity or load`
  )
}
