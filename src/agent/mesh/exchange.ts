import type { MeshFault } from '../../core/contracts/mesh.ts'
import { faultDelayMs, faultFor } from '../../core/tw/mesh/fault.ts'
import { observeLatency } from '../../core/tw/mesh/latency.ts'
import { backoffMs, countRequest, mayRetry, REPLAY_MAX_BYTES, takeRetry, type TryFailure } from '../../core/tw/mesh/retry.ts'
import { causeOfTraceparent, traceparentOf } from '../../core/kernel/trace.ts'
import { newCause } from '../../platform/trace-ids.ts'
import { userBucket } from '../../core/kernel/hash.ts'
import { ownAnswer } from './answers.ts'
import type { ClientConnection } from './client-connection.ts'
import { monotonicMs, type ProxyContext } from './context.ts'
import type { Endpoint } from './endpoint.ts'
import { addLatency } from './histogram.ts'
import { type BodyFollower, ChunkedBody, EMPTY_BODY, LengthBody, UntilCloseBody } from './http1/body.ts'
import { fieldValue } from './http1/fields.ts'
import type { RequestHead } from './http1/request-head.ts'
import { hasNoBody, parseResponseHead, type ResponseHead } from './http1/response-head.ts'
import { downstreamHead, informationalHead, upstreamHead } from './rewrite.ts'
import type { Service } from './service.ts'
import { newRequestId } from './request-id.ts'
import { takeIdle, UpstreamConnection, type UpstreamUser } from './upstream.ts'

const RESPONSE_HEAD_MAX_BYTES = 64 * 1024
/** no byte in either direction for this long ends a request whose answer has begun, or whose body has not ended */
const IDLE_MAX_MS = 60_000
/** what a refused or reset connection counts for in the latency average: enough to be avoided until it fades */
const FAILURE_LATENCY_MS = 1000
const SMALL_BODY_BYTES = 4096
const NONE: readonly Endpoint[] = []

/**
 * One request and its answer. Life: `picking` (also between tries, and while a delay fault holds it) → `waiting` for
 * the answer's head → `streaming` its body, or `tunnel` after an upgrade → `done`.
 */
export class Exchange implements UpstreamUser {
  readonly service: Service
  readonly head: RequestHead
  readonly #context: ProxyContext
  readonly #client: ClientConnection
  readonly #startedMs = monotonicMs()
  #state: 'picking' | 'waiting' | 'streaming' | 'tunnel' | 'done' = 'picking'
  #tries = 0
  /** tries made again under the budget; those after a stale connection are not among them */
  #retries = 0
  /** endpoints on which a try failed */
  #tried: readonly Endpoint[] = NONE
  #isReset = false
  #endpoint: Endpoint | null = null
  #upstream: UpstreamConnection | null = null
  #timer: NodeJS.Timeout | null = null
  #tryStartedMs = 0
  #connectByMs = 0
  #tryByMs = 0
  #doneByMs = Number.POSITIVE_INFINITY
  #progressMs = this.#startedMs
  #callerDeadlineMs: number | null = null

  /** body bytes read so far, kept for another try while they are few */
  #kept: Buffer[] = []
  #keptBytes = 0
  #isReplayable = true
  #isBodyDone: boolean

  #pending: Buffer | null = null
  #response: ResponseHead | null = null
  #responseBody: BodyFollower = EMPTY_BODY
  #isDechunking = false
  #keepsClient = false
  #headMs = 0

  #requestId = ''
  #traceId = ''
  #traceparent = ''
  #user = ''
  #bucket = -1
  #reason = ''
  #fault: MeshFault | null = null
  #isFaultDecided = false
  /** who a failed last try was on: the event names it */
  #failedEndpoint: Endpoint | null = null

  constructor(context: ProxyContext, client: ClientConnection, service: Service, head: RequestHead, isBodyDone: boolean) {
    this.#context = context
    this.#client = client
    this.service = service
    this.head = head
    this.#isBodyDone = isBodyDone
  }

  get isTunnel(): boolean {
    return this.#state === 'tunnel'
  }

