import type { Demand } from './demand.ts'
import type { FleetImage } from './image.ts'
import type { Slice } from './slice.ts'

/** Nodes whose tasks are looked at for one task that has no place. */
const NODES_MAX = 256

/** Suitable nodes by how little they are short of, in shares of what they have; of equals by name. */
export function nearestNodes(image: FleetImage, slice: Slice): number[] {
  const near: { node: number; short: number }[] = []
  let worst = Infinity
  for (let place = 0; place < image.size; place += 1) {
    const node = image.order[place] ?? 0
    if (!slice.suits(node) || !slice.isDistinct(node) || slice.aheadOf(node) !== null) continue
    const short = shortageOf(image, slice.demand, node)
    if (short > 1 || short >= worst) continue
    near.push({ node, short })
    if (near.length < 2 * NODES_MAX) continue
    near.sort((a, b) => a.short - b.short)
    near.length = NODES_MAX
    worst = near[NODES_MAX - 1]?.short ?? Infinity
  }
  return near
    .sort((a, b) => a.short - b.short)
    .slice(0, NODES_MAX)
    .map(({ node }) => node)
}

/** The largest share of a dimension that is missing; over 1: it could never hold the task. */
function shortageOf(image: FleetImage, demand: Demand, node: number): number {
  const share = (want: number, free: number, total: number): number => (want > total ? 2 : want > free ? (want - free) / total : 0)
  const gpus = demand.gpu === null ? null : image.countDevices(node, demand.gpu)
  return Math.max(
    share(demand.cpuMilli, image.cpuFree[node] ?? 0, image.cpuTotal[node] ?? 0),
    share(demand.memoryBytes, image.memoryFree[node] ?? 0, image.memoryTotal[node] ?? 0),
    share(demand.diskBytes, image.diskFree[node] ?? 0, image.diskTotal[node] ?? 0),
    gpus === null ? 0 : share(demand.gpu?.count ?? 0, gpus.free, gpus.all),
  )
}
