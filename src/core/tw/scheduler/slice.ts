// oxlint-disable typescript/no-non-null-assertion -- indices are of nodes of the image; a check for each read would double the cost
import { meets } from '../constraint.ts'
import type { GroupSpec } from '../job-spec.ts'
import { xxh32 } from '../../kernel/hash.ts'
import { demandOf, type Demand } from './demand.ts'
import { fragmentationOf, type Fragmentation } from './fragmentation.ts'
import type { FleetImage } from './image.ts'
import { openValues, SpreadCount } from './spread-count.ts'
import { isNode, suitableFor, type Suitable } from './suitable.ts'

/** Where the tasks of a group stand already: a node for each task. */
export interface Standing {
  /** live tasks of the version that is being placed */
  sameVersion: readonly string[]
  /** live tasks that are to stay, of any version */
  group: readonly string[]
  /** tasks whose process may still run, of any version: `distinct` counts them all */
  live: readonly string[]
  /** nodes where tasks of the group failed or were lost within the last hour */
  avoid: ReadonlySet<string>
}

/** The standing once more tasks came to these nodes. */
export function standingWith(standing: Standing, nodes: readonly string[]): Standing {
  const { sameVersion, group, live, avoid } = standing
  return { sameVersion: [...sameVersion, ...nodes], group: [...group, ...nodes], live: [...live, ...nodes], avoid }
}

/** Tasks of one group that want places. */
export interface PlanRequest {
  job: string
  group: GroupSpec
  indexes: readonly number[]
  standing: Standing
}

/** What stays the same, and what is counted, while the tasks of one request are placed. */
export class Slice {
  readonly image: FleetImage
  readonly demand: Demand
  readonly suitable: Suitable
  readonly spreads: SpreadCount[]
  readonly fragmentation: Fragmentation | null
  /** the group's own number: where it starts to look */
  readonly hash: number
  readonly isEvenOverNodes: boolean
  readonly sameOn = new Map<number, number>()
  readonly allOn = new Map<number, number>()
  readonly avoid = new Set<number>()
  readonly constraints: GroupSpec['constraints']
  /** texts of the constraints, in their order */
  readonly texts: string[]
  readonly pool: string
  /** tasks not placed yet */
  wanted: number
  /** nodes that were compared */
  compared = 0
  readonly #liveOn = new Map<number, number>()
  readonly #perNode: number
  readonly #distinct: { max: number; of: Int32Array; counts: Int32Array }[]

