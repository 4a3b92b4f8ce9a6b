import { randomBytes } from 'node:crypto'

const PROCESS = randomBytes(5).toString('hex')
let requests = 0

/** Unique within the fleet for all practical purposes: random per process, then counted. */
export function newRequestId(): string {
  requests += 1
  return `${PROCESS}-${requests.toString(36)}`
}
