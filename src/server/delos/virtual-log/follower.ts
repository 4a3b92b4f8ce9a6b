import type { LogletEntry } from '../../../core/contracts/loglet.ts'
import type { BatchListener } from '../../../core/contracts/stretch.ts'

const READ_MAX = 4096

interface Local {
  tail: () => number
  read: (from: number, max: number) => LogletEntry[]
}

/** Gives the batches of a loglet that this server has on its disk to whoever follows it. */
export class Follower {
  readonly #local: Local
  #next = 0
  #listener: BatchListener | null = null
  #isReading = false

  constructor(local: Local) {
    this.#local = local
  }

  follow(from: number, listener: BatchListener): () => void {
    this.#next = from
    this.#listener = listener
    this.#catchUp()
    return () => {
      if (this.#listener === listener) this.#listener = null
    }
  }

  /** A batch was just committed: given on as it is when it is the next one. */
  committed(position: number, batch: Uint8Array): void {
    if (position !== this.#next || this.#isReading) return this.#catchUp()
    this.#next += 1
    this.#listener?.(position, batch)
  }

  #catchUp(): void {
    if (this.#isReading) return
    this.#isReading = true
    while (this.#listener !== null && this.#next < this.#local.tail()) {
      const entries = this.#local.read(this.#next, READ_MAX)
      for (const { position, payload } of entries) {
        // It may end the following, and then has to find what it was told last.
        if (this.#listener === null) break
        this.#next = position + 1
        this.#listener(position, payload)
      }
      if (entries.length === 0) break
    }
    this.#isReading = false
  }
}
