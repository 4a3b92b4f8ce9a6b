import { promisify } from 'node:util'
import { constants, crc32, deflateRaw, deflateRawSync, type ZlibOptions } from 'node:zlib'

const OPTIONS: ZlibOptions = { level: 1, finishFlush: constants.Z_SYNC_FLUSH }

/**
 * A piece of gzip streams that are put together of pieces: RFC 1951 lets a compressor end a block at a byte without ending the stream
 * (Z_SYNC_FLUSH), so each piece is compressed once, by itself, and any order of pieces is a stream.
 */
export class GzipPart {
  readonly plain: Buffer
  #deflated: Buffer | null = null

  constructor(plain: Buffer) {
    this.plain = plain
  }

  get deflated(): Buffer {
    return (this.#deflated ??= deflateRawSync(this.plain, OPTIONS))
  }

  /** Compresses it in another thread, before somebody waits for it. */
  async deflate(): Promise<void> {
    this.#deflated ??= await promisify<Buffer, ZlibOptions, Buffer>(deflateRaw)(this.plain, OPTIONS)
  }
}

/** RFC 1952: deflated, no name, no time, of no system. */
const HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
/** An empty last block. */
const LAST = Buffer.from([3, 0])

/** One gzip stream of the parts. */
export function gzipOf(parts: readonly GzipPart[]): Buffer[] {
  let crc = 0
  let bytes = 0
  for (const { plain } of parts) {
    crc = crc32(plain, crc)
    bytes += plain.length
  }
  const foot = Buffer.alloc(8)
  foot.writeUInt32LE(crc, 0)
  foot.writeUInt32LE(bytes >>> 0, 4)
  return [HEAD, ...parts.map(({ deflated }) => deflated), LAST, foot]
}
