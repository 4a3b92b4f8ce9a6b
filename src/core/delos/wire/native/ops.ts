/** Kinds of operations. Never used for another one: they stand in the log. */
export const OP = { put: 1, delete: 2, txn: 3, get: 4, range: 5 } as const

/** Bytes of an operation before its key: kind u8, length of the key u16, length of the body u32. */
export const OP_HEAD_BYTES = 7
export const OP_KEY_BYTES_MAX = 0xffff

/**
 * Walks the operations of a frame in place: `next` moves on, the fields say where things are. The body is the value of a put, etcd's
 * message in protobuf of a `txn` or `range`, and empty otherwise.
 */
export class OpCursor {
  readonly bytes: Uint8Array
  readonly #view: DataView
  #left: number
  kind = 0
  keyAt = 0
  keyEnd = 0
  /** where the body ends, and the next operation begins; the body begins at `keyEnd` */
  end: number

  /** @param at of the first operation; @param count how many there must be */
  constructor(bytes: Uint8Array, at: number, count: number) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#left = count
    this.end = at
  }

  /** False: there is no further one, or what is there is none; `isWhole` tells which. */
  next(): boolean {
    const at = this.end
    if (this.#left === 0 || at + OP_HEAD_BYTES > this.bytes.length) return false
    const view = this.#view
    const keyAt = at + OP_HEAD_BYTES
    const keyEnd = keyAt + view.getUint16(at + 1)
    const end = keyEnd + view.getUint32(at + 3)
    if (end > this.bytes.length) return false
    this.kind = view.getUint8(at)
    this.keyAt = keyAt
    this.keyEnd = keyEnd
    this.end = end
    this.#left -= 1
    return true
  }

  /** After the last `next`: the operations were as many as was said, and nothing follows them. */
  get isWhole(): boolean {
    return this.#left === 0 && this.end === this.bytes.length
  }

  /** A view; valid as long as the frame. */
  get body(): Uint8Array {
    return this.bytes.subarray(this.keyEnd, this.end)
  }
}
