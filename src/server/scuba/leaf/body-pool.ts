const BYTES_MIN = 256 * 1024
/** Larger ones are rare, and would be kept for nothing. */
const BYTES_MAX = 8 * 1024 * 1024
/** of all that wait to be used again */
const FREE_BYTES_MAX = 64 * 1024 * 1024

/**
 * Memory that bodies are read into, used again and again. Fresh memory costs a page fault for each 4 KiB, and what is thrown away has the
 * collector run over the whole heap all few bodies: together more than looking through the rows.
 */
export class BodyPool {
  /** size → those of that size that nobody uses */
  readonly #free = new Map<number, Buffer[]>()
  #freeBytes = 0

  /** Room for a body of so many bytes, to be given back; null: it is not of a size that is kept. */
  take(bytes: number): Buffer | null {
    if (bytes < BYTES_MIN || bytes > BYTES_MAX) return null
    const size = 2 ** Math.ceil(Math.log2(bytes))
    const free = this.#free.get(size)?.pop()
    if (free === undefined) return Buffer.allocUnsafeSlow(size)
    this.#freeBytes -= size
    return free
  }

  /** Nothing refers to it any more. */
  give(room: Buffer): void {
    if (this.#freeBytes + room.length > FREE_BYTES_MAX) return
    const free = this.#free.get(room.length)
    if (free) free.push(room)
    else this.#free.set(room.length, [room])
    this.#freeBytes += room.length
  }
}
