import { Http2Connection, type Http2Listener } from '../http2/connection.ts'
import { ERROR } from '../http2/frames.ts'
import type { Http2Limits } from '../http2/limits.ts'
import type { Http2Stream } from '../http2/stream.ts'
import { decode, type Codec } from '../../../kernel/protobuf/codec.ts'
import type { Pieces } from '../../../kernel/protobuf/codec.ts'
import type { RpcError } from '../service.ts'
import { GrpcCall } from './call.ts'
import { requestHead, type RequestHead } from './head.ts'
import type { Routes } from './routes.ts'
import { errorTrailers, RESPONSE_HEADERS, STATUS, TRAILERS_OK } from './status.ts'

/** Flag and length before each message (gRPC over HTTP2, "Length-Prefixed-Message"). */
const PREFIX_BYTES = 5
/** Above this much waiting, a stream's sender is told to wait. */
const STREAM_HIGH_BYTES = 262_144
/** A sender that goes on nevertheless loses its stream here. */
const STREAM_QUEUE_BYTES_MAX = 64 * 1_048_576
/** Messages that have come in part, over all streams of a connection. */
const PARTIAL_BYTES_MAX = 256 * 1_048_576

export interface GrpcLimits extends Http2Limits {
  /** of one request; a larger one is refused with etcd's own text */
  requestBytesMax: number
}

/** etcd takes this much more than the largest request before it breaks off the message. */
const REQUEST_OVERHEAD_BYTES = 524_288

export const TOO_LARGE: RpcError = { code: STATUS.invalidArgument, text: 'etcdserver: request is too large' }

/** How streams end when the server does. */
export const STOPPED: RpcError = { code: STATUS.unavailable, text: 'etcdserver: server stopped' }

export interface GrpcOptions {
  limits: GrpcLimits
  routes: Routes
  peer: string
  commonName: string
  /** there is output; called often */
  onOutput: () => void
}

/** What a connection did, for figures. */
export interface GrpcCounters {
  calls: number
  errors: number
  cancelled: number
  deadlines: number
}

type Stream = Http2Stream<GrpcCall>

/**
 * gRPC's server side on one connection ("gRPC over HTTP2"), as a machine like the one below it. A unary call is handed to its handler
 * when it is whole; a stream's messages as they come.
 */
export class GrpcConnection implements Http2Listener<RequestHead, GrpcCall> {
  readonly http2: Http2Connection<RequestHead, GrpcCall>
  readonly peer: string
  readonly commonName: string
  readonly counters: GrpcCounters
  /** bytes of requests that wait for an answer */
  pendingBytes = 0
  private partialBytes = 0
  private now = 0
  private nextDeadlineMs = Number.POSITIVE_INFINITY
  private readonly routes: Routes
  private readonly limits: GrpcLimits

  constructor(options: GrpcOptions, counters: GrpcCounters) {
    this.peer = options.peer
    this.commonName = options.commonName
    this.routes = options.routes
    this.limits = options.limits
    this.counters = counters
    this.http2 = new Http2Connection<RequestHead, GrpcCall>({
      limits: options.limits,
      listener: this,
      interpret: requestHead,
      onOutput: options.onOutput,
    })
  }

  receive(bytes: Uint8Array, nowMs: number): void {
    this.now = nowMs
    this.http2.receive(bytes, nowMs)
  }

  /** Ends calls whose deadline has passed. */
  tick(nowMs: number): void {
    this.now = nowMs
    if (nowMs < this.nextDeadlineMs) return
    this.nextDeadlineMs = Number.POSITIVE_INFINITY
    for (const { owner } of this.http2.streams.values()) {
      if (owner === null || owner.isOver) continue
      if (owner.deadlineMs > nowMs) this.nextDeadlineMs = Math.min(this.nextDeadlineMs, owner.deadlineMs)
      else {
        this.counters.deadlines += 1
        this.refuse(owner, { code: STATUS.deadlineExceeded, text: 'context deadline exceeded' })
        owner.cancel()
      }
    }
  }

  /** Takes no new calls and ends the streams, which would go on for ever; calls that wait for an answer get it. */
  shutDown(): void {
    this.http2.shutDown()
    for (const { owner } of this.http2.streams.values()) {
      if (owner?.route?.kind !== 'streaming') continue
      this.refuse(owner, STOPPED)
      owner.cancel()
    }
  }

  // ------------------------------------------------------------------------------------------------ requests

