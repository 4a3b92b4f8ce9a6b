import type { Entry } from '../../core/contracts/entry.ts'
import type { LogletEntry } from '../../core/contracts/loglet.ts'
import { refuse } from '../../core/kernel/errors.ts'
import { batchEntries, batchHead } from './entry-batch.ts'

/** What is read of a log: batches, each at its position. */
export interface BatchSource {
  /** Position of the first batch that can be read here, with all after it. */
  localHead: () => number
  tail: () => number
  read: (from: number, max: number) => LogletEntry[]
}

/** Batches read at once while looking for entries. */
const CHUNK = 64

/** Finds entries by their numbers in a log of batches. */
export class EntryReader {
  readonly #source: BatchSource
  #head: { position: number; number: number } | null = null
  /** Where the last reading ended: whoever reads on does not search. */
  #next: { position: number; number: number } | null = null

  constructor(source: BatchSource) {
    this.#source = source
  }

  /** Number of the first entry that can be read; null: there is none. */
  head(): number | null {
    const position = this.#source.localHead()
    if (this.#head?.position === position) return this.#head.number
    for (let at = position; at < this.#source.tail();) {
      const batches = this.#source.read(at, CHUNK)
      if (batches.length === 0) return null
      const valid = batches.map((batch) => batchHead(batch.position, batch.payload)).find(({ isVoid }) => !isVoid)
      if (valid !== undefined) {
        this.#head = { position, number: valid.first }
        return valid.first
      }
      at += batches.length
    }
    return null
  }

  /**
   * Entries from a number on, at most so many, in order; none at the end.
   * @throws DELOS_TRIMMED for entries before the first that can be read
   */
  read(from: number, max: number): Entry[] {
    const head = this.head()
    if (head === null) return []
    if (from < head) throw refuse('DELOS_TRIMMED', `The log starts at position ${head}; ${from} is no longer kept.`)
    const found: Entry[] = []
    let position = this.#next?.number === from ? this.#next.position : this.#positionOf(from)
    let next = from
    while (found.length < max) {
      const batches = this.#source.read(position, Math.min(CHUNK, max - found.length))
      if (batches.length === 0) break
      for (const batch of batches) {
        const entries = batchEntries(batch.position, batch.payload).filter((entry) => entry.position >= next)
        const taken = entries.slice(0, max - found.length)
        found.push(...taken)
        next += taken.length
        // The rest of a batch is read again from its beginning.
        if (taken.length < entries.length) break
        position = batch.position + 1
      }
    }
    this.#next = { position, number: next }
    return found
  }

  /** Position of the batch that holds an entry, or of the last one before it. */
  #positionOf(number: number): number {
    const head = this.#source.localHead()
    let [low, high] = [head, this.#source.tail() - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      const valid = this.#validAtOrBelow(middle, low)
      if (valid === null || valid.first <= number) low = middle
      else high = valid.position - 1
    }
    return this.#validAtOrBelow(low, head)?.position ?? head
  }

  /** The nearest batch that counts, from `position` down to `lowest`. */
  #validAtOrBelow(position: number, lowest: number): { position: number; first: number } | null {
    for (let at = position; at >= lowest; at -= 1) {
      const [batch] = this.#source.read(at, 1)
      const head = batch === undefined ? null : batchHead(at, batch.payload)
      if (head !== null && !head.isVoid) return { position: at, first: head.first }
    }
    return null
  }
}
