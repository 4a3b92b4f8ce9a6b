// oxlint-disable typescript/no-non-null-assertion -- indices are of nodes of the image; a check for each read would double the cost
import { CLOSING, type ClosingCondition } from '../nodes/conditions.ts'
import { GPUS_MAX } from '../../contracts/node.ts'
import type { Demand, GpuDemand } from './demand.ts'
import { freeDevices, maskOf, type Devices } from './devices.ts'
import type { Fragmentation } from './fragmentation.ts'
import type { Suitable } from './suitable.ts'

/** Why a node takes nothing now. */
export type Closed = 'lost' | 'draining' | 'cordoned' | ClosingCondition
const CLOSED: readonly (Closed | null)[] = [null, 'lost', 'draining', 'cordoned', ...CLOSING]

/** A node as the state knows it, without its load. */
export interface NodeFacts {
  name: string
  /** nodes that share one also share its static ports */
  address: string
  /** what constraints and spreads look at: `region zone rack`, the agent's attributes, `meta.KEY` labels; not the name */
  attributes: Readonly<Record<string, string>>
  closed: Closed | null
  cpuMilli: number
  memoryBytes: number
  diskBytes: number
  /** devices in their order */
  gpus: readonly { model: string; count: number }[]
}

/** Nodes that no constraint can tell apart, but by name. */
export interface NodeClass {
  attributes: Readonly<Record<string, string>>
  /** how many nodes are in it */
  size: number
}

/** GPU requests of the tasks that hold devices now: how often each shape is asked for. */
export interface Shape {
  key: string
  demand: Demand & { gpu: GpuDemand }
  count: number
}

/** A set of models is a mask of so many bits. GPUs of further models are one more, which only those get that name no model. */
const MODELS_MAX = 31

/**
 * The planner's picture of the fleet in typed arrays: what each node has and has free, which class it is of, whether it is
 * closed. Kept by events: {@link setNode}, {@link dropNode}, {@link applyTask}; the cost of a change does not depend on
 * the size of the fleet. A plan reads nothing else, so the same image and request give the same plan, whatever the order
 * in which the nodes came.
 */
export class FleetImage {
  /** nodes by index, in the order they came; an index stays with its name */
  readonly names: string[] = []
  readonly classes: NodeClass[] = []
  /** indexes in the order of names */
  order = new Int32Array(0)
  /** node → its place in {@link order} */
  rank = new Int32Array(0)
  classOf = new Int32Array(0)
  /** 0: open; else why not, see {@link closedOf} */
  closed = new Uint8Array(0)
  cpuTotal = new Int32Array(0)
  cpuFree = new Int32Array(0)
  /** memory and disk in bytes, exactly as the state counts them */
  memoryTotal = new Float64Array(0)
  memoryFree = new Float64Array(0)
  diskTotal = new Float64Array(0)
  diskFree = new Float64Array(0)
  tasks = new Int32Array(0)
  /** what placements in the log call the node: its id in the state; 0: not told yet */
  id = new Int32Array(0)
  /** the devices of node i are `gpuAt[i]` … `gpuAt[i] + gpuCount[i] − 1` in {@link devices} */
  gpuAt = new Int32Array(0)
  gpuCount = new Uint8Array(0)
  /** grows with each change of the node's load: what was computed of it is then out of date */
  changes = new Int32Array(0)
  readonly devices: Devices = { free: new Uint16Array(0), model: new Uint8Array(0), length: 0 }
  readonly models: string[] = []
  readonly shapes = new Map<string, Shape>()
  /** what is known of the fleet's fragmentation by {@link shapes}, see `fragmentation.ts` */
  fragmentation: { key: string; it: Fragmentation } | null = null
  /** grows when a node comes, goes or changes its class: lists of suitable nodes are then out of date */
  revision = 0
  /** lists of suitable nodes by what was asked for, see `suitable.ts` */
  readonly suitable = new Map<string, Suitable>()

  readonly #index = new Map<string, number>()
  readonly #ofId = new Map<number, number>()
  readonly #classIds = new Map<string, number>()
  readonly #addresses = new Map<string, number>()
  #addressOf = new Int32Array(0)
  /** address → its static ports that are held */
  readonly #ports = new Map<number, Set<number>>()
  #journal: (() => void)[] | null = null

