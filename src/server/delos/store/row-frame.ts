import { NO_BYTES, tombstone, type Version } from '../../../core/delos/kv/version.ts'
import { byteString } from '../../../core/kernel/protobuf/byte-string.ts'

/**
 * Versions one after the other in one buffer: on their way to the thread that writes them, which makes a row of so many at a time, and in those
 * rows. A version is, little-endian, u32 length of the key, u32 length of the value, f64 mod, create and version, i64 lease, u32 sub, u8 deleted, then key and value.
 */
const HEAD_BYTES = 45
const FIRST_BYTES = 64 * 1024
/** A larger buffer is not kept: it was one of a burst. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024
/** Up to here a loop is faster than a call. */
const SHORT_KEY_BYTES = 48

export class VersionFrame {
  #bytes: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #view = new DataView(this.#bytes.buffer)
  #spare: Buffer<ArrayBuffer> | null = null
  #length = 0

  get length(): number {
    return this.#length
  }

  add(version: Version): void {
    const size = HEAD_BYTES + version.key.length + version.value.length
    if (this.#length + size > this.#bytes.length) this.#grow(this.#length + size)
    const bytes = this.#bytes
    // Not by Buffer's methods: a view's are compiled into place.
    const view = this.#view
    const at = this.#length
    const { key, value } = version
    view.setUint32(at, key.length, true)
    view.setUint32(at + 4, value.length, true)
    view.setFloat64(at + 8, version.mod_revision, true)
    view.setFloat64(at + 16, version.create_revision, true)
    view.setFloat64(at + 24, version.version, true)
    view.setBigInt64(at + 32, version.lease, true)
    view.setUint32(at + 40, version.sub, true)
    view.setUint8(at + 44, version.isDeleted ? 1 : 0)
    if (key.length > SHORT_KEY_BYTES) bytes.write(key, at + HEAD_BYTES, 'latin1')
    else for (let i = 0; i < key.length; i += 1) bytes[at + HEAD_BYTES + i] = key.charCodeAt(i)
    bytes.set(value, at + HEAD_BYTES + key.length)
    this.#length += size
  }

  /** The bytes so far, to be transferred; the frame begins anew. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = new Uint8Array(this.#bytes.buffer, 0, this.#length)
    this.#bytes = this.#spare ?? Buffer.allocUnsafeSlow(FIRST_BYTES)
    this.#view = new DataView(this.#bytes.buffer)
    this.#spare = null
    this.#length = 0
    return taken
  }

  /** Takes back what `take` gave away: memory that was used before costs no page faults. */
  giveBack(buffer: ArrayBuffer): void {
    if (buffer.byteLength <= KEPT_BYTES_MAX) this.#spare = Buffer.from(buffer)
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

/** Walks the versions of a frame in place: `next` moves on, the fields say which one this is and where it stands. */
export class FrameCursor {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  /** of the version: its first byte, and that after its last */
  at = 0
  end = 0
  rev = 0
  sub = 0

  constructor(frame: Uint8Array) {
    this.#bytes = frame
    this.#view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  }

  /** False: that was the last one. */
  next(): boolean {
    const at = this.end
    if (at >= this.#bytes.length) return false
    const view = this.#view
    this.at = at
    this.end = at + HEAD_BYTES + view.getUint32(at, true) + view.getUint32(at + 4, true)
    this.rev = view.getFloat64(at + 8, true)
    this.sub = view.getUint32(at + 40, true)
    return true
  }

  /** Its value is a view of the frame. */
  version(): Version {
    const view = this.#view
    const { at, end } = this
    const keyAt = at + HEAD_BYTES
    const valueAt = keyAt + view.getUint32(at, true)
    const key = byteString(this.#bytes, keyAt, valueAt)
    if (view.getUint8(at + 44) === 1) return tombstone(key, this.rev, this.sub)
    return {
      key,
      create_revision: view.getFloat64(at + 16, true),
      mod_revision: this.rev,
      version: view.getFloat64(at + 24, true),
      value: end === valueAt ? NO_BYTES : this.#bytes.subarray(valueAt, end),
      // One zero for all: a bigint is an object.
      lease: view.getUint32(at + 32) === 0 && view.getUint32(at + 36) === 0 ? 0n : view.getBigInt64(at + 32, true),
      sub: this.sub,
      isDeleted: false,
    }
  }
}
