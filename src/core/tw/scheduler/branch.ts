// oxlint-disable typescript/no-non-null-assertion -- indices are of children and of the heap; a check for each read would double the cost
import { Leaf } from './leaf.ts'
import type { Slice } from './slice.ts'
import type { SpreadCount } from './spread-count.ts'
import type { Part } from './suitable.ts'

/** Up to so many parts that cost the same, the best node of all is taken; of more, the next part by a turn of the group's own. */
const COMPARED_MAX = 8

/** What one part costs before its nodes are looked at, and whether it may get a task now. */
interface Level {
  cost(value: number): number
  allows(value: number): boolean
  isSpent(value: number): boolean
}

/** More affine first; nodes with GPUs last for those who need none. Nothing of it changes while tasks are placed. */
const AFFINITY: Level = { cost: (weight) => -weight, allows: () => true, isSpent: () => false }
const KEEP_GPUS: Level = { cost: (hasGpus) => hasGpus, allows: () => true, isSpent: () => false }

/** Levels of the tree in the order in which `suitable.ts` splits the nodes. */
export function levelsOf(counts: readonly SpreadCount[], hasAffinities: boolean, keepsGpus: boolean): Level[] {
  return [...counts, ...(hasAffinities ? [AFFINITY] : []), ...(keepsGpus ? [KEEP_GPUS] : [])]
}

/** A part of the suitable nodes during one slice. */
export type Choice = Branch | Leaf

export function choiceOf(slice: Slice, levels: readonly Level[], part: Part, wanted: number): Choice {
  const [level, ...below] = levels
  return level === undefined ? new Leaf(slice, part.nodes, wanted) : new Branch(slice, level, below, part.parts, wanted)
}

/**
 * Picks among parts by their cost: the cheapest that has a place. Costs only grow while a slice is placed, so a heap whose
 * entries are checked when they come up stays right, and a placement costs the logarithm of the number of parts.
 */
export class Branch {
  readonly #slice: Slice
  readonly #level: Level
  readonly #below: readonly Level[]
  readonly #parts: readonly Part[]
  readonly #choices: (Choice | undefined)[] = []
  readonly #wantedEach: number
  /** parts that may still have a place, cheapest first; ties in an order of their own */
  readonly #heap: number[] = []
  readonly #costs: Float64Array
  readonly #turn: number
  #chosen = -1

  constructor(slice: Slice, level: Level, below: readonly Level[], parts: readonly Part[], wanted: number) {
    this.#slice = slice
    this.#level = level
    this.#below = below
    this.#parts = parts
    this.#wantedEach = Math.ceil((2 * wanted) / Math.max(1, parts.length))
    this.#costs = Float64Array.from(parts, (part) => level.cost(part.value))
    this.#turn = parts.length > COMPARED_MAX ? slice.hash % parts.length : 0
    for (let i = 0; i < parts.length; i += 1) this.#push(i)
  }

  /** Score of the node that would get the next task; Infinity when there is none now. */
  peek(): number {
    const blocked: number[] = []
    let score = Infinity
    this.#chosen = -1
    while (this.#heap.length > 0 && this.#chosen < 0) {
      // What costs the same may have different shares: only some of it may be used up.
      const tied = this.#cheapest().filter((i) => !this.#level.isSpent(this.#parts[i]!.value))
      const [first] = tied
      if (first === undefined) continue
      if (!this.#level.allows(this.#parts[first]!.value)) {
        // Too far ahead of the others: so is all that is dearer.
        blocked.push(...tied)
        break
      }
      for (const i of tied) {
        const found = this.#choice(i).peek()
        if (found < score) [score, this.#chosen] = [found, i]
        if (found < Infinity) blocked.push(i)
        else if (!this.#choice(i).isDone) blocked.push(i)
      }
    }
    for (const i of blocked) this.#push(i)
    return score
  }

  /** Nothing below it can ever take a task in this slice. */
  get isDone(): boolean {
    return this.#heap.length === 0
  }

  get best(): number {
    return this.#choice(this.#chosen).best
  }

  taken(): void {
    this.#choice(this.#chosen).taken()
  }

  #choice(i: number): Choice {
    return (this.#choices[i] ??= choiceOf(this.#slice, this.#below, this.#parts[i]!, this.#wantedEach))
  }

  /** Takes the parts of least cost from the heap: one, or all that are to be compared. */
  #cheapest(): number[] {
    const tied: number[] = []
    while (this.#heap.length > 0) {
      const i = this.#heap[0]!
      const cost = this.#level.cost(this.#parts[i]!.value)
      if (cost !== this.#costs[i]!) {
        this.#costs[i] = cost
        this.#sink(0)
        continue
      }
      if (tied.length > 0 && cost !== this.#costs[tied[0]!]!) break
      tied.push(i)
      const last = this.#heap.pop()!
      if (this.#heap.length > 0) {
        this.#heap[0] = last
        this.#sink(0)
      }
      if (this.#parts.length > COMPARED_MAX) break
    }
    return tied
  }

  #isLess(a: number, b: number): boolean {
    const difference = this.#costs[a]! - this.#costs[b]!
    return difference !== 0 ? difference < 0 : this.#place(a) < this.#place(b)
  }

  #place(i: number): number {
    return i >= this.#turn ? i - this.#turn : i - this.#turn + this.#parts.length
  }

  #push(part: number): void {
    const heap = this.#heap
    let i = heap.length
    heap.push(part)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!this.#isLess(part, heap[parent]!)) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = part
  }

  #sink(from: number): void {
    const heap = this.#heap
    const part = heap[from]!
    let i = from
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && this.#isLess(heap[child + 1]!, heap[child]!)) child += 1
      if (!this.#isLess(heap[child]!, part)) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = part
  }
}
