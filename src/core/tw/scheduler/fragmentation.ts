// oxlint-disable typescript/no-non-null-assertion -- indices are of nodes and devices of the image; a check for each read would double the cost
import type { Demand, GpuDemand } from './demand.ts'
import type { FleetImage, Shape } from './image.ts'

/** Shapes are looked at until so many of a hundred requests are of one of them. */
const COVERED_PERCENT = 95
/** Weights in these steps, so that one more task seldom changes them. */
const WEIGHT_STEPS = 256

interface Weighed {
  demand: Demand & { gpu: GpuDemand }
  models: number
  weight: number
}

/**
 * How much free GPU the usual requests could not use, and what a task would add to it (Weng et al., Beware of Fragmentation,
 * USENIX ATC 2023, with linear steps). That alone sees too late where cpu runs out before the GPUs, as on nodes with few cores to a GPU: as long
 * as one more request fits, all is usable. So the free GPU that the free cpu will not feed, by what the usual requests take of both, counts
 * beside it. Remembers per node and shape until the node's load changes.
 */
export class Fragmentation {
  readonly #image: FleetImage
  readonly #shapes: Weighed[]
  /** thousandths of a core that the usual requests take beside one thousandth of a GPU */
  readonly #cpuPerGpu: number
  /** per shape of the task that is placed: added fragmentation of each node, and the change it was computed at */
  readonly #added = new Map<string, { value: Float64Array; at: Int32Array }>()
  readonly #now = { value: new Float64Array(0), at: new Int32Array(0) }

  constructor(image: FleetImage, shapes: readonly { demand: Shape['demand']; weight: number }[]) {
    this.#image = image
    this.#shapes = shapes.map(({ demand, weight }) => ({ demand, weight, models: image.modelSet(demand.gpu.models) }))
    let [gpu, cpu] = [0, 0]
    for (const { demand, weight } of shapes) {
      gpu += weight * demand.gpu.count * demand.gpu.milli
      cpu += weight * demand.cpuMilli
    }
    this.#cpuPerGpu = cpu / gpu
  }

  /** Added fragmentation, in thousandths of a GPU, when a task of the demand comes to the node. */
  added(node: number, demand: Demand, memo: FragmentationMemo): number {
    const { changes } = this.#image
    if (memo.at[node] === changes[node]! + 1) return memo.value[node]!
    const devices = demand.gpu === null ? 0 : this.#image.chooseDevices(node, demand.gpu)
    const value = this.#unusable(node, demand, devices) - this.of(node)
    memo.at[node] = changes[node]! + 1
    memo.value[node] = value
    return value
  }

  /** Where {@link added} remembers, for tasks of one demand. */
  memoOf(demand: Demand): FragmentationMemo {
    const { gpu } = demand
    const key = `${demand.cpuMilli}/${demand.memoryBytes}/${gpu === null ? '' : `${gpu.count}x${gpu.milli}/${gpu.models.join()}`}`
    let memo = this.#added.get(key)
    if (memo === undefined || memo.at.length < this.#image.names.length) {
      const capacity = this.#image.changes.length
      memo = { value: new Float64Array(capacity), at: new Int32Array(capacity) }
      this.#added.set(key, memo)
    }
    return memo
  }

  /** Free GPU of the node, in thousandths, that the usual requests could not use. */
  of(node: number): number {
    const { changes } = this.#image
    if (this.#now.at.length < changes.length) {
      this.#now.value = new Float64Array(changes.length)
      this.#now.at = new Int32Array(changes.length)
    }
    if (this.#now.at[node] !== changes[node]! + 1) {
      this.#now.value[node] = this.#unusable(node, null, 0)
      this.#now.at[node] = changes[node]! + 1
    }
    return this.#now.value[node]!
  }

  /** Mean over the shapes of the free GPU each could not use, were `taken` on the node, and what its free cpu would not feed. */
  #unusable(node: number, taken: Demand | null, mask: number): number {
    const image = this.#image
    const { free, model } = image.devices
    const at = image.gpuAt[node]!
    const count = image.gpuCount[node]!
    const cpuFree = image.cpuFree[node]! - (taken?.cpuMilli ?? 0)
    const memoryFree = image.memoryFree[node]! - (taken?.memoryBytes ?? 0)
    const milli = taken?.gpu?.milli ?? 0
    let total = 0
    for (let i = 0; i < count; i += 1) total += free[at + i]! - ((mask >> i) & 1) * milli
    let sum = 0
    for (const { demand, models, weight } of this.#shapes) {
      const need = demand.gpu.milli
      let enough = 0
      let wasted = 0
      for (let i = 0; i < count; i += 1) {
        const left = free[at + i]! - ((mask >> i) & 1) * milli
        if (left >= need && (models >> model[at + i]!) & 1) enough += 1
        else wasted += left
      }
      const isUsable = enough >= demand.gpu.count && demand.cpuMilli <= cpuFree && demand.memoryBytes <= memoryFree
      sum += weight * (isUsable ? wasted : total)
    }
    return sum + (this.#cpuPerGpu === 0 ? 0 : Math.max(0, total - cpuFree / this.#cpuPerGpu))
  }
}

export interface FragmentationMemo {
  value: Float64Array
  /** 1 + the change number of the node at that time */
  at: Int32Array
}

/** The fleet's fragmentation by the tasks that hold GPUs now; null while none does. */
export function fragmentationOf(image: FleetImage): Fragmentation | null {
  const shapes = usualShapes([...image.shapes.values()])
  const key = shapes.map((it) => `${it.key}:${it.weight}`).join()
  if (shapes.length === 0) return null
  const known = image.fragmentation
  if (known?.key === key) return known.it
  const it = new Fragmentation(image, shapes)
  image.fragmentation = { key, it }
  return it
}

/** The most frequent shapes, each with its share of the requests. */
export function usualShapes(shapes: readonly Shape[]): (Shape & { weight: number })[] {
  const total = shapes.reduce((sum, shape) => sum + shape.count, 0)
  const usual: (Shape & { weight: number })[] = []
  let covered = 0
  for (const shape of [...shapes].sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1))) {
    if (covered * 100 >= total * COVERED_PERCENT) break
    covered += shape.count
    const weight = Math.round((shape.count * WEIGHT_STEPS) / total) / WEIGHT_STEPS
    if (weight > 0) usual.push({ ...shape, weight })
  }
  return usual
}