  /** how many nodes there are; {@link order} holds exactly these */
  get size(): number {
    return this.#size
  }
  #size = 0

  /** The node's index; undefined when there is no such node. */
  indexOf(name: string): number | undefined {
    return this.#index.get(name)
  }

  /** The node that placements call so; undefined when none was told to be. */
  ofId(id: number): number | undefined {
    return this.#ofId.get(id)
  }

  setId(node: number, id: number): void {
    this.id[node] = id
    this.#ofId.set(id, node)
  }

  closedOf(node: number): Closed | null {
    return CLOSED[this.closed[node]!] ?? null
  }

  attribute(node: number, key: string): string | undefined {
    return key === 'node' || key === 'name' ? this.names[node] : this.classes[this.classOf[node]!]!.attributes[key]
  }

  /** A node comes, or is not what it was; what its tasks hold stays counted. Gives its index. */
  setNode(facts: NodeFacts): number {
    const known = this.#index.get(facts.name)
    const node = known ?? this.#addNode(facts.name)
    const classId = this.#classId(facts.attributes)
    if (known === undefined || this.classOf[node] !== classId) {
      if (known !== undefined) this.classes[this.classOf[node]!]!.size -= 1
      this.classOf[node] = classId
      this.classes[classId]!.size += 1
      this.revision += 1
    }
    this.closed[node] = CLOSED.indexOf(facts.closed)
    this.#addressOf[node] = idIn(this.#addresses, facts.address)
    this.#setTotal(this.cpuTotal, this.cpuFree, node, facts.cpuMilli)
    this.#setTotal(this.memoryTotal, this.memoryFree, node, facts.memoryBytes)
    this.#setTotal(this.diskTotal, this.diskFree, node, facts.diskBytes)
    this.#setDevices(node, facts.gpus)
    this.changes[node]! += 1
    return node
  }

  /** Opens or closes a node, and leaves all else as it is. */
  setClosed(node: number, closed: Closed | null): void {
    const before = this.closedOf(node)
    this.closed[node] = CLOSED.indexOf(closed)
    this.#journal?.push(() => this.setClosed(node, before))
  }

