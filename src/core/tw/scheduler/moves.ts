import type { GroupSpec } from '../job-spec.ts'
import { demandOf } from './demand.ts'
import { fragmentationOf, type Fragmentation } from './fragmentation.ts'
import type { FleetImage } from './image.ts'
import { planSlice } from './planner.ts'
import type { Standing } from './slice.ts'

/** A task that may move. */
export interface Movable {
  id: number
  job: string
  grp: string
  idx: number
  group: GroupSpec
  /** mask of the GPUs it holds */
  devices: number
  /** of its group, itself among it: its replacement comes before it goes */
  standing: Standing
}

export interface Move {
  task: Movable
  from: string
  to: string
  /** mask of the GPUs it would get there */
  devices: number
  /** see {@link Usability} */
  gain: number
}

export interface MoveLimits {
  movesMax: number
  /** a move that gains less is not worth its restart; thousandths of a core, see {@link Usability} */
  gainMin: number
}

/** Bounds of one plan, which holds others up while it is made. */
const NODES_MAX = 200
const TRIED_MAX = 1000

/**
 * Moves that make more of the free capacity usable, the worst nodes first. Where a task would go is what the planner would
 * choose for it now, so a move is proposed only when that is another node and the sum over both nodes is a gain. Leaves the
 * image as it was.
 * @param tasksOn tasks of a node, by its index, that may move
 */
export function planMoves(image: FleetImage, limits: MoveLimits, tasksOn: (node: number) => readonly Movable[]): Move[] {
  const usability = new Usability(image)
  return image.attempt(() => {
    const moves: Move[] = []
    let tried = 0
    for (const node of usability.worstNodes(NODES_MAX)) {
      for (const task of tasksOn(node)) {
        if (moves.length >= limits.movesMax || tried >= TRIED_MAX) return moves
        tried += 1
        const move = tryMove(image, usability, node, task, limits.gainMin)
        if (move !== null) moves.push(move)
      }
    }
    return moves
  })
}

function tryMove(image: FleetImage, usability: Usability, from: number, task: Movable, gainMin: number): Move | null {
  const demand = demandOf(task.group)
  // Nothing it leaves behind could be worth the move.
  if (usability.of(from) < gainMin) return null
  const placed = planSlice(image, {
    job: task.job,
    group: { ...task.group, isAllOrNothing: false },
    indexes: [task.idx],
    standing: task.standing,
  })
  const [to] = placed.nodes
  if (to === undefined) return null
  if (to === from) {
    placed.undo()
    return null
  }
  const [devices = 0] = placed.devices
  const after = usability.of(to)
  const left = usability.of(from)
  image.applyTask(to, demand, -1, devices)
  const before = usability.of(to)
  image.applyTask(to, demand, 1, devices)
  image.applyTask(from, demand, -1, task.devices)
  const gain = before + left - after - usability.of(from)
  if (gain >= gainMin) return { task, from: image.names[from] ?? '', to: image.names[to] ?? '', devices, gain }
  image.applyTask(from, demand, 1, task.devices)
  placed.undo()
  return null
}

/**
 * How much of a node's free capacity nobody can use, in thousandths of a core. With GPUs: those the usual requests cannot
 * use, each worth the fleet's cores per GPU. Without: cpu or memory by which one is used up before the other for the mean task.
 */
export class Usability {
  readonly #image: FleetImage
  readonly #fragmentation: Fragmentation | null
  readonly #mean: { cpuMilli: number; memoryBytes: number }
  readonly #cpuPerGpu: number

  constructor(image: FleetImage) {
    this.#image = image
    this.#fragmentation = image.devices.length > 0 ? fragmentationOf(image) : null
    let [cpuUsed, memoryUsed, tasks, cpu, gpus] = [0, 0, 0, 0, 0]
    for (const node of this.#nodes()) {
      cpuUsed += (image.cpuTotal[node] ?? 0) - (image.cpuFree[node] ?? 0)
      memoryUsed += (image.memoryTotal[node] ?? 0) - (image.memoryFree[node] ?? 0)
      tasks += image.tasks[node] ?? 0
      if ((image.gpuCount[node] ?? 0) > 0) cpu += image.cpuTotal[node] ?? 0
      gpus += image.gpuCount[node] ?? 0
    }
    this.#mean = { cpuMilli: Math.max(1, cpuUsed / Math.max(1, tasks)), memoryBytes: Math.max(1, memoryUsed / Math.max(1, tasks)) }
    this.#cpuPerGpu = gpus === 0 ? 0 : cpu / gpus
  }

  of(node: number): number {
    const image = this.#image
    if (this.#fragmentation !== null && (image.gpuCount[node] ?? 0) > 0)
      return Math.round((this.#fragmentation.of(node) / 1000) * this.#cpuPerGpu)
    const byCpu = (image.cpuFree[node] ?? 0) / this.#mean.cpuMilli
    const byMemory = (image.memoryFree[node] ?? 0) / this.#mean.memoryBytes
    return Math.round(Math.abs(byCpu - byMemory) * this.#mean.cpuMilli)
  }

  /** Open nodes with tasks, those of which least is usable first; of equals by name. */
  worstNodes(count: number): number[] {
    return this.#nodes()
      .filter((node) => (this.#image.tasks[node] ?? 0) > 0)
      .map((node) => ({ node, unusable: this.of(node) }))
      .sort((a, b) => b.unusable - a.unusable)
      .slice(0, count)
      .map(({ node }) => node)
  }

  #nodes(): number[] {
    const image = this.#image
    return Array.from(image.order.subarray(0, image.size)).filter((node) => image.closed[node] === 0)
  }
}
