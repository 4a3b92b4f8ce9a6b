import type { Key } from '../wire/messages.ts'
import type { Chunk, KeyHistory } from './version.ts'

/** A chunk that grows to this is split in two. Inserting moves at most so many pointers; a million keys are a few thousand chunks. */
const CHUNK_MAX = 256

/**
 * The keys of the store: a Map for one key, and sorted chunks for ranges. Only a key that is new, or that compaction removes, touches
 * the chunks, so the common put costs one look-up. Chunks know how many of their keys are there now, so that a page of a long list can say
 * how long the list is without walking it.
 */
export class KeyIndex {
  #byKey = new Map<Key, KeyHistory>()
  /** every chunk is sorted and not empty; the last key of one is below the first of the next */
  readonly #chunks: Chunk[] = []

  get size(): number {
    return this.#byKey.size
  }

  get(key: Key): KeyHistory | undefined {
    return this.#byKey.get(key)
  }

  /** Adds the history of a key that is not there yet. */
  add(history: KeyHistory): void {
    const { key } = history
    this.#byKey.set(key, history)
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]
    if (chunk === undefined) {
      this.#chunks.push(chunkFrom([history]))
      return
    }
    const { items } = chunk
    const last = items[items.length - 1]
    if (last !== undefined && last.key < key) items.push(history)
    else items.splice(lowerBound(items, key), 0, history)
    history.chunk = chunk
    if (!history.latest.isDeleted) chunk.live += 1
    if (items.length >= CHUNK_MAX) this.#split(chunk, at, items[items.length - 1] === history)
  }

  /** Takes over the keys of an empty index, all at once; the Map is the index's from now on. */
  adopt(histories: Map<Key, KeyHistory>): void {
    this.#byKey = histories
    let items: KeyHistory[] = []
    // Without a function it compares code units, which is the order of bytes.
    for (const key of [...histories.keys()].sort()) {
      const history = histories.get(key)
      if (history !== undefined) items.push(history)
      if (items.length < CHUNK_MAX >>> 1) continue
      this.#chunks.push(chunkFrom(items))
      items = []
    }
    if (items.length > 0) this.#chunks.push(chunkFrom(items))
  }

  remove(key: Key): void {
    const history = this.#byKey.get(key)
    if (history === undefined) return
    this.#byKey.delete(key)
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]
    if (chunk === undefined) return
    chunk.items.splice(lowerBound(chunk.items, key), 1)
    if (!history.latest.isDeleted) chunk.live -= 1
    if (chunk.items.length === 0) this.#chunks.splice(at, 1)
  }

  /**
   * Visits keys in ascending order.
   * @param from the first key, inclusive
   * @param to exclusive; null: to the last
   * @param visit false ends the visit
   */
  visit(from: Key, to: Key | null, visit: (history: KeyHistory) => boolean): void {
    let at = this.#chunkOf(from)
    let start = lowerBound(this.#chunks[at]?.items ?? [], from)
    for (; at < this.#chunks.length; at += 1) {
      const items = this.#chunks[at]?.items ?? []
      for (let i = start; i < items.length; i += 1) {
        const history = items[i]
        if (history === undefined || (to !== null && history.key >= to)) return
        if (!visit(history)) return
      }
      start = 0
    }
  }

  /** How many keys of a range are there now. */
  countLive(from: Key, to: Key | null): number {
    if (to !== null && to <= from) return 0
    let count = 0
    const first = this.#chunkOf(from)
    for (let at = first; at < this.#chunks.length; at += 1) {
      const chunk = this.#chunks[at]
      const next = this.#chunks[at + 1]?.items[0]
      if (chunk === undefined) break
      const isWhole = at > first && (to === null || (next !== undefined && next.key <= to))
      if (isWhole) {
        count += chunk.live
        continue
      }
      for (const { key, latest } of chunk.items) if (key >= from && (to === null || key < to) && !latest.isDeleted) count += 1
      if (to !== null && next !== undefined && next.key >= to) break
    }
    return count
  }

  *[Symbol.iterator](): Generator<KeyHistory> {
    for (const { items } of this.#chunks) yield* items
  }

  /** Keys often come in ascending order: then the left half would stay half empty for ever, so the cut is near the end. */
  #split(chunk: Chunk, at: number, isAppending: boolean): void {
    const isLast = at === this.#chunks.length - 1
    const right = chunkFrom(chunk.items.splice(isAppending && isLast ? CHUNK_MAX - 32 : CHUNK_MAX >>> 1))
    chunk.live -= right.live
    this.#chunks.splice(at + 1, 0, right)
  }

  /** The chunk in which a key is or would be: the last whose first key is not above it. */
  #chunkOf(key: Key): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const first = this.#chunks[middle]?.items[0]
      if (first !== undefined && first.key <= key) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : low - 1
  }
}

function chunkFrom(items: KeyHistory[]): Chunk {
  const chunk: Chunk = { items, live: 0 }
  for (const history of items) {
    history.chunk = chunk
    if (!history.latest.isDeleted) chunk.live += 1
  }
  return chunk
}

function lowerBound(items: readonly KeyHistory[], key: Key): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const history = items[middle]
    if (history !== undefined && history.key < key) low = middle + 1
    else high = middle
  }
  return low
}