  constructor(image: FleetImage, request: PlanRequest) {
    const { group, standing } = request
    this.image = image
    this.constraints = group.constraints
    this.texts = group.constraints.map((it) => it.text)
    this.pool = group.pool ?? 'default'
    this.wanted = request.indexes.length
    this.demand = demandOf(group)
    this.suitable = suitableFor(image, group)
    this.fragmentation = image.devices.length > 0 ? fragmentationOf(image) : null
    this.hash = xxh32(new TextEncoder().encode(`${request.job}/${group.name}/${request.indexes[0] ?? 0}`))
    this.isEvenOverNodes = group.spread.some((spread) => isNode(spread.attribute))
    this.spreads = this.suitable.levels.map(({ spread, values }) => new SpreadCount(spread, values, group.count))
    this.#perNode = Math.min(Infinity, ...group.distinct.filter((it) => isNode(it.attribute)).map((it) => it.max))
    this.#distinct = this.suitable.distinct.map(({ max, values }) => ({
      max,
      of: values.of,
      counts: new Int32Array(values.names.length),
    }))
    const known = new Map<Iterable<string>, number[]>()
    const nodesOf = (names: Iterable<string>): number[] => {
      // Most often they are all the same: who lives, is to stay and is of the version.
      let nodes = known.get(names)
      if (nodes === undefined) known.set(names, (nodes = nodesNamed(image, names)))
      return nodes
    }
    for (const node of nodesOf(standing.sameVersion)) this.#stand(node, true, false)
    for (const node of nodesOf(standing.group)) this.#stand(node, false, true)
    for (const node of nodesOf(standing.live)) this.#live(node)
    for (const node of nodesOf(standing.avoid)) this.avoid.add(node)
    this.suitable.levels.forEach(({ spread, values }, i) => {
      if (spread.isHard && spread.targets === null) this.spreads[i]!.open(openValues(this.suitable.root, values, image.closed))
    })
  }

  canTake(node: number): boolean {
    return this.image.fits(node, this.demand) && this.isDistinct(node)
  }

  /** Whether the node is open and no constraint or pool forbids it, whatever its load. */
  suits(node: number): boolean {
    const { image, suitable } = this
    if (image.closed[node] !== 0 || suitable.failed[image.classOf[node]!] !== -1) return false
    return suitable.byName.every((constraint) => meets(constraint, { name: image.names[node]! }))
  }

  /** Whether one more task there keeps within what the group allows per node, rack and so on. */
  isDistinct(node: number): boolean {
    if (this.#perNode < Infinity && (this.#liveOn.get(node) ?? 0) >= this.#perNode) return false
    for (const { max, of, counts } of this.#distinct) if (counts[of[node]!]! >= max) return false
    return true
  }

  /** The attribute by which one more task on the node would go past a hard spread; null: by none. */
  aheadOf(node: number): string | null {
    const level = this.suitable.levels.findIndex(({ values }, i) => !this.spreads[i]!.allows(values.of[node]!))
    return this.suitable.levels[level]?.values.attribute ?? null
  }

  /** A task comes to the node. */
  place(node: number, devices: number): void {
    this.image.applyTask(node, this.demand, 1, devices)
    this.#stand(node, true, true)
    this.#live(node)
    this.wanted -= 1
  }

  /** Tasks the node could take before it is no better than others. */
  roomOn(node: number): number {
    if (this.isEvenOverNodes) return (this.sameOn.get(node) ?? 0) + (this.allOn.get(node) ?? 0) === 0 ? 1 : 0
    const { cpuMilli, memoryBytes } = this.demand
    const byCpu = Math.floor(this.image.cpuFree[node]! / Math.max(1, cpuMilli))
    const byMemory = Math.floor(this.image.memoryFree[node]! / Math.max(1, memoryBytes))
    return Math.min(byCpu, byMemory, this.#perNode - (this.#liveOn.get(node) ?? 0))
  }

  /** 0–100: how far what is free there is from the shape of what is asked for (cosine; see `facts`, Placement). */
  misfit(node: number): number {
    const { cpuTotal, cpuFree, memoryTotal, memoryFree } = this.image
    const [cpu, memory] = [cpuTotal[node]! || 1, memoryTotal[node]! || 1]
    const [ax, ay] = [this.demand.cpuMilli / cpu, this.demand.memoryBytes / memory]
    const [bx, by] = [cpuFree[node]! / cpu, memoryFree[node]! / memory]
    const length = Math.sqrt((ax * ax + ay * ay) * (bx * bx + by * by))
    return length === 0 ? 100 : 100 - Math.round((100 * (ax * bx + ay * by)) / length)
  }

  /** The same of cpu and GPU, in 0–9999: V100 and P100 nodes strand by their cpu, so memory hardly tells. */
  gpuMisfit(node: number): number {
    const { cpuTotal, cpuFree, gpuCount } = this.image
    const { cpuMilli, gpu } = this.demand
    const [cpu, devices] = [cpuTotal[node]! || 1, gpuCount[node]! * 1000 || 1]
    const [ax, ay] = [cpuMilli / cpu, gpu === null ? 0 : (gpu.count * gpu.milli) / devices]
    const [bx, by] = [cpuFree[node]! / cpu, this.image.freeGpu(node) / devices]
    const length = Math.sqrt((ax * ax + ay * ay) * (bx * bx + by * by))
    return length === 0 ? 9999 : Math.floor(9999 * (1 - (ax * bx + ay * by) / length))
  }

  /** Percent of the cpu that is free. */
  emptiness(node: number): number {
    return Math.round((100 * this.image.cpuFree[node]!) / (this.image.cpuTotal[node]! || 1))
  }

  #stand(node: number, isSame: boolean, isAny: boolean): void {
    for (const count of this.spreads) count.add(node, isSame, isAny)
    if (!this.isEvenOverNodes) return
    if (isSame) this.sameOn.set(node, (this.sameOn.get(node) ?? 0) + 1)
    if (isAny) this.allOn.set(node, (this.allOn.get(node) ?? 0) + 1)
  }

  #live(node: number): void {
    if (this.#perNode < Infinity) this.#liveOn.set(node, (this.#liveOn.get(node) ?? 0) + 1)
    for (const { of, counts } of this.#distinct) counts[of[node]!]! += 1
  }
}

/** Nodes by index; names of none are passed over. */
function nodesNamed(image: FleetImage, names: Iterable<string>): number[] {
  const nodes: number[] = []
  for (const name of names) {
    const node = image.indexOf(name)
    if (node !== undefined) nodes.push(node)
  }
  return nodes
}
