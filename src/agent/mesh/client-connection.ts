import type { Socket } from 'node:net'
import { serviceOf } from '../../core/tw/mesh/route.ts'
import { ownAnswer } from './answers.ts'
import { monotonicMs, type ProxyContext } from './context.ts'
import { Exchange } from './exchange.ts'
import { type BodyFollower, ChunkedBody, EMPTY_BODY, LengthBody } from './http1/body.ts'
import { fieldValue } from './http1/fields.ts'
import { HEAD_MAX_BYTES, isHeadRefusal, parseRequestHead, type RequestHead } from './http1/request-head.ts'

const HEAD_TIMEOUT_MS = 10_000
const IDLE_MAX_MS = 60_000
/** how long a refused caller may go on sending before its connection is cut: cut at once, it would not see the answer */
const LINGER_MS = 2000
const PIPELINED_MAX_BYTES = 64 * 1024

/** A caller's connection: reads one request after the other, and runs one at a time, in order. */
export class ClientConnection {
  readonly socket: Socket
  readonly address: string
  readonly #context: ProxyContext
  /** name of the service whose own port this came in by; null: the gateway port, where the host decides */
  readonly #serviceName: string | null
  #buffered: Buffer | null = null
  #exchange: Exchange | null = null
  #body: BodyFollower = EMPTY_BODY
  #headStartedMs = 0
  #idleSinceMs = monotonicMs()
  #closingSinceMs = 0
  #isAdvancing = false

