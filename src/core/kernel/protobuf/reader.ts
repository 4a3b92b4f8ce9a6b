import { byteString } from './byte-string.ts'

const decoder = new TextDecoder()
export const NO_BYTES = new Uint8Array(0)
/** Nested messages and groups deeper than this are refused, so that a request cannot exhaust the stack. */
const DEPTH_MAX = 100

/**
 * A cursor over one encoded message. Nothing throws: a read past the end, or of something that cannot be, sets `failed`, moves to the
 * end and gives zero or nothing, so loops over `more()` stop by themselves and the caller looks at `failed` once.
 */
export class Reader {
  readonly bytes: Uint8Array
  at: number
  end: number
  failed = false
  /** where it failed, bytes from the start; -1: it did not */
  failedAt = -1
  /** elements of lists that may still be read: short bytes can stand for many objects */
  itemsLeft: number
  private depth = 0

  constructor(bytes: Uint8Array, start = 0, end = bytes.length, itemsMax = Infinity) {
    this.bytes = bytes
    this.itemsLeft = itemsMax
    this.at = start
    this.end = end
  }

  fail(): void {
    if (!this.failed) this.failedAt = this.at
    this.failed = true
    this.at = this.end
  }

  /** One more element of a list. */
  count(): void {
    this.itemsLeft -= 1
    if (this.itemsLeft < 0) this.fail()
  }

  /** The next field's number and wire type, `number << 3 | type`; 0 at the end or after a failure. */
  tag(): number {
    if (this.at >= this.end) return 0
    const first = this.bytes[this.at] as number
    if (first < 0x80 && first > 7) {
      this.at += 1
      return first
    }
    const tag = this.uint()
    // Numbers go up to 2^29 - 1; 0 is none.
    if (tag < 8 || tag > 0xffff_ffff) this.fail()
    return this.failed ? 0 : tag
  }

  /** A varint below 2^53 exactly, larger ones rounded. */
  uint(): number {
    const { bytes, at, end } = this
    if (at < end) {
      const first = bytes[at] as number
      if (first < 0x80) {
        this.at = at + 1
        return first
      }
    }
    return this.longVarint() ? this.high * 4_294_967_296 + this.low : 0
  }

  /** The same as a signed 64-bit integer. */
  int(): number {
    const { bytes, at, end } = this
    if (at < end) {
      const first = bytes[at] as number
      if (first < 0x80) {
        this.at = at + 1
        return first
      }
    }
    return this.longVarint() ? (this.high | 0) * 4_294_967_296 + this.low : 0
  }

  /** An enum: the low 32 bits, signed. */
  int32(): number {
    return this.longVarint() ? this.low | 0 : 0
  }

  uint64(): bigint {
    return this.longVarint() ? (BigInt(this.high) << 32n) | BigInt(this.low) : 0n
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64())
  }

  /** A zigzag varint. */
  sint32(): number {
    const value = this.int32()
    return (value >>> 1) ^ -(value & 1)
  }

  fixed32(): number {
    const at = this.at
    this.pass(4)
    return this.failed ? 0 : this.dataView().getUint32(at, true)
  }

  fixed64(): bigint {
    const at = this.at
    this.pass(8)
    return this.failed ? 0n : this.dataView().getBigUint64(at, true)
  }

  double(): number {
    const at = this.at
    this.pass(8)
    return this.failed ? 0 : this.dataView().getFloat64(at, true)
  }

  bool(): boolean {
    return this.longVarint() && (this.low | this.high) !== 0
  }

  /** The length of what follows, checked to lie within the message; then `at` is its start. */
  length(): number {
    const length = this.uint()
    if (length > this.end - this.at) {
      this.fail()
      return 0
    }
    return length
  }

  byteString(): string {
    const length = this.length()
    const start = this.at
    this.at = start + length
    return byteString(this.bytes, start, this.at)
  }

  /** A view of the message, not a copy. */
  view(): Uint8Array {
    const length = this.length()
    if (length === 0) return NO_BYTES
    const start = this.at
    this.at = start + length
    return this.bytes.subarray(start, this.at)
  }

  text(): string {
    const length = this.length()
    const start = this.at
    this.at = start + length
    return length === 0 ? '' : decoder.decode(this.bytes.subarray(start, this.at))
  }

  /** Narrows to the nested message that follows. @returns what `leave` wants */
  enter(): number {
    const length = this.length()
    const outer = this.end
    this.depth += 1
    if (this.depth > DEPTH_MAX) this.fail()
    else if (!this.failed) this.end = this.at + length
    return outer
  }

  leave(outer: number): void {
    this.depth -= 1
    this.end = outer
    if (this.failed) this.at = outer
  }

  /** Passes over a field that nobody knows, groups included. */
  skip(tag: number): void {
    let groups = 0
    let type = tag & 7
    for (;;) {
      if (type === 0) this.longVarint()
      else if (type === 1) this.pass(8)
      else if (type === 2) this.pass(this.length())
      else if (type === 5) this.pass(4)
      else if (type === 3) groups += 1
      else if (type === 4 && groups > 0) groups -= 1
      else this.fail()
      if (this.failed || groups === 0) return
      if (groups > DEPTH_MAX) return this.fail()
      const next = this.tag()
      if (next === 0) return this.fail()
      type = next & 7
    }
  }

  /** Made at the first number of a fixed size. */
  private dataView(): DataView {
    return (this.numbers ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength))
  }

  private numbers: DataView | null = null
  private low = 0
  private high = 0

  private pass(count: number): void {
    if (count > this.end - this.at) this.fail()
    else this.at += count
  }

  /** Reads up to ten bytes into `low` and `high`. */
  private longVarint(): boolean {
    const { bytes, end } = this
    let { at } = this
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= end) break
      const byte = bytes[at++] as number
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else if (shift < 63) high |= bits << (shift - 32)
      else high |= (bits & 1) << 31
      if (byte < 0x80) {
        this.at = at
        this.low = low >>> 0
        this.high = high >>> 0
        return true
      }
    }
    this.fail()
    return false
  }
}
