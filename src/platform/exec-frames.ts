/*
 * A command that runs on another machine, over one request: what is typed goes up in its body, what it prints comes down in the answer, both
 * as frames, since either has more than one kind of thing to say.
 *
 *   frame: kind, 1 byte · length of the rest, 4 bytes, big-endian · the rest
 */

/** Up: `input` bytes (none: no more will come), `size` JSON `[rows, columns]`, `signal` a name. Down: `out`, `err`, `exit` a number. */
export const FRAME = { input: 0, size: 1, signal: 2, out: 3, err: 4, exit: 5 } as const

export type FrameKind = (typeof FRAME)[keyof typeof FRAME]

const HEAD_BYTES = 5
const FRAME_BYTES_MAX = 1024 * 1024

export function frameOf(kind: FrameKind, rest: Uint8Array | string = ''): Buffer {
  const bytes = Buffer.from(rest as Uint8Array)
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt8(kind, 0)
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

/** The frames of a stream. Throws for one that is longer than any of ours, and ends with the stream, also inside of a frame. */
export async function* framesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<{ kind: number; rest: Buffer }> {
  let waiting: Buffer = Buffer.alloc(0)
  for await (const part of stream) {
    waiting = waiting.length === 0 ? part : Buffer.concat([waiting, part])
    while (waiting.length >= HEAD_BYTES) {
      const length = waiting.readUInt32BE(1)
      if (length > FRAME_BYTES_MAX) throw new RangeError(`a frame of ${length} bytes`)
      if (waiting.length < HEAD_BYTES + length) break
      yield { kind: waiting.readUInt8(0), rest: waiting.subarray(HEAD_BYTES, HEAD_BYTES + length) }
      waiting = waiting.subarray(HEAD_BYTES + length)
    }
  }
}
