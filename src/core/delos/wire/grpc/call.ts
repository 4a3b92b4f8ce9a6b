import type { Http2Stream } from '../http2/stream.ts'
import type { Call, RpcError, Sink, Source } from '../service.ts'
import type { GrpcConnection } from './connection.ts'
import type { RequestHead } from './head.ts'
import type { Route } from './routes.ts'

/** Encoded in about a millisecond. */
const MESSAGE_BYTES = 1_048_576

/** One call: what its handler knows of the caller, and, for a stream, where its answers go. */
export class GrpcCall implements Call, Sink<unknown> {
  readonly messageBytes = MESSAGE_BYTES
  readonly token: string
  readonly commonName: string
  readonly peer: string
  readonly requiresLeader: boolean
  readonly stream: Http2Stream<GrpcCall>
  /** null: answered or refused already, whatever else comes is passed over */
  route: Route | null
  /** on the connection's clock; Infinity without */
  deadlineMs = Number.POSITIVE_INFINITY
  source: Source<unknown> | null = null
  /** the one message of a unary call, once it is whole */
  request: Uint8Array | null = null
  /** a message that comes in pieces, its five bytes of prefix included */
  partial: Uint8Array | null = null
  partialBytes = 0
  /** of the request, while its answer is awaited */
  pendingBytes = 0
  private readonly connection: GrpcConnection
  private cancelListeners: (() => void)[] | null = null
  private readyListener: (() => void) | null = null

  constructor(connection: GrpcConnection, stream: Http2Stream<GrpcCall>, route: Route, head: RequestHead) {
    this.connection = connection
    this.stream = stream
    this.route = route
    this.token = head.token
    this.requiresLeader = head.requiresLeader
    this.commonName = connection.commonName
    this.peer = connection.peer
  }

  get isOver(): boolean {
    return this.route === null
  }

  onCancel(listener: () => void): void {
    if (this.cancelListeners === null) this.cancelListeners = [listener]
    else this.cancelListeners.push(listener)
  }

  onReady(listener: () => void): void {
    this.readyListener = listener
  }

  send(response: unknown): boolean {
    return this.connection.sendMessage(this, response)
  }

  sendEncoded(message: Uint8Array): boolean {
    return this.connection.sendEncoded(this, message)
  }

  end(error?: RpcError): void {
    this.connection.end(this, error ?? null)
  }

  /** There is room again. */
  ready(): void {
    this.readyListener?.()
  }

  /** The caller will not read an answer any more. */
  cancel(): void {
    const { source, cancelListeners } = this
    this.route = null
    this.source = null
    this.cancelListeners = null
    source?.cancelled()
    if (cancelListeners !== null) for (const listener of cancelListeners) listener()
  }
}
