import { connect, type Socket } from 'node:net'
import type { Endpoint } from './endpoint.ts'

/** Many servers close idle connections after 5 s: ours must be gone before, or a request meets the closing. */
const IDLE_MAX_MS = 4000

/** Who uses an upstream connection at the moment. */
export interface UpstreamUser {
  onUpstreamOpen: () => void
  onUpstreamData: (chunk: Buffer) => void
  onUpstreamDrain: () => void
  /** ended, reset or failed to connect; nothing comes after it */
  onUpstreamGone: (hasConnected: boolean) => void
}

/** One connection to an endpoint: used by one request at a time, kept between them. */
export class UpstreamConnection {
  readonly socket: Socket
  readonly endpoint: Endpoint
  user: UpstreamUser | null
  isConnected = false
  /** has carried an answer before */
  isReused = false
  idleSinceMs = 0
  idleMaxMs = IDLE_MAX_MS
  #isGone = false

  constructor(endpoint: Endpoint, user: UpstreamUser) {
    this.endpoint = endpoint
    this.user = user
    this.socket = connect({ host: endpoint.def.address, port: endpoint.def.port, noDelay: true })
    this.socket.on('connect', () => {
      this.isConnected = true
      this.user?.onUpstreamOpen()
    })
    this.socket.on('data', (chunk: Buffer) => {
      // An endpoint that speaks without being asked cannot be trusted with the next request.
      if (this.user === null) this.destroy()
      else this.user.onUpstreamData(chunk)
    })
    this.socket.on('drain', () => this.user?.onUpstreamDrain())
    this.socket.on('end', () => this.#gone())
    // 'close' follows and says the same; without a listener an error would end the process.
    this.socket.on('error', () => this.#gone())
    this.socket.on('close', () => this.#gone())
  }

  destroy(): void {
    this.user = null
    this.#gone()
  }

  #gone(): void {
    if (this.#isGone) return
    this.#isGone = true
    const { user } = this
    this.user = null
    const at = this.endpoint.idle.indexOf(this)
    if (at >= 0) this.endpoint.idle.splice(at, 1)
    this.socket.destroy()
    user?.onUpstreamGone(this.isConnected)
  }

  /** Back to the pool, unless it may not be used again. */
  release(nowMs: number, idleMs: number | null): void {
    this.user = null
    // A second of distance to the endpoint's own limit, for the way there and its clock.
    this.idleMaxMs = idleMs === null ? IDLE_MAX_MS : Math.min(IDLE_MAX_MS, idleMs - 1000)
    if (this.endpoint.isDraining || this.#isGone || this.idleMaxMs <= 0) {
      this.destroy()
      return
    }
    this.isReused = true
    this.idleSinceMs = nowMs
    this.socket.resume()
    this.endpoint.idle.push(this)
  }
}

/** The connection that was idle for the shortest time, or null. */
export function takeIdle(endpoint: Endpoint, user: UpstreamUser, nowMs: number): UpstreamConnection | null {
  for (let connection = endpoint.idle.pop(); connection !== undefined; connection = endpoint.idle.pop()) {
    if (nowMs - connection.idleSinceMs < connection.idleMaxMs && connection.socket.writable) {
      connection.user = user
      return connection
    }
    connection.destroy()
  }
  return null
}

/** Closes what has been idle too long; all of it when the endpoint drains. */
export function sweepIdle(endpoint: Endpoint, nowMs: number): void {
  for (const connection of [...endpoint.idle]) {
    if (endpoint.isDraining || nowMs - connection.idleSinceMs >= connection.idleMaxMs) connection.destroy()
  }
}
