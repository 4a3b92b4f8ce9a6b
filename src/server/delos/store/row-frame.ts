import type { Version } from '../../../core/delos/kv/version.ts'

/**
 * Versions on their way to the thread that writes them: one buffer that changes hands, for cloning an object each would cost more than
 * writing the row. A version is u32 length of the key, u32 length of the value, f64 mod, create and version, i64 lease, u32 sub, u8 deleted, then key and value.
 */
const HEAD_BYTES = 45
const FIRST_BYTES = 64 * 1024
/** A larger buffer is not kept: it was one of a burst. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024

export class VersionFrame {
  #bytes: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #spare: Buffer<ArrayBuffer> | null = null
  #length = 0

  get length(): number {
    return this.#length
  }

  add(version: Version): void {
    const size = HEAD_BYTES + version.key.length + version.value.length
    if (this.#length + size > this.#bytes.length) this.#grow(this.#length + size)
    const bytes = this.#bytes
    const at = this.#length
    bytes.writeUInt32LE(version.key.length, at)
    bytes.writeUInt32LE(version.value.length, at + 4)
    bytes.writeDoubleLE(version.mod_revision, at + 8)
    bytes.writeDoubleLE(version.create_revision, at + 16)
    bytes.writeDoubleLE(version.version, at + 24)
    bytes.writeBigInt64LE(version.lease, at + 32)
    bytes.writeUInt32LE(version.sub, at + 40)
    bytes[at + 44] = version.isDeleted ? 1 : 0
    bytes.write(version.key, at + HEAD_BYTES, 'latin1')
    bytes.set(version.value, at + HEAD_BYTES + version.key.length)
    this.#length += size
  }

  /** The bytes so far, to be transferred; the frame begins anew. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = new Uint8Array(this.#bytes.buffer as ArrayBuffer, 0, this.#length)
    this.#bytes = this.#spare ?? Buffer.allocUnsafeSlow(FIRST_BYTES)
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
  }
}

/** A row of `kv_rev`, as it is bound to a statement. `lease` null: none. */
export interface BoundVersion {
  rev: number
  sub: number
  key: Buffer
  create: number
  version: number
  lease: bigint | null
  isDeleted: number
  value: Buffer
}

export function* readVersions(frame: Uint8Array): Generator<BoundVersion> {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
  for (let at = 0; at < bytes.length;) {
    const keyEnd = at + HEAD_BYTES + bytes.readUInt32LE(at)
    const end = keyEnd + bytes.readUInt32LE(at + 4)
    const lease = bytes.readBigInt64LE(at + 32)
    yield {
      rev: bytes.readDoubleLE(at + 8),
      sub: bytes.readUInt32LE(at + 40),
      key: bytes.subarray(at + HEAD_BYTES, keyEnd),
      create: bytes.readDoubleLE(at + 16),
      version: bytes.readDoubleLE(at + 24),
      lease: lease === 0n ? null : lease,
      isDeleted: bytes[at + 44] ?? 0,
      value: bytes.subarray(keyEnd, end),
    }
    at = end
  }
}
