import { LENGTH_BYTES } from '../../core/delos/wire/native/frames.ts'
import { FrameWriter } from '../../core/delos/wire/native/frame-writer.ts'
import { OP_HEAD_BYTES, OP_KEY_BYTES_MAX } from '../../core/delos/wire/native/ops.ts'
import type { KeyValue } from '../../core/delos/wire/messages.ts'

/** What an operation may be answered with, as its caller gets it. */
export interface Waiting {
  changed?: (revision: number) => void
  nothing?: (revision: number) => void
  message?: (bytes: Uint8Array) => void
  found?: (found: Omit<KeyValue, 'key'>) => void
  reject: (error: Error) => void
}

/** Operations that leave together, and who waits for them. */
export interface Frame {
  /** from its length on; the head is filled in when it is sent */
  bytes: Uint8Array
  waiting: Waiting[]
  /** ms of `performance.now()` after which nobody waits any more */
  untilMs: number
  /** seq of a write, id of a read; 0: was not sent yet */
  id: number
  /** of a write: in which session it was sent */
  session: number
  sentAtMs: number
  /** it was sent, and what came of it is not known */
  mayBeDone: boolean
  hasNewToken: boolean
}

/** Bytes before the head of a frame: its length and its kind. */
export const FRAME_START_BYTES = LENGTH_BYTES + 1
/** A frame that is this long takes no further operation. */
const FRAME_BYTES_FULL = 256 * 1024

const encoder = new TextEncoder()

/** Collects operations straight into the bytes of their frame. */
export class Collector {
  readonly #writer = new FrameWriter(64 * 1024)
  readonly #kind: number
  readonly #headBytes: number
  #waiting: Waiting[] = []
  #untilMs = 0

  constructor(kind: number, headBytes: number) {
    this.#kind = kind
    this.#headBytes = headBytes
    this.#begin()
  }

  get count(): number {
    return this.#waiting.length
  }

  isFull(opsMax: number): boolean {
    return this.#waiting.length >= opsMax || this.#writer.length >= FRAME_BYTES_FULL
  }

  /** @returns bytes of the operation; -1: its key is too long for one, and nothing was added */
  add(kind: number, key: string | Uint8Array, body: string | Uint8Array, waiting: Waiting, untilMs: number): number {
    const writer = this.#writer
    const start = writer.length
    writer.u8(kind)
    writer.u16(0)
    writer.u32(0)
    const keyBytes = put(writer, key)
    if (keyBytes > OP_KEY_BYTES_MAX) {
      writer.rewind(start)
      return -1
    }
    const bodyBytes = put(writer, body)
    writer.setU16(start + 1, keyBytes)
    writer.setU32(start + 3, bodyBytes)
    if (this.#waiting.length === 0) this.#untilMs = untilMs
    this.#waiting.push(waiting)
    return OP_HEAD_BYTES + keyBytes + bodyBytes
  }

  /** The frame so far, with the number of its operations; another one begins. */
  take(): Frame {
    const writer = this.#writer
    writer.setU32(0, writer.length - LENGTH_BYTES)
    // The count is what every head ends with.
    writer.setU16(FRAME_START_BYTES + this.#headBytes - 2, this.#waiting.length)
    const frame = frameOf(writer.take(), this.#waiting, this.#untilMs)
    this.#waiting = []
    this.#begin()
    return frame
  }

  #begin(): void {
    this.#writer.u32(0)
    this.#writer.u8(this.#kind)
    for (let i = 0; i < this.#headBytes; i += 1) this.#writer.u8(0)
  }
}

export function frameOf(bytes: Uint8Array, waiting: Waiting[], untilMs: number): Frame {
  return { bytes, waiting, untilMs, id: 0, session: 0, sentAtMs: 0, mayBeDone: false, hasNewToken: false }
}

function put(writer: FrameWriter, data: string | Uint8Array): number {
  if (typeof data === 'string') return writer.text(data)
  writer.raw(data)
  return data.length
}

/** Bytes of a key as the store has it, one char a byte. */
export function keyOf(key: string | Uint8Array): string {
  return Buffer.from(typeof key === 'string' ? encoder.encode(key) : key).toString('latin1')
}
