import type { Demand } from './demand.ts'
import type { FleetImage } from './image.ts'
import { Slice, type PlanRequest } from './slice.ts'

/** A live task that may have to make room. */
export interface Victim {
  id: number
  job: string
  grp: string
  idx: number
  priority: number
  isBestEffort: boolean
  demand: Demand
  /** mask of the GPUs it holds */
  devices: number
}

/** Room for one task: the node, and who must go from it. */
export interface Preemption {
  index: number
  node: string
  victims: Victim[]
}

/** Priority points a victim must be below. */
export const PREEMPT_POINTS = 10
/** Nodes whose tasks are looked at for one task. */
const NODES_MAX = 256
/** Tasks that get room by preemption in one plan. */
const TASKS_MAX = 50

/**
 * Who must go so that tasks without a place get one. Of the nodes where least is short, the one with the smallest set of
 * victims: best-effort ones before others, then fewer, then of lower priority. Leaves the image as it was.
 * @param victimsOn tasks of a node (by its index) that may be preempted for this request
 */
export function preempt(image: FleetImage, request: PlanRequest, victimsOn: (node: number) => readonly Victim[]): Preemption[] {
  return image.attempt(() => {
    const slice = new Slice(image, request)
    const found: Preemption[] = []
    for (const index of request.indexes.slice(0, TASKS_MAX)) {
      const gone = new Set(found.flatMap(({ victims }) => victims.map(({ id }) => id)))
      const best = bestOf(image, slice, (node) => victimsOn(node).filter(({ id }) => !gone.has(id)))
      // They are all alike: where one finds no room, the next finds none.
      if (best === null) break
      for (const victim of best.victims) image.applyTask(best.node, victim.demand, -1, victim.devices)
      slice.place(best.node, slice.demand.gpu === null ? 0 : image.chooseDevices(best.node, slice.demand.gpu))
      found.push({ index, node: image.names[best.node] ?? '', victims: best.victims })
    }
    return found
  })
}

interface Room {
  node: number
  victims: Victim[]
}

function bestOf(image: FleetImage, slice: Slice, victimsOn: (node: number) => readonly Victim[]): Room | null {
  let best: Room | null = null
  for (const node of nearestNodes(image, slice)) {
    const victims = smallestSet(image, slice, node, victimsOn(node))
    if (victims !== null && (best === null || isLess(costOf(victims), costOf(best.victims)))) best = { node, victims }
  }
  return best
}

/** Suitable nodes by how little they are short of, in shares of what they have; of equals by name. */
function nearestNodes(image: FleetImage, slice: Slice): number[] {
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

/** The cheapest set of victims whose going makes room; null: not even all of them would. */
function smallestSet(image: FleetImage, slice: Slice, node: number, candidates: readonly Victim[]): Victim[] | null {
  const ordered = candidates.toSorted((a, b) => rankOf(a) - rankOf(b) || sizeOf(slice, b) - sizeOf(slice, a) || a.id - b.id)
  const isEnough = (victims: readonly Victim[]): boolean => {
    for (const victim of victims) image.applyTask(node, victim.demand, -1, victim.devices)
    const fits = image.fits(node, slice.demand)
    for (const victim of victims) image.applyTask(node, victim.demand, 1, victim.devices)
    return fits
  }
  if (isEnough([])) return []
  const bestEffort = ordered.filter((victim) => victim.isBestEffort)
  const pool = isEnough(bestEffort) ? bestEffort : isEnough(ordered) ? ordered : null
  if (pool === null) return null
  const single = pool.find((victim) => isEnough([victim]))
  if (single !== undefined) return [single]
  // As few as needed from the front, then none that turns out not to be needed.
  const chosen: Victim[] = []
  for (const victim of pool) {
    if (isEnough(chosen)) break
    chosen.push(victim)
  }
  for (const victim of chosen.toReversed()) {
    const without = chosen.filter((it) => it !== victim)
    if (isEnough(without)) chosen.splice(chosen.indexOf(victim), 1)
  }
  return chosen
}

const rankOf = (victim: Victim): number => (victim.isBestEffort ? 0 : victim.priority)

/** How much of what is asked for its going gives, of every dimension together. */
function sizeOf(slice: Slice, { demand }: Victim): number {
  const part = (has: number, wanted: number): number => (wanted === 0 ? 0 : Math.min(1, has / wanted))
  return part(demand.cpuMilli, slice.demand.cpuMilli) + part(demand.memoryBytes, slice.demand.memoryBytes)
}

function costOf(victims: readonly Victim[]): number[] {
  const others = victims.filter((victim) => !victim.isBestEffort)
  return [others.length, victims.length, Math.max(0, ...others.map(({ priority }) => priority))]
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i])
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0)
}