  constructor(context: ProxyContext, socket: Socket, serviceName: string | null) {
    this.#context = context
    this.socket = socket
    this.#serviceName = serviceName
    this.address = socket.remoteAddress ?? 'unknown'
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('drain', () => this.#exchange?.onClientDrain())
    socket.on('end', () => this.#onEnd())
    // 'close' follows every error and does what must be done.
    socket.on('error', () => {})
    socket.on('close', () => this.#onClose())
  }

  // ------------------------------------------------------------------------------ what exchanges ask for

  /** False when the caller reads too slowly: wait for onClientDrain. */
  write(data: string | Buffer): boolean {
    return typeof data === 'string' ? this.socket.write(data, 'latin1') : this.socket.write(data)
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Bytes that came after the request's head, for an upgraded connection. */
  takeBuffered(): Buffer | null {
    const buffered = this.#buffered
    this.#buffered = null
    return buffered
  }

  /** @param next `reset` cuts the connection, so that the caller cannot take what it has for a whole answer */
  exchangeDone(next: 'keep' | 'close' | 'reset'): void {
    this.#exchange = null
    if (next === 'reset') {
      this.#closingSinceMs = monotonicMs()
      this.socket.resetAndDestroy()
      return
    }
    if (next === 'close' || this.#context.isDraining) {
      this.#close()
      return
    }
    this.#idleSinceMs = monotonicMs()
    if (this.#buffered !== null) this.#advance()
    else this.socket.resume()
  }

  // --------------------------------------------------------------------------------------------- reading

  #onData(chunk: Buffer): void {
    if (this.#closingSinceMs > 0) return
    if (this.#exchange?.isTunnel === true) {
      this.#exchange.onTunnelData(chunk)
      return
    }
    this.#buffered = this.#buffered === null ? chunk : Buffer.concat([this.#buffered, chunk])
    this.#advance()
  }

  /** A loop and not a recursion: answers the proxy makes itself end within their own beginning. */
  #advance(): void {
    if (this.#isAdvancing) return
    this.#isAdvancing = true
    while (this.#buffered !== null && this.#closingSinceMs === 0) {
      if (this.#exchange === null) {
        if (!this.#readHead(this.#buffered)) break
      } else if (this.#body.isDone) {
        // The next request has come early. It waits; too much of it waits in the caller's socket.
        if (this.#buffered.length > PIPELINED_MAX_BYTES) this.socket.pause()
        break
      } else this.#readBody(this.#buffered, this.#exchange)
    }
    this.#isAdvancing = false
  }

  #readBody(buf: Buffer, exchange: Exchange): void {
    const end = this.#body.follow(buf, 0)
    if (end < 0) {
      this.#buffered = null
      exchange.onBadBody()
      return
    }
    this.#buffered = end < buf.length ? buf.subarray(end) : null
    exchange.onBody(end < buf.length ? buf.subarray(0, end) : buf, this.#body.isDone)
  }

  /** False when the head is not whole yet. */
  #readHead(buf: Buffer): boolean {
    let start = 0
    // Empty lines before a request are forgiven (RFC 9112 section 2.2), a few of them.
    while (start < 8 && buf[start] === 13 && buf[start + 1] === 10) start += 2
    const end = buf.indexOf('\r\n\r\n', start)
    if (end < 0) {
      if (buf.length > HEAD_MAX_BYTES) this.#refuse(431, 'the head is longer than 16 KiB')
      else if (this.#headStartedMs === 0) this.#headStartedMs = monotonicMs()
      return false
    }
    this.#headStartedMs = 0
    if (end - start > HEAD_MAX_BYTES) {
      this.#refuse(431, 'the head is longer than 16 KiB')
      return false
    }
    const head = parseRequestHead(buf.toString('latin1', start, end + 2))
    if (isHeadRefusal(head)) {
      this.#refuse(head.status, head.text)
      return false
    }
    const rest = end + 4
    this.#buffered = rest < buf.length ? buf.subarray(rest) : null
    this.#begin(head)
    return true
  }

  #begin(head: RequestHead): void {
    const { services } = this.#context
    const service =
      this.#serviceName === null
        ? serviceOf(services, fieldValue(head.fields, 'x-muster-service'), head.host)
        : services.get(this.#serviceName)
    if (head.isChunked) this.#body = new ChunkedBody()
    else this.#body = head.contentLength > 0 ? new LengthBody(head.contentLength) : EMPTY_BODY
    if (service === null || service === undefined || service.protocol !== 'http') {
      this.#answerNoRoute(head)
      return
    }
    const exchange = new Exchange(this.#context, this, service, head, this.#body.isDone)
    this.#exchange = exchange
    exchange.begin()
  }

  #answerNoRoute(head: RequestHead): void {
    this.#count('no-route')
    const keepsAlive = head.keepsAlive && this.#body.isDone && !this.#context.isDraining
    this.write(ownAnswer({ status: 404, reason: 'no-route', method: head.method, keepsAlive }))
    if (!keepsAlive) this.#close()
  }

  #refuse(status: number, detail: string): void {
    this.#count('bad-request')
    this.write(ownAnswer({ status, reason: status === 408 ? 'timeout' : 'bad-request', detail, method: 'GET', keepsAlive: false }))
    this.#close()
  }

  #count(reason: string): void {
    this.#context.refusals.set(reason, (this.#context.refusals.get(reason) ?? 0) + 1)
  }

  // ---------------------------------------------------------------------------------------------- ending

  /** Sends what is written and ends; what still comes in is read and thrown away, for a while. */
  #close(): void {
    if (this.#closingSinceMs > 0) return
    this.#closingSinceMs = monotonicMs()
    this.#buffered = null
    this.socket.end()
    this.socket.resume()
  }

  #onEnd(): void {
    if (this.#exchange?.isTunnel === true) this.#exchange.onTunnelEnd()
    else if (this.#exchange !== null) {
      this.#exchange.onClientGone()
      this.socket.destroy()
    } else this.socket.end()
  }

  #onClose(): void {
    this.#context.clients.delete(this)
    this.#closingSinceMs ||= monotonicMs()
    this.#buffered = null
    this.#exchange?.onClientGone()
  }

  /** Called twice a second: ends what has waited too long. */
  checkTime(nowMs: number): void {
    if (this.#closingSinceMs > 0) {
      // Not while a slow reader still takes the answer: the exchange's own limits are over, but the socket drains.
      if (nowMs - this.#closingSinceMs > (this.socket.writableLength > 0 ? IDLE_MAX_MS : LINGER_MS)) this.socket.destroy()
    } else if (this.#exchange === null) {
      if (this.#headStartedMs > 0) {
        if (nowMs - this.#headStartedMs > HEAD_TIMEOUT_MS) this.#refuse(408, 'the head did not come in 10 s')
      } else if (nowMs - this.#idleSinceMs > IDLE_MAX_MS) this.#close()
    }
  }

  /** The proxy stops: idle connections end at once, the others after their request. */
  drain(): void {
    if (this.#exchange === null) this.#close()
  }
}

/** Serves a caller's connection until it ends; the context holds it as long as it lives. */
export function serveConnection(context: ProxyContext, socket: Socket, serviceName: string | null): void {
  context.clients.add(new ClientConnection(context, socket, serviceName))
}