  /** Forgets a node that has no tasks any more; its name may come again later, as another node. */
  dropNode(name: string): void {
    const node = this.#index.get(name)
    if (node === undefined) return
    this.#index.delete(name)
    this.#ofId.delete(this.id[node]!)
    this.classes[this.classOf[node]!]!.size -= 1
    this.order.copyWithin(this.rank[node]!, this.rank[node]! + 1, this.#size)
    this.#size -= 1
    this.#rerank(this.rank[node]!)
    this.closed[node] = 1
    this.revision += 1
  }

  /** Whether the node is open and has all that is asked for free. Says nothing of constraints. */
  fits(node: number, demand: Demand): boolean {
    return (
      this.cpuFree[node]! >= demand.cpuMilli &&
      this.memoryFree[node]! >= demand.memoryBytes &&
      this.closed[node] === 0 &&
      this.diskFree[node]! >= demand.diskBytes &&
      (demand.ports.length === 0 || this.hasPorts(node, demand.ports)) &&
      (demand.gpu === null || this.chooseDevices(node, demand.gpu) !== 0)
    )
  }

  hasPorts(node: number, ports: readonly number[]): boolean {
    const held = this.#portsOf(node)
    return ports.every((port) => !held.has(port))
  }

  /**
   * Which devices of the node a task would get, as a mask; 0: not enough are free. A share goes to the fullest device that
   * can hold it, whole devices to the lowest free ones.
   */
  chooseDevices(node: number, gpu: GpuDemand): number {
    return maskOf(this.devices, this.gpuAt[node]!, this.gpuCount[node]!, gpu.count, gpu.milli, this.modelSet(gpu.models))
  }

  /** Free devices among those asked for, and how many there are at all. */
  countDevices(node: number, gpu: GpuDemand): { free: number; all: number } {
    return freeDevices(this.devices, this.gpuAt[node]!, this.gpuCount[node]!, gpu.milli, this.modelSet(gpu.models))
  }

  /** Thousandths of all its GPUs together. */
  freeGpu(node: number): number {
    let free = 0
    for (let i = this.gpuAt[node]!; i < this.gpuAt[node]! + this.gpuCount[node]!; i += 1) free += this.devices.free[i]!
    return free
  }

  /** Models as a mask of the image's model numbers; -1: any. A model no node has is in no mask. */
  modelSet(models: readonly string[]): number {
    if (models.length === 0) return -1
    let mask = 0
    for (const model of models) {
      const id = this.models.indexOf(model)
      if (id >= 0) mask |= 1 << id
    }
    return mask
  }

  /** A task comes to a node (`sign` 1) or leaves it (−1). `devices`: mask of the GPUs it holds there, 0 without. */
  applyTask(node: number, demand: Demand, sign: 1 | -1, devices = 0): void {
    this.cpuFree[node]! -= sign * demand.cpuMilli
    this.memoryFree[node]! -= sign * demand.memoryBytes
    this.diskFree[node]! -= sign * demand.diskBytes
    this.tasks[node]! += sign
    this.changes[node]! += 1
    for (const port of demand.ports) {
      if (sign === 1) this.#portsOf(node).add(port)
      else this.#portsOf(node).delete(port)
    }
    if (demand.gpu !== null) this.#holdDevices(node, { ...demand, gpu: demand.gpu }, sign, devices)
    this.#journal?.push(() => this.applyTask(node, demand, sign === 1 ? -1 : 1, devices))
  }

  /** What all tasks of the node hold together, those among them that were applied one by one. Of devices only these hold any. */
  holdSum(node: number, sum: { cpu_milli: number; memory_bytes: number; disk_bytes: number; tasks: number }): void {
    this.cpuFree[node] = this.cpuTotal[node]! - sum.cpu_milli
    this.memoryFree[node] = this.memoryTotal[node]! - sum.memory_bytes
    this.diskFree[node] = this.diskTotal[node]! - sum.disk_bytes
    this.tasks[node] = sum.tasks
    this.changes[node]! += 1
  }

  /** A static port of the node's address is held by a task that is counted already. */
  holdPort(node: number, port: number): void {
    this.#portsOf(node).add(port)
  }

  /** Exactly these static ports of the node's address are held. */
  setPorts(node: number, ports: readonly number[]): void {
    this.#ports.set(this.#addressOf[node]!, new Set(ports))
  }

  /** Thousandths in use of each device of the node; what is beyond the end of the list is free. */
  setDevices(node: number, used: readonly number[]): void {
    const at = this.gpuAt[node]!
    for (let i = 0; i < this.gpuCount[node]!; i += 1) this.devices.free[at + i] = 1000 - (used[i] ?? 0)
    this.changes[node]! += 1
  }

  /** So many more requests of a shape hold devices. */
  countShape(demand: Shape['demand'], tasks: number): void {
    const { gpu } = demand
    const key = `${demand.cpuMilli}/${demand.memoryBytes}/${gpu.count}x${gpu.milli}/${gpu.models.join()}`
    const shape = this.shapes.get(key) ?? { key, demand, count: 0 }
    shape.count += tasks
    if (shape.count > 0) this.shapes.set(key, shape)
    else this.shapes.delete(key)
  }

  /** Runs `plan` and takes back all it did to the loads of the nodes, and which are closed: for questions such as what would happen if. */
  attempt<T>(plan: () => T): T {
    const outer = this.#journal
    const journal: (() => void)[] = []
    this.#journal = journal
    try {
      return plan()
    } finally {
      this.#journal = null
      for (const undo of journal.reverse()) undo()
      this.#journal = outer
    }
  }

  /** Requests known from elsewhere, the log or a list: they stand for what will be asked for, beside the tasks there are. */
  expect(demand: Demand, count: number): void {
    if (demand.gpu !== null) this.countShape({ ...demand, gpu: demand.gpu }, count)
  }

  #addNode(name: string): number {
    const node = this.names.length
    this.names.push(name)
    this.#index.set(name, node)
    if (node >= this.classOf.length) this.#grow(Math.max(64, 2 * node))
    const at = this.#placeOf(name)
    this.order.copyWithin(at + 1, at, this.#size)
    this.order[at] = node
    this.#size += 1
    this.#rerank(at)
    return node
  }

  /** The first place in {@link order} whose name is greater. */
  #placeOf(name: string): number {
    let [low, high] = [0, this.#size]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.names[this.order[middle]!]! > name) high = middle
      else low = middle + 1
    }
    return low
  }

