import type { Demand } from './demand.ts'
import type { FleetImage } from './image.ts'
import { nearestNodes } from './nearest-nodes.ts'
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