  begin(): void {
    const { service, head } = this
    service.requests += 1
    countRequest(service.budget, this.#startedMs)
    this.#identify()
    const callerMs = Number(fieldValue(head.fields, 'x-muster-deadline') ?? Number.NaN)
    if (callerMs > 0) this.#callerDeadlineMs = this.#startedMs + callerMs
    const isOver = service.running >= service.policy.runningMax
    service.running += 1
    this.#context.exchanges.add(this)
    if (isOver) {
      this.#answer(503, 'overflow')
      return
    }
    if (this.#isBodyDone) this.#startClocks(this.#startedMs)
    this.#startTry()
  }

  #identify(): void {
    const { fields } = this.head
    this.#requestId = fieldValue(fields, 'x-request-id') ?? newRequestId()
    const given = fieldValue(fields, 'traceparent')
    const known = given === null ? null : causeOfTraceparent(given)
    const cause = known ?? newCause()
    this.#traceId = cause.trace
    this.#traceparent = known !== null && given !== null ? given : traceparentOf(cause)
    const key = this.service.userKey
    if (key.kind === 'header') this.#user = fieldValue(fields, key.name) ?? ''
    else if (key.kind === 'cookie') this.#user = cookieValue(fieldValue(fields, 'cookie') ?? '', key.name)
    if (this.#user.length > 256) this.#user = this.#user.slice(0, 256)
    if (this.service.split !== null) this.#bucket = userBucket(this.#user || this.#traceId, this.service.split.split.salt)
  }

  #startClocks(nowMs: number): void {
    const requestByMs = nowMs + this.service.policy.requestTimeoutMs
    this.#doneByMs = this.#callerDeadlineMs === null ? requestByMs : Math.min(requestByMs, this.#callerDeadlineMs)
    this.#tryByMs = nowMs + this.service.policy.tryTimeoutMs
  }

  // ------------------------------------------------------------------------------------------------ tries

  #startTry(): void {
    const nowMs = monotonicMs()
    const picked = this.service.pick(this.#bucket, nowMs, this.#tried)
    if (picked === null) {
      this.#answer(503, 'no-endpoint')
      return
    }
    if (!this.#isFaultDecided && this.service.faults.length > 0) {
      this.#isFaultDecided = true
      if (this.#holdForFault(picked.endpoint)) return
    }
    const { endpoint } = picked
    this.#reason = picked.reason
    this.#endpoint = endpoint
    endpoint.running += 1
    endpoint.requests += 1
    this.#tries += 1
    this.#tryStartedMs = nowMs
    this.#connectByMs = nowMs + this.service.policy.connectTimeoutMs
    this.#tryByMs = nowMs + this.service.policy.tryTimeoutMs
    this.#pending = null
    this.#state = 'waiting'
    // After a reset of a reused connection the others in the pool may be as dead.
    const idle = this.#isReset ? null : takeIdle(endpoint, this, nowMs)
    this.#upstream = idle ?? new UpstreamConnection(endpoint, this)
    this.#send(this.#upstream)
  }

  /** True when a fault takes the request over, for a while or for good. */
  #holdForFault(endpoint: Endpoint): boolean {
    const fault = faultFor(
      this.service.faults,
      { method: this.head.method, path: this.head.path, subset: endpoint.def.subset, key: this.#user || this.#traceId },
      Date.now(),
    )
    if (fault === null) return false
    this.#fault = fault
    this.#endpoint = endpoint
    if (fault.kind === 'status') {
      this.#answer(fault.status, 'fault')
      return true
    }
    if (fault.kind === 'reset') {
      this.#reason = 'fault'
      this.#end(502, 'reset')
      return true
    }
    this.#timer = setTimeout(() => this.#startTry(), faultDelayMs(fault, Math.random))
    this.#endpoint = null
    return true
  }

  #send(upstream: UpstreamConnection): void {
    const text = upstreamHead(this.head, {
      requestId: this.#requestId,
      traceparent: this.#traceparent,
      forwardedFor: this.#forwardedFor(),
      bucket: this.#bucket,
      attempt: this.#tries,
      deadlineMs: this.#callerDeadlineMs === null ? null : this.#callerDeadlineMs - monotonicMs(),
    })
    const { socket } = upstream
    if (this.#kept.length === 0) {
      socket.write(text, 'latin1')
      return
    }
    socket.cork()
    socket.write(text, 'latin1')
    let isFlowing = true
    for (const chunk of this.#kept) isFlowing = socket.write(chunk)
    socket.uncork()
    this.#dropKeptIfLarge()
    if (isFlowing) this.#client.resume()
    else this.#client.pause()
  }

  #forwardedFor(): string {
    const before = fieldValue(this.head.fields, 'x-forwarded-for')
    return before === null ? this.#client.address : `${before}, ${this.#client.address}`
  }

  /** Gives the endpoint back after a try that failed. */
  #leaveEndpoint(failure: TryFailure, isStale: boolean): void {
    const endpoint = this.#endpoint
    this.#upstream?.destroy()
    this.#upstream = null
    this.#state = 'picking'
    if (endpoint === null) return
    endpoint.running -= 1
    this.#endpoint = null
    if (endpoint.isDraining && endpoint.running === 0) this.service.draining.delete(endpoint)
    if (isStale) return
    this.#tried = [...this.#tried, endpoint]
    const nowMs = monotonicMs()
    if (failure === 'unavailable') endpoint.errors += 1
    else {
      endpoint.failures += 1
      observeLatency(endpoint.latency, Math.max(nowMs - this.#tryStartedMs, FAILURE_LATENCY_MS), nowMs)
    }
    this.service.observe(endpoint, failure === 'connect' ? 'connect' : 'error', nowMs)
  }

  #tryFailed(failure: TryFailure): void {
    const endpoint = this.#endpoint
    const isStale = failure === 'reset' && this.#upstream?.isReused === true
    this.#leaveEndpoint(failure, isStale)
    if (isStale && mayRetry(this.head.method, failure, this.#isReplayable)) {
      // The endpoint closed an idle connection just as we used it: no fault of anybody, and not a retry in the budget's sense.
      this.#isReset = true
      this.#startTry()
      return
    }
    if (mayRetry(this.head.method, failure, this.#isReplayable) && this.#hasTimeForRetry()) {
      if (takeRetry(this.service.budget, monotonicMs(), this.service.policy.retryBudget)) {
        this.#retryLater()
        return
      }
      this.#answerFailure(failure, 'retry-budget', endpoint)
      return
    }
    this.#answerFailure(failure, null, endpoint)
  }

  #answerFailure(failure: TryFailure, reason: string | null, endpoint: Endpoint | null): void {
    this.#failedEndpoint = endpoint
    if (failure === 'timeout') this.#answer(504, reason ?? 'timeout')
    else if (failure === 'reset') this.#answer(502, reason ?? 'reset')
    else this.#answer(503, reason ?? 'connect-failed')
  }

  #hasTimeForRetry(): boolean {
    return this.#retries < this.service.policy.retriesMax && monotonicMs() < this.#doneByMs
  }

  #retryLater(): void {
    this.service.retries += 1
    this.#retries += 1
    this.#timer = setTimeout(() => this.#startTry(), backoffMs(this.#retries, Math.random))
  }

