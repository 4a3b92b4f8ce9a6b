import { getU64, setU64 } from '../log/record.ts'

/** A larger buffer is not used again: it was one of a burst. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024

/** Little-endian writing into bytes that grow. */
export class Writer {
  #bytes: Uint8Array
  #view: DataView
  #length = 0

  constructor(capacity: number) {
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

  /** What was written; `patch` sets a u32 that was not known before. */
  finish(patch?: { at: number; value: (bytes: Uint8Array) => number }): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#length)
    if (patch !== undefined) this.#view.setUint32(patch.at, patch.value(bytes), true)
    return bytes
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
