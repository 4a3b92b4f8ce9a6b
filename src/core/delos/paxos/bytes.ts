import { getU64, setU64 } from '../log/record.ts'

/** A larger buffer is not used again: it was one of a burst. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024

/** Little-endian writing into bytes that grow. */
export class Writer {
  #bytes: Uint8Array
  #view: DataView
  #length = 0
  readonly #apartFrom: number
  /** bytes that are not copied, and the length before them */
  readonly #apart: { at: number; bytes: Uint8Array }[] = []

  /** @param apartFrom raw bytes of at least this length stay where they are, for `pieces` */
  constructor(capacity: number, apartFrom = Number.POSITIVE_INFINITY) {
    this.#apartFrom = apartFrom
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get length(): number {
    return this.#length
  }

  #room(bytes: number): number {
    const at = this.#length
    this.#length += bytes
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2))
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    return at
  }

  u8(value: number): void {
    const at = this.#room(1)
    this.#view.setUint8(at, value)
  }

  u16(value: number): void {
    const at = this.#room(2)
    this.#view.setUint16(at, value, true)
  }

  u32(value: number): void {
    const at = this.#room(4)
    this.#view.setUint32(at, value, true)
  }

  u64(value: number): void {
    const at = this.#room(8)
    setU64(this.#view, at, value)
  }

  /** The bytes alone; who reads them must know how many. */
  raw(bytes: Uint8Array): void {
    if (bytes.length >= this.#apartFrom) {
      this.#apart.push({ at: this.#length, bytes })
      return
    }
    const at = this.#room(bytes.length)
    this.#bytes.set(bytes, at)
  }

  /** What was written from there on. */
  since(from: number): Uint8Array {
    return this.#bytes.subarray(from, this.#length)
  }

  /** Begins anew, over what was written. */
  reset(): void {
    if (this.#bytes.length > KEPT_BYTES_MAX) {
      this.#bytes = new Uint8Array(KEPT_BYTES_MAX)
      this.#view = new DataView(this.#bytes.buffer)
    }
    this.#length = 0
  }

  /** What was written, when nothing of it is apart. */
  finish(): Uint8Array {
    return this.since(0)
  }

  /** What was written, in order. The first piece, and every other one, is the writer's own; the one behind it is not. */
  pieces(): Uint8Array[] {
    const pieces: Uint8Array[] = []
    let from = 0
    for (const { at, bytes } of this.#apart) {
      pieces.push(this.#bytes.subarray(from, at), bytes)
      from = at
    }
    return [...pieces, this.since(from)]
  }
}

/** Reading stops being meaningful past the end: `isGood` is false then, and every value 0. */
export class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at: number
  isGood = true

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = at
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  #take(bytes: number): number {
    const at = this.#at
    if (at + bytes > this.#bytes.length) {
      this.isGood = false
      return -1
    }
    this.#at += bytes
    return at
  }

  u8(): number {
    const at = this.#take(1)
    return at < 0 ? 0 : this.#view.getUint8(at)
  }

  u16(): number {
    const at = this.#take(2)
    return at < 0 ? 0 : this.#view.getUint16(at, true)
  }

  u32(): number {
    const at = this.#take(4)
    return at < 0 ? 0 : this.#view.getUint32(at, true)
  }

  u64(): number {
    const at = this.#take(8)
    const value = at < 0 ? 0 : getU64(this.#view, at)
    if (value < 0) this.isGood = false
    return Math.max(0, value)
  }

  /** A view, not a copy. */
  raw(length: number): Uint8Array {
    const at = this.#take(length)
    return at < 0 ? new Uint8Array(0) : this.#bytes.subarray(at, at + length)
  }
}
