// oxlint-disable typescript/no-non-null-assertion -- indices are numbers of values; a check for each read would double the cost
import type { SpreadSpec } from '../job-spec.ts'
import type { Part, Values } from './suitable.ts'

/** Values none of whose share is left cost so much that every other one is taken first. */
const NO_SHARE = 1e14

/**
 * Tasks per value of a spread's attribute, and what one more would cost there. Even: as many as are there, of its version
 * first. With targets: how far its share would be used up. Costs of a value only grow while tasks are added.
 */
export class SpreadCount {
  readonly #same: Int32Array
  readonly #all: Int32Array
  readonly #values: Values
  readonly #isHard: boolean
  /** parts per million of each value; null: even */
  readonly #shares: Float64Array | null = null
  /** hard with targets: most tasks of each value */
  readonly #most: Int32Array | null = null
  /** hard and even: how many open values hold n tasks, and the lowest n of any */
  readonly #atCount: number[] = []
  #lowest = 0
  #open: Uint8Array | null = null

  constructor(spread: SpreadSpec, values: Values, count: number) {
    this.#values = values
    this.#isHard = spread.isHard
    this.#same = new Int32Array(values.names.length)
    this.#all = new Int32Array(values.names.length)
    if (spread.targets === null) return
    const { targets } = spread
    const others = values.names.filter((name) => targets[name] === undefined).length
    const rest = Math.max(0, 1_000_000 - Object.values(targets).reduce((sum, ppm) => sum + ppm, 0))
    this.#shares = Float64Array.from(values.names, (name) => targets[name] ?? rest / others)
    if (spread.isHard) this.#most = Int32Array.from(values.names, (name) => Math.ceil(((targets[name] ?? rest) * count) / 1_000_000))
  }

  /** A task is or comes on the node. */
  add(node: number, isSame: boolean, isAny: boolean): void {
    const value = this.#values.of[node]!
    if (isAny) this.#all[value]! += 1
    if (!isSame) return
    const before = this.#same[value]!
    this.#same[value] = before + 1
    if (this.#open?.[value] !== 1) return
    this.#atCount[before]! -= 1
    this.#atCount[before + 1] = (this.#atCount[before + 1] ?? 0) + 1
    while (this.#atCount[this.#lowest] === 0) this.#lowest += 1
  }

  /** Hard and even only: the values that count, because a suitable node of theirs is open. Before the first question. */
  open(values: Iterable<number>): void {
    this.#open = new Uint8Array(this.#same.length)
    for (const value of values) this.#open[value] = 1
    for (const value of values) this.#atCount[this.#same[value]!] = (this.#atCount[this.#same[value]!] ?? 0) + 1
    for (let n = 0; n < this.#atCount.length; n += 1) this.#atCount[n] ??= 0
    while (this.#lowest < this.#atCount.length && this.#atCount[this.#lowest] === 0) this.#lowest += 1
  }

  sameOf(node: number): number {
    return this.#same[this.#values.of[node]!]!
  }

  cost(value: number): number {
    const same = this.#same[value]!
    if (this.#shares === null) return same * 1_048_576 + Math.min(this.#all[value]!, 1_048_575)
    const share = this.#shares[value]!
    return share === 0 ? NO_SHARE + same : Math.floor(((same + 1) * 1e9) / share)
  }

  /** Whether a hard spread lets one more task go there now. */
  allows(value: number): boolean {
    if (!this.#isHard) return true
    return this.#most === null ? this.#same[value]! <= this.#lowest : this.#same[value]! < this.#most[value]!
  }

  /** Never again: its share is used up. What is only ahead of others may be allowed later. */
  isSpent(value: number): boolean {
    return this.#most !== null && this.#same[value]! >= this.#most[value]!
  }
}

/** Values of a level below `part` that have an open node. */
export function openValues(part: Part, values: Values, closed: Uint8Array): Set<number> {
  const open = new Set<number>()
  const visit = (at: Part): void => {
    for (const inner of at.parts) visit(inner)
    const first = at.nodes.find((node) => closed[node] === 0)
    if (first !== undefined) open.add(values.of[first]!)
  }
  visit(part)
  return open
}
