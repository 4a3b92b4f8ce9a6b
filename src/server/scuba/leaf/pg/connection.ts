import type { Socket } from 'node:net'
import { LIMITS } from '../../../../core/scuba/limits.ts'
import { MessageReader } from '../../../../core/scuba/pgwire/messages.ts'
import type { PgRefusal } from '../../../../core/scuba/pgwire/problem.ts'
import { MessageWriter } from '../../../../core/scuba/pgwire/writer.ts'

/** A reader that takes nothing for so long is no reader. */
const STUCK_MS = 60_000
const LOGIN_MESSAGE_BYTES_MAX = 10_000

/** A client's socket: messages in, in order and one at a time; messages out, no more than it takes. */
export class PgConnection {
  socket: Socket
  readonly reader = new MessageReader(LOGIN_MESSAGE_BYTES_MAX)
  readonly out = new MessageWriter()
  /** aborted when it is over */
  readonly gone = new AbortController()
  #wake: (() => void) | null = null

  readonly #stuckMs: number

  /** @param stuckMs after so long without reading a client is given up */
  constructor(socket: Socket, stuckMs = STUCK_MS) {
    this.socket = socket
    this.#stuckMs = stuckMs
    this.use(socket)
  }

  /** Goes on with this socket: at first the one that came, then that of TLS within it. */
  use(socket: Socket): void {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => {
      this.reader.push(bytes)
      // While a statement runs only so much is read ahead.
      if (this.reader.waitingBytes > LIMITS.pgMessageBytesMax) socket.pause()
      this.#awake()
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      if (this.socket === socket) this.gone.abort()
      this.#awake()
    })
    // Half-closed: nobody reads what would be answered.
    socket.on('end', () => socket.destroy())
  }

  get isOpen(): boolean {
    return !this.gone.signal.aborted
  }

  /** What `read` gives of what came, as soon as it gives something; null: the connection is over. */
  async receive<T>(read: (reader: MessageReader) => T | null): Promise<T | null> {
    for (;;) {
      const message = read(this.reader)
      if (message !== null || !this.isOpen) return message
      this.socket.resume()
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** Sends what was written. Resolves when the client has taken all but a bounded rest; ends a connection that takes nothing. */
  async flush(): Promise<void> {
    if (this.out.length > 0 && this.isOpen) this.socket.write(this.out.take())
    while (this.isOpen && this.socket.writableLength > LIMITS.pgWaitingBytesMax) {
      const before = this.socket.bytesWritten - this.socket.writableLength
      const isDrained = await this.#drained()
      if (!isDrained && this.socket.bytesWritten - this.socket.writableLength === before) this.socket.destroy()
    }
  }

  /** Says why, and ends. */
  async fail(refusal: PgRefusal): Promise<void> {
    this.out.problem({ severity: 'FATAL', ...refusal })
    await this.flush()
    this.end()
  }

  end(): void {
    if (this.isOpen) this.socket.end()
    // One that does not close its side is closed.
    setTimeout(() => this.socket.destroy(), 1000).unref()
  }

  #awake(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }

  #drained(): Promise<boolean> {
    return new Promise((resolve) => {
      const { socket } = this
      const done = (isDrained: boolean): void => {
        clearTimeout(timer)
        socket.off('drain', drained)
        socket.off('close', drained)
        resolve(isDrained)
      }
      const drained = (): void => done(true)
      const timer = setTimeout(() => done(false), this.#stuckMs)
      socket.once('drain', drained)
      socket.once('close', drained)
    })
  }
}
