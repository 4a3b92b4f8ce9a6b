import type { GroupSpec } from '../job-spec.ts'
import { refusalOf } from '../scheduler/filters.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { Slice } from '../scheduler/slice.ts'

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

/** Of a plan whose tasks the image has already: what the node is given of the group, or why nothing. */
export function plannedOn(
  image: FleetImage,
  job: string,
  group: GroupSpec,
  plan: { live: readonly string[]; places: readonly { task: string; node: string }[]; unplaced: number },
  node: string,
): string {
  const given = plan.places.filter((place) => place.node === node).map(({ task }) => task)
  if (given.length > 0) return `${node} is given ${given.join(', ')}`
  if (plan.places.length + plan.unplaced === 0) return `${node} is given nothing: no task is started now`
  const live = [...plan.live, ...plan.places.map((place) => place.node)]
  return (
    refusalBy(image, job, group, live, node) ??
    `${node} could take one (${leftText(image, node)}), and others come first by spread, affinity or load`
  )
}
