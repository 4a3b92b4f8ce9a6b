import type { IncomingMessage } from 'node:http'
import { readParts } from '../http-body.ts'

/** A request's body in memory of its own, which can be handed to a thread. @throws SCUBA_TOO_LARGE */
export async function readWhole(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const parts = await readParts(request, bytesMax)
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