  // ------------------------------------------------------------------------------------- request body

  /** Bytes of the request's body, framing included. */
  onBody(chunk: Buffer, isDone: boolean): void {
    this.#progressMs = monotonicMs()
    if (isDone && !this.#isBodyDone) {
      this.#isBodyDone = true
      this.#startClocks(this.#progressMs)
    }
    if (this.#state === 'done' || chunk.length === 0) return
    if (this.#isReplayable) {
      this.#kept.push(chunk)
      this.#keptBytes += chunk.length
    }
    if (this.#upstream === null) {
      if (this.#keptBytes > REPLAY_MAX_BYTES) this.#client.pause()
      return
    }
    this.#dropKeptIfLarge()
    if (!this.#upstream.socket.write(chunk)) this.#client.pause()
  }

  #dropKeptIfLarge(): void {
    if (!this.#isReplayable || this.#keptBytes <= REPLAY_MAX_BYTES) return
    this.#isReplayable = false
    this.#kept = []
  }

  /** The request's body broke its own framing. */
  onBadBody(): void {
    if (this.#state === 'streaming') {
      this.#reason = 'bad-request'
      this.#end(400, 'close')
    } else {
      this.#answer(400, 'bad-request')
    }
  }

  onUpstreamDrain(): void {
    this.#progressMs = monotonicMs()
    this.#client.resume()
  }

  // ----------------------------------------------------------------------------------------- response

  onUpstreamOpen(): void {
    this.#connectByMs = Number.POSITIVE_INFINITY
  }

  onUpstreamData(chunk: Buffer): void {
    this.#progressMs = monotonicMs()
    if (this.#state === 'streaming') {
      this.#passBody(chunk, 0, '')
      return
    }
    if (this.#state === 'tunnel') {
      if (!this.#client.write(chunk)) this.#upstream?.socket.pause()
      return
    }
    const buf = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk])
    this.#pending = null
    this.#readHead(buf)
  }

  #readHead(buf: Buffer): void {
    const end = buf.indexOf('\r\n\r\n')
    if (end < 0 || end > RESPONSE_HEAD_MAX_BYTES) {
      if (buf.length > RESPONSE_HEAD_MAX_BYTES) this.#badResponse()
      else this.#pending = buf
      return
    }
    const response = parseResponseHead(buf.toString('latin1', 0, end + 2))
    if (response === null) {
      this.#badResponse()
      return
    }
    const rest = end + 4
    if (response.status === 101) {
      this.#openTunnel(response, buf.subarray(rest))
    } else if (response.status < 200) {
      if (!this.head.isHttp10) this.#client.write(informationalHead(response))
      if (rest < buf.length) this.#readHead(buf.subarray(rest))
    } else if (!this.#retriesUnavailable(response)) {
      this.#passHead(response, buf, rest)
    }
  }

  /** A 503 of the endpoint itself is worth another try elsewhere; one that a proxy made further in is not. */
  #retriesUnavailable(response: ResponseHead): boolean {
    if (response.status !== 503 || !this.#isBodyDone || !mayRetry(this.head.method, 'unavailable', this.#isReplayable)) return false
    if (!this.#hasTimeForRetry() || this.service.endpoints.length < 2 || fieldValue(response.fields, 'x-muster-reason') !== null)
      return false
    if (!takeRetry(this.service.budget, monotonicMs(), this.service.policy.retryBudget)) return false
    this.#leaveEndpoint('unavailable', false)
    this.#retryLater()
    return true
  }

  #badResponse(): void {
    const endpoint = this.#endpoint
    this.#leaveEndpoint('reset', false)
    this.#failedEndpoint = endpoint
    this.#answer(502, 'bad-response')
  }

  #passHead(response: ResponseHead, buf: Buffer, rest: number): void {
    const nowMs = this.#progressMs
    this.#response = response
    this.#headMs = nowMs - this.#startedMs
    this.#learn(response.status, nowMs)
    let untilClose = false
    const isBodiless = hasNoBody(this.head.method, response.status)
    if (isBodiless) this.#responseBody = EMPTY_BODY
    else if (response.isChunked) {
      this.#isDechunking = this.head.isHttp10
      this.#responseBody = new ChunkedBody(this.#isDechunking ? (data, from, to) => this.#writeClient(data.subarray(from, to)) : null)
      untilClose = this.#isDechunking
    } else if (response.contentLength >= 0) this.#responseBody = new LengthBody(response.contentLength)
    else {
      this.#responseBody = new UntilCloseBody()
      untilClose = true
    }
    this.#keepsClient = this.head.keepsAlive && this.#isBodyDone && !untilClose && !this.#context.isDraining
    const text = downstreamHead(response, {
      requestId: this.#requestId,
      connection: this.#keepsClient ? (this.head.isHttp10 ? 'keep-alive' : null) : 'close',
      isChunked: response.isChunked && !this.#isDechunking && (!isBodiless || this.head.method === 'HEAD'),
    })
    this.#state = 'streaming'
    this.#kept = []
    this.#isReplayable = false
    this.#passBody(buf, rest, text)
  }

