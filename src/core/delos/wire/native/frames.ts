import type { FrameWriter } from './frame-writer.ts'

/** What a client says first: no request line of HTTP and no preface of HTTP/2 begins with a zero. The last byte is the version. */
export const PREFACE = Uint8Array.of(0, 0x4d, 0x55, 0x53, 0x54, 0x45, 0x52, 1)

/** First byte of a frame, after its length. */
export const FRAME = {
  hello: 1,
  write: 2,
  read: 3,
  welcome: 129,
  written: 130,
  readings: 131,
  refused: 132,
} as const

/** Before a frame: length of what follows, u32. */
export const LENGTH_BYTES = 4
/** Bytes of a write before its operations: session f64, seq f64, floor f64, count u16. */
export const WRITE_HEAD_BYTES = 26
/** Bytes of a read before its operations: id f64, flags u8, count u16. */
export const READ_HEAD_BYTES = 11
/** Operations of one frame. */
export const OPS_MAX = 1000
/** `read` flag: as it stands on this server, without asking whether it is the newest. */
export const SERIALIZABLE = 1

/**
 * Cuts a byte stream into frames. What it gives are views of the chunks that came in; only a frame that spans chunks is copied, once.
 */
export class FrameSplitter {
  readonly #frameBytesMax: number
  #parts: Uint8Array[] = []
  #have = 0
  #need = LENGTH_BYTES
  /** a frame claimed more than the limit: nothing after it can be read */
  isBroken = false

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax
  }

  /** bytes of a frame that is not whole yet */
  get heldBytes(): number {
    return this.#have
  }

  /** Calls `take` with each frame that is whole now, from its kind on. */
  push(chunk: Uint8Array, take: (frame: Uint8Array) => void): void {
    if (this.isBroken) return
    this.#parts.push(chunk)
    this.#have += chunk.length
    if (this.#have < this.#need) return
    const bytes = this.#parts.length === 1 ? chunk : joined(this.#parts, this.#have)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let at = 0
    this.#need = LENGTH_BYTES
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = view.getUint32(at)
      if (length > this.#frameBytesMax || length === 0) {
        this.isBroken = true
        this.#parts = []
        this.#have = 0
        return
      }
      if (bytes.length - at < LENGTH_BYTES + length) {
        this.#need = LENGTH_BYTES + length
        break
      }
      take(bytes.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length))
      at += LENGTH_BYTES + length
    }
    const rest = bytes.subarray(at)
    this.#parts = rest.length === 0 ? [] : [rest]
    this.#have = rest.length
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** Writes a frame whose body `write` makes. */
export function frame(writer: FrameWriter, kind: number, write: () => void): void {
  const start = writer.length
  writer.u32(0)
  writer.u8(kind)
  write()
  writer.setU32(start, writer.length - start - LENGTH_BYTES)
}
