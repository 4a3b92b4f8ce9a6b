// oxlint-disable typescript/no-non-null-assertion -- indices are of nodes of the image and of the heap; a check for each read would double the cost
import type { Fragmentation, FragmentationMemo } from './fragmentation.ts'
import type { Slice } from './slice.ts'

/** Candidates that are compared at least, when there are as many; where a slice goes to many leaves each of them has a few tasks alone. */
const CANDIDATES_MIN = 32
const CANDIDATES_MIN_EACH = 16
/** Room for so many times the tasks is looked for before the first is placed: more packs better and takes longer. */
const SUPPLY = 3
/**
 * The node that got a task gets the next one too while what is free there keeps its shape, give or take so many hundredths: each
 * node of a slice costs the referee as much as several tasks.
 */
const STAYS = 5
/** Places of nodes in the order of names, in the lowest part of a score. */
const RANKS = 262_144
const COUNT_MAX = 511

/**
 * Suitable nodes that differ by their load alone. Looks at nodes from a place that depends on the group, until there is
 * enough room to choose from, and gives the best one first. No node is looked at twice in one slice, but after each task
 * it got.
 */
export class Leaf {
  readonly #slice: Slice
  readonly #nodes: Int32Array
  readonly #start: number
  readonly #enough: number
  readonly #gpu: { fragmentation: Fragmentation; memo: FragmentationMemo } | null
  readonly #isGpu: boolean
  /** scores, the least on top */
  readonly #heap: number[] = []
  #seen = 0
  /** the node that got the last task, unless it was scored again since, and its shape when it came up */
  #last = -1
  #misfitBefore = 0
  /** room for tasks on candidates that are as good as new ones would be */
  #room = 0

  /** `wanted`: tasks that will probably come here. */
  constructor(slice: Slice, nodes: Int32Array, wanted: number) {
    this.#slice = slice
    this.#nodes = nodes
    this.#isGpu = slice.demand.gpu !== null || slice.image.gpuCount[nodes[0]!]! > 0
    const fragmentation = this.#isGpu ? slice.fragmentation : null
    this.#gpu = fragmentation === null ? null : { fragmentation, memo: fragmentation.memoOf(slice.demand) }
    const least = wanted < slice.wanted ? CANDIDATES_MIN_EACH : CANDIDATES_MIN
    this.#enough = this.#isGpu ? Infinity : Math.max(least, SUPPLY * wanted)
    this.#start = nodes.length <= CANDIDATES_MIN ? 0 : slice.hash % nodes.length
  }

  /** Score of the best node that can take a task now, less is better; Infinity when none can, which then stays so. */
  peek(): number {
    for (;;) {
      if (this.#room <= 0 && this.#seen < this.#nodes.length) this.#look()
      const top = this.#heap[0]
      if (top === undefined) {
        if (this.#seen >= this.#nodes.length) return Infinity
        this.#room = 0
        continue
      }
      if (this.#slice.canTake(this.#nodeOf(top))) return top
      this.#pop()
    }
  }

  /** After {@link peek} found none: nothing here can take a task any more in this slice. */
  readonly isDone = true

  /** The node of {@link peek}, which gets a task; then {@link taken} must follow. */
  get best(): number {
    return this.#nodeOf(this.#heap[0]!)
  }

  /** The best node got its task. */
  taken(): void {
    const node = this.best
    this.#room -= 1
    const isOpen = this.#slice.wanted > 0 && this.#slice.canTake(node)
    if (isOpen && this.#stays(node)) return
    this.#last = -1
    if (isOpen) this.#replaceTop(this.#score(node))
    else this.#pop()
  }

  #stays(node: number): boolean {
    if (this.#isGpu || this.#slice.isEvenOverNodes) return false
    if (node !== this.#last) [this.#last, this.#misfitBefore] = [node, misfitIn(this.#heap[0]!)]
    return this.#slice.misfit(node) <= this.#misfitBefore + STAYS
  }

  #nodeOf(score: number): number {
    return this.#slice.image.order[score % RANKS]!
  }

  #look(): void {
    const slice = this.#slice
    const nodes = this.#nodes
    const length = nodes.length
    while (this.#seen < length && this.#room < this.#enough) {
      const at = this.#start + this.#seen
      const node = nodes[at < length ? at : at - length]!
      this.#seen += 1
      if (!slice.canTake(node)) continue
      slice.compared += 1
      this.#room += slice.roomOn(node)
      this.#push(this.#score(node))
    }
  }

  /** Not where it failed; then where least of the group is, when it is to be even over nodes; then the load; then the name. */
  #score(node: number): number {
    const slice = this.#slice
    const same = slice.isEvenOverNodes ? Math.min(COUNT_MAX, slice.sameOn.get(node) ?? 0) : 0
    const all = slice.isEvenOverNodes ? Math.min(COUNT_MAX, slice.allOn.get(node) ?? 0) : 0
    const avoided = slice.avoid.has(node) ? 1 : 0
    const rank = slice.image.rank[node]!
    if (!this.#isGpu)
      return ((((avoided * 512 + same) * 512 + all) * 128 + slice.misfit(node)) * 128 + slice.emptiness(node)) * RANKS + rank
    return (((avoided * 64 + Math.min(63, same)) * 64 + Math.min(63, all)) * 4_194_304 + this.#gpuScore(node)) * RANKS + rank
  }

  /** Added fragmentation in steps of a tenth of a GPU, then how far what is free is from the shape of what is asked. 22 bits. */
  #gpuScore(node: number): number {
    const added = this.#gpu === null ? 0 : this.#gpu.fragmentation.added(node, this.#slice.demand, this.#gpu.memo)
    return Math.max(0, Math.min(255, 128 + Math.floor(added / 100))) * 16_384 + this.#slice.gpuMisfit(node)
  }

  #push(score: number): void {
    const heap = this.#heap
    let i = heap.length
    heap.push(score)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (heap[parent]! <= score) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = score
  }

  #pop(): void {
    const last = this.#heap.pop()!
    if (this.#heap.length > 0) this.#replaceTop(last)
  }

  #replaceTop(score: number): void {
    const heap = this.#heap
    const length = heap.length
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= length) break
      if (child + 1 < length && heap[child + 1]! < heap[child]!) child += 1
      if (heap[child]! >= score) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = score
  }
}

function misfitIn(score: number): number {
  return Math.floor(score / RANKS / 128) % 128
}

/** Parts of a score again, for the words why a task is where it is. */
export function partsOf(score: number, isGpu: boolean): { isAvoided: boolean; same: number; fit: number } {
  const rest = Math.floor(score / RANKS)
  if (isGpu) {
    const counts = Math.floor(rest / 4_194_304)
    return { isAvoided: counts >= 4096, same: Math.floor(counts / 64) % 64, fit: 128 - Math.floor((rest % 4_194_304) / 16_384) }
  }
  const counts = Math.floor(rest / 16_384)
  return { isAvoided: counts >= 262_144, same: Math.floor(counts / 512) % 512, fit: 100 - misfitIn(score) }
}
