/** A quiet connection holds this much; a busy one, whose output fills slab after slab, up to the larger. */
const SLAB_BYTES_MIN = 4096
const SLAB_BYTES_MAX = 65_536
/** A rest smaller than this is not worth keeping. */
const REST_BYTES_MIN = 512
const NO_SLAB = new Uint8Array(0)
const encoder = new TextEncoder()

/**
 * Bytes going out, collected in slabs that are never written twice: what `take` handed over may be held by a socket for as long as it
 * likes. Lengths in front of a nested message are patched in afterwards (`begin` and `end`), so nothing is measured or copied first.
 */
export class ByteWriter {
  bytes: Uint8Array = NO_SLAB
  /** where the next byte goes */
  at = 0
  /** first byte that is not taken yet */
  start = 0
  /** of the next slab, which is made when there is something to write */
  private slabBytes: number

  constructor(slabBytes = SLAB_BYTES_MIN) {
    this.slabBytes = slabBytes
  }

  get length(): number {
    return this.at - this.start
  }

  /** Makes room for `count` more bytes; offsets of what was written since the last `take` stay as they are. */
  ensure(count: number): void {
    if (this.at + count <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.slabBytes, this.bytes.length * 2, this.at + count))
    grown.set(this.bytes.subarray(this.start, this.at), this.start)
    this.bytes = grown
  }

  /** Everything written since the last time, as a view that is never changed again. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(this.start, this.at)
    this.start = this.at
    if (this.bytes.length > SLAB_BYTES_MAX || this.bytes.length - this.at < Math.max(REST_BYTES_MIN, taken.length)) {
      // The next output is likely to be as long as this one: a slab in which it fits several times.
      this.slabBytes = Math.min(SLAB_BYTES_MAX, Math.max(SLAB_BYTES_MIN, taken.length * 4))
      this.bytes = NO_SLAB
      this.at = 0
      this.start = 0
    }
    return taken
  }

  /** Forgets what was written from `at` on. */
  rewind(at: number): void {
    this.at = at
  }

  byte(value: number): void {
    this.ensure(1)
    this.bytes[this.at++] = value
  }

  uint32(value: number): void {
    this.ensure(4)
    const { bytes, at } = this
    bytes[at] = value >>> 24
    bytes[at + 1] = value >>> 16
    bytes[at + 2] = value >>> 8
    bytes[at + 3] = value
    this.at = at + 4
  }

  /** Little-endian, as Protocol Buffers has them. */
  fixed32(value: number): void {
    this.numbers(4).setUint32(0, value, true)
  }

  fixed64(value: bigint): void {
    this.numbers(8).setBigUint64(0, BigInt.asUintN(64, value), true)
  }

  double(value: number): void {
    this.numbers(8).setFloat64(0, value, true)
  }

  raw(value: Uint8Array): void {
    const { length } = value
    this.ensure(length)
    if (length > 24) this.bytes.set(value, this.at)
    else for (let i = 0; i < length; i += 1) this.bytes[this.at + i] = value[i] as number
    this.at += length
  }

  /** One byte a char; chars over U+00FF lose their upper bits, as a byte string has none. */
  byteString(value: string): void {
    const { length } = value
    this.ensure(length)
    const { bytes, at } = this
    for (let i = 0; i < length; i += 1) bytes[at + i] = value.charCodeAt(i)
    this.at = at + length
  }

  /** @returns bytes written */
  text(value: string): number {
    this.ensure(value.length * 3)
    const { written } = encoder.encodeInto(value, this.bytes.subarray(this.at))
    this.at += written
    return written
  }

  /** A base-128 varint of 64 bits, two's complement for a negative number (Protocol Buffers, "Encoding"). */
  varint(value: number): void {
    this.ensure(10)
    if (value >= 0 && value < 0x80) this.bytes[this.at++] = value
    else this.varint64(value >>> 0, Math.floor(value / 4_294_967_296) >>> 0)
  }

  bigVarint(value: bigint): void {
    this.ensure(10)
    this.varint64(Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n)))
  }

  /** Starts something whose length goes before it. @returns what `end` wants */
  begin(): number {
    this.ensure(1)
    return this.at++
  }

  end(mark: number): void {
    const length = this.at - mark - 1
    if (length < 0x80) {
      this.bytes[mark] = length
      return
    }
    const extra = varintBytes(length) - 1
    this.ensure(extra)
    this.bytes.copyWithin(mark + 1 + extra, mark + 1, this.at)
    const end = this.at + extra
    this.at = mark
    this.varint64(length, 0)
    this.at = end
  }

  /** The next `count` bytes, to be filled. */
  private numbers(count: number): DataView {
    this.ensure(count)
    this.at += count
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at - count, count)
  }

  private varint64(low: number, high: number): void {
    const { bytes } = this
    let { at } = this
    let [lo, hi] = [low, high]
    while (hi > 0) {
      bytes[at++] = (lo & 0x7f) | 0x80
      lo = ((lo >>> 7) | (hi << 25)) >>> 0
      hi >>>= 7
    }
    while (lo > 0x7f) {
      bytes[at++] = (lo & 0x7f) | 0x80
      lo >>>= 7
    }
    bytes[at++] = lo
    this.at = at
  }
}

/** Bytes of a length's varint; lengths are below 2^31. */
const varintBytes = (length: number): number => (length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5)
