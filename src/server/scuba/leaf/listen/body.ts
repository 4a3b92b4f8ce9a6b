import type { IncomingMessage } from 'node:http'
import { refuse } from '../../../../core/kernel/errors.ts'

/** A request's body in memory of its own, which can be handed to a thread. @throws SCUBA_TOO_LARGE */
export async function readWhole(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request) {
    bytes += (part as Buffer).length
    if (bytes > bytesMax) throw refuse('SCUBA_TOO_LARGE', `the body is larger than ${bytesMax / 1024 / 1024} MiB`)
    parts.push(part as Buffer)
  }
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
