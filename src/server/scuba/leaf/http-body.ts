import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { refuse } from '../../../core/kernel/errors.ts'
import { YoungGarbage } from '../../../platform/young-garbage.ts'

/** What the leaf's routes read of a request. */

/** Given back by a handler that wrote its answer itself. */
export const WRITTEN = Symbol('written')

const garbage = new YoungGarbage()

export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const parts = await readParts(request, bytesMax)
  return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts)
}

/** A body of a length that is known, read into room for it. */
export function readInto(room: Buffer, request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes = 0
    // Each part is copied as it comes, so that it is garbage before the next one is there.
    request.on('data', (part: Buffer) => (bytes += part.copy(room, bytes)))
    request.once('end', () => {
      garbage.add(bytes)
      resolve(room.subarray(0, bytes))
    })
    request.once('error', reject)
    request.once('close', () => reject(new Error('the connection ended within the body')))
  })
}

/** A body as it came. @throws SCUBA_TOO_LARGE */
export async function readParts(request: IncomingMessage, bytesMax: number): Promise<Buffer[]> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request) {
    bytes += (part as Buffer).length
    if (bytes > bytesMax) throw refuse('SCUBA_TOO_LARGE', `the body is larger than ${bytesMax / 1024 / 1024} MiB`)
    parts.push(part as Buffer)
  }
  return parts
}

export async function json(request: IncomingMessage): Promise<unknown> {
  return parseJson((await readBody(request, 4 * 1024 * 1024)).toString('utf8'))
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw refuse('USAGE', `the body is not JSON: ${(error as Error).message}`, { cause: error })
  }
}

export function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value)
  if (!result.success) throw refuse('USAGE', z.prettifyError(result.error))
  return result.data
}

/** Aborted when the caller closes its connection before the answer. */
export function gone(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => !response.writableFinished && controller.abort())
  return controller.signal
}