  #learn(status: number, nowMs: number): void {
    const endpoint = this.#endpoint
    if (endpoint === null) return
    if (status >= 500) {
      endpoint.errors += 1
      this.service.observe(endpoint, 'error', nowMs)
    } else {
      // Errors come fast: counted as latency they would draw the traffic to the sick endpoint.
      observeLatency(endpoint.latency, nowMs - this.#tryStartedMs, nowMs)
      this.service.observe(endpoint, 'ok', nowMs)
    }
  }

  /** Passes body bytes of `buf` from `at` on, after `text`, the head, in as few writes as will do. */
  #passBody(buf: Buffer, at: number, text: string): void {
    const body = this.#responseBody
    if (this.#isDechunking && text !== '') {
      this.#writeClient(text)
      text = ''
    }
    const end = body.isDone ? at : body.follow(buf, at)
    if (end < 0) {
      if (text !== '') this.#writeClient(text)
      this.#brokenOff('bad-response')
      return
    }
    if (this.#isDechunking) {
      // written by the follower, without the coding
    } else if (text === '') this.#writeClient(at === 0 && end === buf.length ? buf : buf.subarray(at, end))
    else if (end - at <= SMALL_BODY_BYTES) this.#writeClient(end === at ? text : text + buf.toString('latin1', at, end))
    else {
      this.#client.socket.cork()
      this.#writeClient(text)
      this.#writeClient(buf.subarray(at, end))
      this.#client.socket.uncork()
    }
    if (body.isDone) this.#endResponse(end < buf.length)
  }

  #writeClient(data: string | Buffer): void {
    if (!this.#client.write(data)) this.#upstream?.socket.pause()
  }

  onClientDrain(): void {
    this.#progressMs = monotonicMs()
    this.#upstream?.socket.resume()
  }

  #endResponse(hasMore: boolean): void {
    const response = this.#response
    const upstream = this.#upstream
    if (response === null || upstream === null) return
    this.#upstream = null
    if (response.keepsAlive && this.#isBodyDone && !hasMore) upstream.release(this.#progressMs, response.idleMs)
    else upstream.destroy()
    this.#end(response.status, this.#keepsClient && this.#isBodyDone ? 'keep' : 'close')
  }

  /** The answer stopped in the middle: the caller must see that, so its connection is cut too. */
  #brokenOff(reason: string): void {
    const endpoint = this.#endpoint
    this.#upstream?.destroy()
    this.#upstream = null
    if (endpoint !== null) {
      endpoint.failures += 1
      this.service.observe(endpoint, 'error', monotonicMs())
    }
    this.#reason = reason
    this.#end(502, 'reset')
  }

  onUpstreamGone(hasConnected: boolean): void {
    if (this.#state === 'waiting') {
      this.#tryFailed(hasConnected ? 'reset' : 'connect')
      return
    }
    this.#upstream = null
    if (this.#state === 'tunnel') this.#end(101, 'close')
    else if (this.#state === 'streaming') {
      if (this.#responseBody instanceof UntilCloseBody) this.#end(this.#response?.status ?? 200, 'close')
      else this.#brokenOff('reset')
    }
  }

  // ------------------------------------------------------------------------------------------- tunnel

  #openTunnel(response: ResponseHead, rest: Buffer): void {
    if (this.head.upgrade === null) {
      this.#badResponse()
      return
    }
    this.#response = response
    this.#headMs = this.#progressMs - this.#startedMs
    this.#learn(101, this.#progressMs)
    this.#state = 'tunnel'
    this.#kept = []
    this.#client.write(downstreamHead(response, { requestId: this.#requestId, connection: 'upgrade', isChunked: false }))
    if (rest.length > 0) this.onUpstreamData(rest)
    this.#client.resume()
    const early = this.#client.takeBuffered()
    if (early !== null) this.onTunnelData(early)
  }

  onTunnelData(chunk: Buffer): void {
    if (this.#upstream?.socket.write(chunk) === false) this.#client.pause()
  }

  onTunnelEnd(): void {
    this.#upstream?.socket.end()
  }

  // ---------------------------------------------------------------------------------------------- end

  /** The caller's connection is gone: whatever runs for it is aborted. */
  onClientGone(): void {
    if (this.#state === 'done') return
    this.#upstream?.destroy()
    this.#upstream = null
    if (this.#state === 'tunnel') this.#end(101, 'close')
    else {
      this.#reason = 'client-gone'
      this.#end(499, 'close')
    }
  }

  /** Called every few ms: ends what has waited too long. */
  checkTime(nowMs: number): void {
    if (this.#state === 'streaming') {
      if (nowMs - this.#progressMs > IDLE_MAX_MS) this.#brokenOff('timeout')
      return
    }
    if (this.#state === 'tunnel' || this.#state === 'done') return
    if (nowMs >= this.#doneByMs) {
      const endpoint = this.#endpoint
      if (endpoint !== null) this.#leaveEndpoint('timeout', false)
      this.#failedEndpoint = endpoint
      this.#answer(504, 'timeout')
    } else if (this.#state === 'waiting' && nowMs >= this.#connectByMs && this.#upstream?.isConnected === false) {
      this.#tryFailed('connect')
    } else if (this.#state === 'waiting' && this.#isBodyDone && nowMs >= this.#tryByMs) {
      this.#tryFailed('timeout')
    } else if (!this.#isBodyDone && nowMs - this.#progressMs > IDLE_MAX_MS) {
      this.#answer(408, 'timeout')
    }
  }

  /** An answer of the proxy's own, before any byte of an endpoint's. */
  #answer(status: number, reason: string): void {
    if (this.#state === 'done') return
    this.#upstream?.destroy()
    this.#upstream = null
    this.#reason = reason
    this.service.countReason(reason)
    const keepsAlive = this.head.keepsAlive && this.#isBodyDone && !this.#context.isDraining
    this.#client.write(ownAnswer({ status, reason, method: this.head.method, keepsAlive, requestId: this.#requestId }))
    this.#end(status, keepsAlive ? 'keep' : 'close')
  }

  #end(status: number, next: 'keep' | 'close' | 'reset'): void {
    if (this.#state === 'done') return
    const wasHeld = this.#state !== 'picking'
    this.#state = 'done'
    if (this.#timer !== null) clearTimeout(this.#timer)
    const { service } = this
    const endpoint = this.#endpoint
    service.running -= 1
    this.#context.exchanges.delete(this)
    if (endpoint !== null && wasHeld) {
      endpoint.running -= 1
      if (endpoint.isDraining && endpoint.running === 0) service.draining.delete(endpoint)
    }
    const nowMs = monotonicMs()
    const latencyMs = status === 101 ? this.#headMs : nowMs - this.#startedMs
    addLatency(service.latencies, latencyMs, nowMs)
    this.#context.events.add(this.#event(status, latencyMs, endpoint ?? this.#failedEndpoint))
    this.#kept = []
    this.#client.exchangeDone(next)
  }

  /** A row of `requests` (contracts/mesh.ts, RequestEvent). Put together by hand: it is made for every request. */
  #event(status: number, latencyMs: number, endpoint: Endpoint | null): string {
    const who =
      endpoint?.eventPart ??
      JSON.stringify({
        // Of a service that is not there yet: the row counts for none, and says which was awaited.
        ...(this.service.isBeforeFirst ? { service: null, awaited: this.service.name } : { service: this.service.name }),
        route: '',
        version: '',
        release: '',
        arm: '',
        task: '',
        node: this.#context.node,
        region: this.#context.region,
      }).slice(1, -1)
    const path = this.head.path.length > 512 ? this.head.path.slice(0, 512) : this.head.path
    return (
      `{"time":${Date.now()},${who},"method":"${this.head.method}","path":${JSON.stringify(path)},"status":${status},` +
      `"latency_ms":${latencyMs.toFixed(3)},"tries":${this.#tries},"reason":"${this.#reason}","user":${JSON.stringify(this.#user)},` +
      `"fault":${this.#fault === null ? '""' : JSON.stringify(this.#fault.id)},"trace":"${this.#traceId}"}`
    )
  }
}

function cookieValue(cookies: string, name: string): string {
  for (const part of cookies.split(';')) {
    const equals = part.indexOf('=')
    if (equals > 0 && part.slice(0, equals).trim() === name) return part.slice(equals + 1).trim()
  }
  return ''
}
