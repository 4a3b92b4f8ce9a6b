import type { ConnectionOptions } from 'node:tls'
import { errorFromBody, type ErrorBody } from '../../../core/kernel/errors.ts'
import { authorityAt, connected, unavailable, type HostPort } from '../../../platform/tls-authority.ts'
import { reasonOf } from '../../../platform/tls-reason.ts'

/** A member is added to both logs before the answer comes. */
const ANSWER_MS = 20_000
/** The answer holds both registers. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

/**
 * Asks a server of a cluster to be let in. Nothing is said to whoever answers there before its certificate was found to be of the
 * authority with this fingerprint. Rejects with DELOS_WRONG_CA, with the other server's refusal, or with UNAVAILABLE when no answer came: then
 * nobody knows whether the request was heard, and it may be asked again as it is.
 */
export async function askToJoin(address: HostPort, fingerprint: string, request: object): Promise<unknown> {
  const ca = await authorityAt(address, fingerprint)
  // This time OpenSSL checks all there is to check: the chain, its times, what the certificate may be used for.
  const text = await exchange(address, { ca, rejectUnauthorized: true }, `${JSON.stringify(request)}\n`)
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    throw unavailable(address, text === '' ? 'it closed the connection without an answer' : `it says: ${printable(text)}`)
  }
  const error = (answer as { error?: ErrorBody } | null)?.error
  if (error !== undefined) throw errorFromBody(error)
  return answer
}

async function exchange(address: HostPort, options: ConnectionOptions, line: string): Promise<string> {
  const socket = await connected(address, options)
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let bytes = 0
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)), ANSWER_MS)
    socket.on('data', (part: Buffer) => {
      parts.push(part)
      bytes += part.length
      if (bytes > ANSWER_BYTES_MAX) socket.destroy(new Error(`its answer is longer than ${ANSWER_BYTES_MAX} bytes`))
    })
    socket.on('error', (error) => reject(unavailable(address, reasonOf(error))))
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(Buffer.concat(parts).toString('utf8'))
    })
    socket.write(line)
  })
}

const printable = (text: string): string => text.replace(/[^ -~]/g, '').slice(0, 200)
