import type { Socket } from 'node:net'
import { GrpcConnection, type GrpcCounters, type GrpcLimits } from '../../../core/delos/wire/grpc/connection.ts'
import type { Routes } from '../../../core/delos/wire/grpc/routes.ts'
import type { Flushable } from './flusher.ts'

/** More than this in the socket's buffer, and no more data is put into it. */
const SOCKET_HIGH_BYTES = 1_048_576
/** More than this behind a socket that takes nothing, and nothing more is read: a peer that does not read its answers gets no new ones. */
const QUEUED_BYTES_MAX = 4 * 1_048_576
/** Requests without an answer yet, of one connection; above it nothing more is read from it. */
const PENDING_BYTES_MAX = 64 * 1_048_576
const KEEP_ALIVE_MS = 30_000
/** How long a peer has to read the reason why its connection ends. */
const LAST_WORDS_MS = 1000

export interface GrpcSocketOptions {
  socket: Socket
  limits: GrpcLimits
  routes: Routes
  commonName: string
  counters: GrpcCounters
  /** asks for `flush` at the end of this turn */
  schedule: (connection: GrpcSocket) => void
  onClose: (connection: GrpcSocket) => void
}

/** One gRPC connection on its socket. Everything that is said in one turn of the event loop leaves in one write. */
export class GrpcSocket implements Flushable {
  readonly grpc: GrpcConnection
  /** already asked to be flushed */
  isScheduled = false
  private readonly socket: Socket
  private isEnding = false
  private isReading = true

  constructor(options: GrpcSocketOptions) {
    this.socket = options.socket
    const { socket } = this
    this.grpc = new GrpcConnection(
      {
        limits: options.limits,
        routes: options.routes,
        peer: `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`,
        commonName: options.commonName,
        onOutput: () => {
          if (!this.isScheduled) options.schedule(this)
        },
      },
      options.counters,
    )
    socket.setNoDelay(true)
    // A peer that vanished without a word must not keep its watches for ever.
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.on('data', (chunk: Buffer) => this.receive(chunk))
    socket.on('drain', () => this.resume())
    socket.on('end', () => this.end())
    // What there is to say follows in `close`.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.grpc.http2.closed()
      options.onClose(this)
    })
  }

  get outputBytes(): number {
    return this.grpc.http2.outputBytes
  }

  receive(chunk: Uint8Array): void {
    if (this.isEnding) return
    this.grpc.receive(chunk, performance.now())
    this.throttle()
  }

  /** Writes what has been said since the last time. */
  flush(): void {
    this.isScheduled = false
    const { grpc, socket } = this
    const { http2 } = grpc
    if (http2.outputBytes > 0 && socket.writable) {
      writeParts(socket, http2.takeOutput())
      if (socket.writableLength > SOCKET_HIGH_BYTES) http2.isCongested = true
      else http2.resume()
    }
    if (http2.isFailed || (http2.isShuttingDown && http2.streams.size === 0 && http2.outputBytes === 0)) this.end()
    else this.throttle()
  }

  /** Finishes what is open, and takes nothing new. */
  shutDown(): void {
    this.grpc.shutDown()
    this.flush()
  }

  destroy(): void {
    this.socket.destroy()
  }

  private resume(): void {
    this.grpc.http2.resume()
    this.throttle()
  }

  private throttle(): void {
    const { http2, pendingBytes } = this.grpc
    const isFull = (http2.isCongested && http2.queuedBytes + http2.promisedBytes > QUEUED_BYTES_MAX) || pendingBytes > PENDING_BYTES_MAX
    if (isFull === !this.isReading) return
    this.isReading = !isFull
    if (isFull) this.socket.pause()
    else this.socket.resume()
  }

  private end(): void {
    if (this.isEnding) return
    this.isEnding = true
    const { http2 } = this.grpc
    http2.closed()
    const destroyLater = (): void => void setTimeout(() => this.socket.destroy(), LAST_WORDS_MS).unref()
    // A good peer may take its time to read the last answers; one that broke the rules may not.
    if (http2.failure !== '') destroyLater()
    this.socket.end(destroyLater)
  }
}

/** In one system call. */
function writeParts(socket: Socket, parts: readonly Uint8Array[]): void {
  if (parts.length > 1) socket.cork()
  for (const part of parts) socket.write(part)
  if (parts.length > 1) socket.uncork()
}
