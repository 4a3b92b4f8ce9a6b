import type { Socket } from 'node:net'
import { FrameSplitter } from '../../../core/delos/wire/native/frames.ts'
import { FrameWriter } from '../../../core/delos/wire/native/frame-writer.ts'

/** A connection of the native protocol, after its preface. */
export interface NativeConnection {
  /** bytes of frames that wait for their answers */
  readonly pendingBytes: number
  receive(chunk: Uint8Array): void
  /** Reads nothing more, answers what is under way, and ends. */
  shutDown(): void
}

export type OpenNative = (socket: Socket, commonName: string) => NativeConnection

/** What is done with a client's frames. Every `write` and `read` is followed by one `done`, sooner or later. */
export interface NativeHandler {
  /** False: it is no such frame, and the connection ends. */
  onFrame(kind: number, body: Uint8Array): boolean
}

/** Bytes of frames that wait for their answers, of one connection; above it nothing more is read from it. */
const PENDING_BYTES_MAX = 8 * 1024 * 1024
/** Answers that the client does not read; above it the same. */
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024
const KEEP_ALIVE_MS = 30_000
/** How long a client has to read the last answers. */
const LAST_WORDS_MS = 1000

/** One client on its socket: frames in, frames out, all that is said in one turn of the event loop in one write. */
export class NativeSocket implements NativeConnection {
  readonly out = new FrameWriter()
  readonly #socket: Socket
  readonly #splitter: FrameSplitter
  readonly #handler: NativeHandler
  #pendingBytes = 0
  #isReading = true
  #isFlushDue = false
  #isEnding = false

  constructor(socket: Socket, frameBytesMax: number, open: (connection: NativeSocket) => NativeHandler) {
    this.#socket = socket
    this.#splitter = new FrameSplitter(frameBytesMax)
    this.#handler = open(this)
    socket.setNoDelay(true)
    // A peer that vanished without a word must not hold its connection for ever.
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.on('data', (chunk: Buffer) => this.receive(chunk))
    socket.on('drain', () => this.#throttle())
    socket.on('end', () => this.#end())
    // What there is to say follows in `close`.
    socket.on('error', () => socket.destroy())
  }

  receive(chunk: Uint8Array): void {
    if (this.#isEnding) return
    // Not as a Buffer: the store's slices of it have to be copies.
    this.#splitter.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength), (frame) => {
      if (!this.#isEnding && !this.#handler.onFrame(frame[0] ?? 0, frame.subarray(1))) this.#end()
    })
    if (this.#splitter.isBroken) this.#end()
    this.#throttle()
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** A frame of so many bytes waits for its answer. */
  pending(bytes: number): void {
    this.#pendingBytes += bytes
  }

  done(bytes: number): void {
    this.#pendingBytes -= bytes
    if (!this.#isReading) this.#throttle()
    if (this.#isEnding && this.#pendingBytes === 0) this.flushSoon()
  }

  /** What was written to `out` leaves at the end of this turn. */
  flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    setImmediate(() => {
      this.#isFlushDue = false
      if (this.out.length > 0 && this.#socket.writable) this.#socket.write(this.out.take())
      if (this.#isEnding && this.#pendingBytes === 0)
        this.#socket.end(() => setTimeout(() => this.#socket.destroy(), LAST_WORDS_MS).unref())
      else this.#throttle()
    })
  }

  /** Whether nobody is there to be answered. */
  get isOver(): boolean {
    return this.#socket.destroyed
  }

  /** Writes what was written to `out`, the beginning of a frame last, and the rest of that frame. */
  writeWith(parts: readonly Uint8Array[]): void {
    if (!this.#socket.writable) return
    this.#socket.cork()
    this.#socket.write(this.out.take())
    for (const part of parts) this.#socket.write(part)
    this.#socket.uncork()
    this.flushSoon()
  }

  shutDown(): void {
    this.#end()
  }

  #end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#socket.pause()
    this.flushSoon()
  }

  #throttle(): void {
    const isFull = this.#isEnding || this.#pendingBytes > PENDING_BYTES_MAX || this.#socket.writableLength > OUTPUT_BYTES_MAX
    if (isFull === !this.#isReading) return
    this.#isReading = !isFull
    if (isFull) this.#socket.pause()
    else this.#socket.resume()
  }
}