  #rerank(from: number): void {
    for (let place = from; place < this.#size; place += 1) this.rank[this.order[place]!] = place
  }

  #grow(capacity: number): void {
    const more = <T extends Int32Array | Float64Array | Uint8Array>(old: T, fresh: T): T => {
      fresh.set(old)
      return fresh
    }
    const ints = (old: Int32Array<ArrayBuffer>) => more(old, new Int32Array(capacity))
    const doubles = (old: Float64Array<ArrayBuffer>) => more(old, new Float64Array(capacity))
    const bytes = (old: Uint8Array<ArrayBuffer>) => more(old, new Uint8Array(capacity))
    this.order = ints(this.order)
    this.rank = ints(this.rank)
    this.classOf = ints(this.classOf)
    this.closed = bytes(this.closed)
    this.cpuTotal = ints(this.cpuTotal)
    this.cpuFree = ints(this.cpuFree)
    this.memoryTotal = doubles(this.memoryTotal)
    this.memoryFree = doubles(this.memoryFree)
    this.diskTotal = doubles(this.diskTotal)
    this.diskFree = doubles(this.diskFree)
    this.tasks = ints(this.tasks)
    this.id = ints(this.id)
    this.gpuAt = ints(this.gpuAt)
    this.gpuCount = bytes(this.gpuCount)
    this.changes = ints(this.changes)
    this.#addressOf = ints(this.#addressOf)
  }

  #classId(attributes: Readonly<Record<string, string>>): number {
    // Nodes of one class mostly come with their attributes in one order too, and sorting them costs most of all.
    let asGiven = ''
    for (const key in attributes) asGiven += `${key}\n${attributes[key]}\n`
    const known = this.#classIds.get(asGiven)
    if (known !== undefined) return known
    const sorted = JSON.stringify(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)))
    const id = this.#classIds.get(sorted) ?? this.classes.push({ attributes, size: 0 }) - 1
    this.#classIds.set(asGiven, id)
    this.#classIds.set(sorted, id)
    return id
  }

  #setTotal(total: Int32Array | Float64Array, free: Int32Array | Float64Array, node: number, amount: number): void {
    free[node]! += amount - total[node]!
    total[node] = amount
  }

  #setDevices(node: number, gpus: NodeFacts['gpus']): void {
    const models = gpus.flatMap(({ model, count }) => Array.from({ length: count }, () => this.#modelId(model))).slice(0, GPUS_MAX)
    const [at, count] = [this.gpuAt[node]!, this.gpuCount[node]!]
    if (models.length === count && models.every((model, i) => this.devices.model[at + i] === model)) return
    const held = Array.from({ length: count }, (_, i) => 1000 - this.devices.free[at + i]!)
    const start = this.devices.length
    const capacity = start + models.length
    if (capacity > this.devices.free.length) {
      const [free, model] = [new Uint16Array(2 * capacity), new Uint8Array(2 * capacity)]
      free.set(this.devices.free)
      model.set(this.devices.model)
      Object.assign(this.devices, { free, model })
    }
    this.devices.length = capacity
    this.revision += 1
    this.gpuAt[node] = start
    this.gpuCount[node] = models.length
    models.forEach((model, i) => {
      this.devices.model[start + i] = model
      this.devices.free[start + i] = 1000 - (held[i] ?? 0)
    })
  }

  #modelId(model: string): number {
    const id = this.models.indexOf(model)
    if (id >= 0) return id
    return this.models.length < MODELS_MAX ? this.models.push(model) - 1 : MODELS_MAX
  }

  #holdDevices(node: number, demand: Shape['demand'], sign: 1 | -1, devices: number): void {
    const at = this.gpuAt[node]!
    for (let i = 0; i < this.gpuCount[node]!; i += 1) if ((devices >> i) & 1) this.devices.free[at + i]! -= sign * demand.gpu.milli
    this.countShape(demand, sign)
  }

  #portsOf(node: number): Set<number> {
    const address = this.#addressOf[node]!
    const ports = this.#ports.get(address) ?? new Set<number>()
    this.#ports.set(address, ports)
    return ports
  }
}

function idIn(ids: Map<string, number>, key: string): number {
  const id = ids.get(key) ?? ids.size
  ids.set(key, id)
  return id
}
