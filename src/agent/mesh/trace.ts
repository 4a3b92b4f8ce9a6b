import { randomBytes, randomFillSync } from 'node:crypto'

const pool = Buffer.allocUnsafe(16 * 256)
let used = pool.length

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  return pool.toString('hex', used - bytes, used)
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/

/** The trace id of a valid `traceparent` (W3C Trace Context), or null. */
export function traceIdOf(traceparent: string): string | null {
  const id = TRACEPARENT.exec(traceparent)?.[1] ?? null
  return id === null || /^0+$/.test(id) || traceparent.startsWith('ff') ? null : id
}

/** A new trace, sampled. */
export function newTrace(): { id: string; traceparent: string } {
  const id = randomHex(16)
  return { id, traceparent: `00-${id}-${randomHex(8)}-01` }
}

const PROCESS = randomBytes(5).toString('hex')
let requests = 0

/** Unique within the fleet for all practical purposes: random per process, then counted. */
export function newRequestId(): string {
  requests += 1
  return `${PROCESS}-${requests.toString(36)}`
}
