import { assert } from '../../kernel/assert.ts'

/**
 * What stands at one position of the store's log: entries that were asked for in the same turn, one after the other.
 *
 *     u8 version = 1 | u8 0 | u16 count | f64 time | f64 proposer | f64 seq | entries
 *     entry: u8 kind | u8 length of user | u16 0 | u32 length of body | f64 auth revision | user (UTF-8) | body
 *
 * `proposer` and `seq` name the batch, so that one that was sent twice is applied once (delos, 3.5).
 */
export interface Batch {
  /** ms since the epoch, as its proposer took it to be */
  timeMs: number
  proposer: number
  seq: number
  entries: BatchEntry[]
}

export interface BatchEntry {
  kind: number
  /** UTF-8 of the user's name; empty without auth */
  user: Uint8Array
  authRevision: number
  body: Uint8Array
}

const VERSION = 1
const HEADER_BYTES = 28
const ENTRY_HEADER_BYTES = 16
/** u16 of the header */
export const BATCH_ENTRIES_MAX = 65_535

const NO_BYTES = new Uint8Array(0)

/** Collects entries straight into the bytes of a batch: nothing is kept per entry. */
export class BatchWriter {
  #bytes: Uint8Array
  #view: DataView
  #length = HEADER_BYTES
  #count = 0

  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(HEADER_BYTES + capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get count(): number {
    return this.#count
  }

  get length(): number {
    return this.#length
  }

  /** Adds an entry, copied; gives its index. */
  add(kind: number, body: Uint8Array, user: Uint8Array = NO_BYTES, authRevision = 0): number {
    assert(this.#count < BATCH_ENTRIES_MAX && user.length < 256, 'an entry fits its batch')
    const size = ENTRY_HEADER_BYTES + user.length + body.length
    if (this.#length + size > this.#bytes.length) this.#grow(this.#length + size)
    let at = this.#length
    const view = this.#view
    view.setUint8(at, kind)
    view.setUint8(at + 1, user.length)
    view.setUint16(at + 2, 0)
    view.setUint32(at + 4, body.length)
    view.setFloat64(at + 8, authRevision)
    at += ENTRY_HEADER_BYTES
    this.#bytes.set(user, at)
    this.#bytes.set(body, at + user.length)
    this.#length += size
    this.#count += 1
    return this.#count - 1
  }

  /** The finished batch: bytes of its own, which nothing changes any more. */
  finish(name: { timeMs: number; proposer: number; seq: number }): Uint8Array {
    const view = this.#view
    view.setUint8(0, VERSION)
    view.setUint8(1, 0)
    view.setUint16(2, this.#count)
    view.setFloat64(4, name.timeMs)
    view.setFloat64(12, name.proposer)
    view.setFloat64(20, name.seq)
    return this.#bytes.slice(0, this.#length)
  }

  reset(): void {
    this.#length = HEADER_BYTES
    this.#count = 0
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

/** Reads a batch whose checksum was verified; its parts are views into `bytes`. Null: a version that this program does not know. */
export function readBatch(bytes: Uint8Array): Batch | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < HEADER_BYTES || view.getUint8(0) !== VERSION) return null
  const entries: BatchEntry[] = []
  let at = HEADER_BYTES
  for (let left = view.getUint16(2); left > 0; left -= 1) {
    assert(at + ENTRY_HEADER_BYTES <= bytes.length, 'a batch holds the entries it counts')
    const userEnd = at + ENTRY_HEADER_BYTES + view.getUint8(at + 1)
    const end = userEnd + view.getUint32(at + 4)
    assert(end <= bytes.length, 'an entry ends inside its batch')
    entries.push({
      kind: view.getUint8(at),
      user: userEnd === at + ENTRY_HEADER_BYTES ? NO_BYTES : bytes.subarray(at + ENTRY_HEADER_BYTES, userEnd),
      authRevision: view.getFloat64(at + 8),
      body: bytes.subarray(userEnd, end),
    })
    at = end
  }
  return { timeMs: view.getFloat64(4), proposer: view.getFloat64(12), seq: view.getFloat64(20), entries }
}
