/** Before each frame on a connection between servers: length of its bytes, u32, big-endian, and its channel, u8. */
export const FRAME_HEAD_BYTES = 5

/** Takes the frames out of what a connection brings. A frame that comes in parts is copied once, part by part, into bytes of its own. */
export class FrameReader {
  readonly #bytesMax: number
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES)
  /** bytes of a head that is not whole yet */
  #headHave = 0
  #channel = 0
  /** the frame that is not whole yet, and how much of it is here */
  #frame: Buffer | null = null
  #have = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /**
   * @param take is given each frame as it is whole, a view that holds for good; a reason to end the connection, or null
   * @returns such a reason, of `take` or that a frame is too long; null: goes on
   */
  read(chunk: Buffer, take: (channel: number, frame: Buffer) => string | null): string | null {
    for (let at = 0; at < chunk.length;) {
      if (this.#frame !== null) {
        at += this.#fill(this.#frame, chunk, at)
        if (this.#have < this.#frame.length) return null
        const frame = this.#frame
        this.#frame = null
        const reason = take(this.#channel, frame)
        if (reason !== null) return reason
        continue
      }
      const copied = chunk.copy(this.#head, this.#headHave, at)
      this.#headHave += copied
      at += copied
      if (this.#headHave < FRAME_HEAD_BYTES) return null
      this.#headHave = 0
      const length = this.#head.readUInt32BE(0)
      if (length > this.#bytesMax) return `a frame of ${length} bytes`
      this.#channel = this.#head[4] as number
      if (chunk.length - at < length) {
        this.#frame = Buffer.allocUnsafeSlow(length)
        this.#have = 0
        continue
      }
      const reason = take(this.#channel, chunk.subarray(at, at + length))
      if (reason !== null) return reason
      at += length
    }
    return null
  }

  #fill(frame: Buffer, chunk: Buffer, at: number): number {
    const copied = chunk.copy(frame, this.#have, at)
    this.#have += copied
    return copied
  }
}
