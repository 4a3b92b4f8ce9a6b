import type { Version } from './version.ts'

/**
 * The versions in the order they were written, from the compacted revision on: what watches catch up from, and the list of keys that
 * compaction has to look at.
 */
export class Journal {
  #items: Version[] = []
  /** items before it are dropped; the array itself is cut now and then only */
  #head = 0

  push(version: Version): void {
    this.#items.push(version)
  }

  /** One past the last place. Places keep their meaning until `dropTo`. */
  get end(): number {
    return this.#items.length
  }

  get start(): number {
    return this.#head
  }

  at(place: number): Version | undefined {
    return this.#items[place]
  }

  /** The first place with a revision not below. */
  placeOf(revision: number): number {
    let low = this.#head
    let high = this.#items.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const version = this.#items[middle]
      if (version !== undefined && version.mod_revision < revision) low = middle + 1
      else high = middle
    }
    return low
  }

  slice(from: number, to: number): Version[] {
    return this.#items.slice(from, to)
  }

  dropTo(place: number): void {
    this.#head = place
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
  }
}