  opened(stream: Stream, head: RequestHead): void {
    if (head.isMalformed) return this.http2.refuse(stream, ERROR.protocol)
    if (head.method !== 'POST' || !head.isGrpc) {
      const status = head.method === 'POST' ? '415' : '405'
      return this.http2.sendTrailers(stream, [{ name: ':status', value: status, isKept: false }])
    }
    const refusal = this.refusal(head)
    const route = this.routes.get(head.path)
    if (refusal !== null || route === undefined) {
      this.counters.errors += 1
      const error = refusal ?? unimplemented(head.path)
      return this.http2.sendTrailers(stream, errorTrailers(error, false))
    }
    const call = new GrpcCall(this, stream, route, head)
    stream.owner = call
    this.counters.calls += 1
    if (head.timeoutMs >= 0) {
      call.deadlineMs = this.now + head.timeoutMs
      if (call.deadlineMs < this.nextDeadlineMs) this.nextDeadlineMs = call.deadlineMs
    }
    if (route.kind === 'streaming') {
      const source = route.handle(call, call)
      if (!call.isOver) call.source = source
    }
  }

  private refusal(head: RequestHead): RpcError | null {
    if (head.encoding !== 'identity') return notInstalled(head.encoding)
    if (Number.isNaN(head.timeoutMs)) return { code: STATUS.internal, text: 'malformed grpc-timeout' }
    return null
  }

  data(stream: Stream, bytes: Uint8Array, start: number, end: number): void {
    const call = stream.owner
    let at = start
    while (at < end && call !== null && call.route !== null) {
      if (call.partial !== null) at = this.fill(call, bytes, at, end)
      else if (end - at < PREFIX_BYTES) at = this.keepPart(call, bytes, at, end, PREFIX_BYTES)
      else {
        const length = this.checkPrefix(call, bytes, at)
        if (length < 0) return
        const to = at + PREFIX_BYTES + length
        if (to > end) at = this.keepPart(call, bytes, at, end, PREFIX_BYTES + length)
        else {
          this.message(call, bytes.subarray(at + PREFIX_BYTES, to))
          at = to
        }
      }
    }
  }

  /** Starts to put together a message of which only a part has come. */
  private keepPart(call: GrpcCall, bytes: Uint8Array, at: number, end: number, whole: number): number {
    call.partial = new Uint8Array(whole)
    call.partial.set(bytes.subarray(at, end))
    call.partialBytes = end - at
    this.partialBytes += whole
    if (this.partialBytes > PARTIAL_BYTES_MAX) this.refuse(call, { code: STATUS.resourceExhausted, text: 'too many incomplete requests' })
    return end
  }

  private fill(call: GrpcCall, bytes: Uint8Array, at: number, end: number): number {
    const partial = call.partial as Uint8Array
    const take = Math.min(partial.length - call.partialBytes, end - at)
    partial.set(bytes.subarray(at, at + take), call.partialBytes)
    call.partialBytes += take
    if (call.partialBytes < partial.length) return at + take
    if (partial.length === PREFIX_BYTES) {
      const length = this.checkPrefix(call, partial, 0)
      if (length < 0) return end
      if (length > 0) {
        this.dropPartial(call)
        this.keepPart(call, partial, 0, PREFIX_BYTES, PREFIX_BYTES + length)
        return at + take
      }
    }
    this.dropPartial(call)
    this.message(call, partial.subarray(PREFIX_BYTES))
    return at + take
  }

  private dropPartial(call: GrpcCall): void {
    if (call.partial === null) return
    this.partialBytes -= call.partial.length
    call.partial = null
    call.partialBytes = 0
  }

