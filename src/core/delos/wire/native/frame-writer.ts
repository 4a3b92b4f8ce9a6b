const encoder = new TextEncoder()

/** Bytes of frames, collected in one buffer that grows. Numbers are big-endian. */
export class FrameWriter {
  #bytes: Uint8Array
  #view: DataView
  #length = 0

  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get length(): number {
    return this.#length
  }

  u8(value: number): void {
    const at = this.#grow(1)
    this.#view.setUint8(at, value)
  }

  u16(value: number): void {
    const at = this.#grow(2)
    this.#view.setUint16(at, value)
  }

  u32(value: number): void {
    const at = this.#grow(4)
    this.#view.setUint32(at, value)
  }

  f64(value: number): void {
    const at = this.#grow(8)
    this.#view.setFloat64(at, value)
  }

  i64(value: bigint): void {
    const at = this.#grow(8)
    this.#view.setBigInt64(at, value)
  }

  raw(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length)
    this.#bytes.set(bytes, at)
  }

  /** One byte a char; for texts that are bytes already. */
  byteString(text: string): void {
    const at = this.#grow(text.length)
    const bytes = this.#bytes
    for (let i = 0; i < text.length; i += 1) bytes[at + i] = text.charCodeAt(i)
  }

  /** UTF-8. @returns bytes written */
  text(text: string): number {
    const at = this.#grow(text.length * 3)
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(at))
    this.#length = at + written
    return written
  }

  /** Writes over what stands at `at`. */
  setU16(at: number, value: number): void {
    this.#view.setUint16(at, value)
  }

  setU32(at: number, value: number): void {
    this.#view.setUint32(at, value)
  }

  setF64(at: number, value: number): void {
    this.#view.setFloat64(at, value)
  }

  /** Forgets what was written from `at` on. */
  rewind(at: number): void {
    this.#length = at
  }

  /** A copy of all of it; the writer begins anew. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length)
    this.#length = 0
    return taken
  }

  #grow(size: number): number {
    const at = this.#length
    this.#length = at + size
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2))
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    return at
  }
}