  /** @returns the message's length, or -1 after a refusal */
  private checkPrefix(call: GrpcCall, bytes: Uint8Array, at: number): number {
    const flag = bytes[at] as number
    const length =
      (bytes[at + 1] as number) * 16_777_216 +
      (((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number))
    const max = this.limits.requestBytesMax + REQUEST_OVERHEAD_BYTES
    let error: RpcError | null = null
    if (flag === 1) error = { code: STATUS.internal, text: 'grpc: compressed flag set with identity or empty encoding' }
    else if (flag > 1) error = { code: STATUS.internal, text: `grpc: received unexpected payload format ${flag}` }
    else if (length > max) {
      error = { code: STATUS.resourceExhausted, text: `grpc: received message larger than max (${length} vs. ${max})` }
    }
    if (error === null) return length
    this.refuse(call, error)
    call.cancel()
    return -1
  }

  private message(call: GrpcCall, bytes: Uint8Array): void {
    const { route, source } = call
    if (route === null) return
    if (route.kind === 'unary') {
      if (call.request !== null) this.refuse(call, { code: STATUS.internal, text: 'a unary call takes one message' })
      else call.request = bytes
      return
    }
    const request = decode(route.method.request, bytes)
    if (request !== null) return source?.message(request)
    this.refuse(call, undecodable)
    call.cancel()
  }

  halfClosed(stream: Stream): void {
    const call = stream.owner
    if (call === null || call.route === null) return
    if (call.partial !== null) {
      this.refuse(call, { code: STATUS.internal, text: 'a message is cut off' })
      return call.cancel()
    }
    if (call.route.kind === 'streaming') return call.source?.halfClosed()
    const { request: raw, route } = call
    if (raw === null) return this.refuse(call, { code: STATUS.internal, text: 'a unary call takes one message' })
    if (raw.length > this.limits.requestBytesMax) return this.refuse(call, TOO_LARGE)
    const request = decode(route.method.request, raw)
    if (request === null) return this.refuse(call, undecodable)
    call.request = null
    call.pendingBytes = raw.length
    this.pendingBytes += raw.length
    route.handle(request, raw, call, (error, response) => {
      if (call.route === null) return
      if (error === null) this.answer(call, route.method.response, response)
      else this.refuse(call, error)
    })
  }

  aborted(stream: Stream): void {
    const call = stream.owner
    if (call === null || call.isOver) return
    this.counters.cancelled += 1
    this.release(call)
    call.cancel()
  }

  drained(stream: Stream): void {
    stream.owner?.ready()
  }

  // ------------------------------------------------------------------------------------------------- answers

  sendMessage(call: GrpcCall, response: unknown): boolean {
    const { route } = call
    if (route === null) return false
    const codec: Codec<unknown> = route.method.response
    const pieces = codec.pieces?.(response) ?? null
    const mark = this.beginMessage(call)
    if (pieces === null) codec.write(this.http2.output, response)
    return this.endMessage(call, mark, pieces)
  }

  sendEncoded(call: GrpcCall, message: Uint8Array): boolean {
    if (call.isOver) return false
    const mark = this.beginMessage(call)
    this.http2.output.raw(message)
    return this.endMessage(call, mark)
  }

  end(call: GrpcCall, error: RpcError | null): void {
    if (call.isOver) return
    if (error !== null) return this.refuse(call, error)
    this.release(call)
    call.source = null
    if (!call.stream.hasSentHeaders) this.http2.sendHeaders(call.stream, RESPONSE_HEADERS)
    this.http2.sendTrailers(call.stream, TRAILERS_OK)
  }

  private answer(call: GrpcCall, codec: Codec<unknown>, response: unknown): void {
    const pieces = codec.pieces?.(response) ?? null
    const mark = this.beginMessage(call)
    if (pieces === null) codec.write(this.http2.output, response)
    this.patchPrefix(mark, pieces?.length ?? 0)
    this.http2.endData(call.stream, mark)
    if (pieces !== null) this.http2.sendFeed(call.stream, pieces)
    this.release(call)
    this.http2.sendTrailers(call.stream, TRAILERS_OK)
  }

  /** Ends the call with an error. */
  private refuse(call: GrpcCall, error: RpcError): void {
    if (call.isOver) return
    this.counters.errors += 1
    this.release(call)
    this.http2.sendTrailers(call.stream, errorTrailers(error, call.stream.hasSentHeaders))
  }

  private beginMessage(call: GrpcCall): number {
    if (!call.stream.hasSentHeaders) this.http2.sendHeaders(call.stream, RESPONSE_HEADERS)
    const mark = this.http2.beginData()
    const { output } = this.http2
    output.ensure(PREFIX_BYTES)
    output.at += PREFIX_BYTES
    return mark
  }

  private endMessage(call: GrpcCall, mark: number, pieces: Pieces | null = null): boolean {
    const { stream } = call
    this.patchPrefix(mark, pieces?.length ?? 0)
    this.http2.endData(stream, mark)
    if (pieces !== null) this.http2.sendPieces(stream, pieces)
    if (stream.queuedBytes <= STREAM_HIGH_BYTES) return true
    if (stream.queuedBytes > STREAM_QUEUE_BYTES_MAX && stream.queue.length > 1) this.http2.reset(stream, ERROR.enhanceYourCalm)
    else stream.isSenderWaiting = true
    return false
  }

  /** @param more bytes of the message that follow what was written */
  private patchPrefix(mark: number, more = 0): void {
    const { bytes, at } = this.http2.output
    const start = mark + 9
    const length = at - start - PREFIX_BYTES + more
    bytes[start] = 0
    bytes[start + 1] = length >>> 24
    bytes[start + 2] = length >>> 16
    bytes[start + 3] = length >>> 8
    bytes[start + 4] = length
  }

  /** The call is over for us; nothing it holds counts any more. */
  private release(call: GrpcCall): void {
    this.dropPartial(call)
    this.pendingBytes -= call.pendingBytes
    call.pendingBytes = 0
    call.route = null
  }
}

const undecodable: RpcError = { code: STATUS.internal, text: 'grpc: error unmarshalling request' }

const notInstalled = (encoding: string): RpcError => ({
  code: STATUS.unimplemented,
  text: `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`,
})

/** In the words of grpc-go: an unknown service, or an unknown method. */
function unimplemented(path: string): RpcError {
  const [, service = '', method = ''] = path.split('/')
  return { code: STATUS.unimplemented, text: `unknown method ${method} for service ${service}` }
}
