import type { X509Certificate } from 'node:crypto'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { errorFromBody, refuse, type ErrorBody, type MusterError } from '../../../core/kernel/errors.ts'
import { fingerprintOf } from '../../../platform/certificates.ts'
import { reasonOf } from './tls-reason.ts'

const CONNECT_MS = 3000
/** A member is added to both logs before the answer comes. */
const ANSWER_MS = 20_000
/** The answer holds both registers. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

/**
 * Asks a server of a cluster to be let in. Nothing is said to whoever answers there before its certificate was found to be of the
 * authority with this fingerprint. Rejects with DELOS_WRONG_CA, with the other server's refusal, or with UNAVAILABLE when no answer came: then
 * nobody knows whether the request was heard, and it may be asked again as it is.
 */
export async function askToJoin(address: { host: string; port: number }, fingerprint: string, request: object): Promise<unknown> {
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

/** The authority behind whoever answers, PEM, if it is the one that is wanted. */
async function authorityAt(address: { host: string; port: number }, fingerprint: string): Promise<string> {
  const socket = await connected(address, { rejectUnauthorized: false })
  const certificate = rootOf(socket)
  // In order: a connection that is cut would be noted there as a trouble.
  socket.end()
  if (certificate === null || fingerprintOf(certificate) !== fingerprint)
    throw refuse('DELOS_WRONG_CA', `the server at ${textOf(address)} has no certificate of the authority that the token names`)
  return certificate
}

function rootOf(socket: TLSSocket): string | null {
  let certificate: X509Certificate | undefined = socket.getPeerX509Certificate()
  const seen = new Set<string>()
  while (certificate?.issuerCertificate !== undefined && !seen.has(certificate.fingerprint256)) {
    seen.add(certificate.fingerprint256)
    certificate = certificate.issuerCertificate
  }
  return certificate?.toString() ?? null
}

function connected(address: { host: string; port: number }, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ ...address, ...options, minVersion: 'TLSv1.3', checkServerIdentity: () => undefined })
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${CONNECT_MS / 1000} s`)), CONNECT_MS)
    socket.once('secureConnect', () => {
      clearTimeout(timer)
      resolve(socket)
    })
    socket.on('error', (error) => {
      clearTimeout(timer)
      reject(unavailable(address, reasonOf(error)))
    })
    socket.once('close', () => {
      clearTimeout(timer)
      reject(unavailable(address, 'it closed the connection'))
    })
  })
}

async function exchange(address: { host: string; port: number }, options: ConnectionOptions, line: string): Promise<string> {
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

function unavailable(address: { host: string; port: number }, reason: string): MusterError {
  return refuse('UNAVAILABLE', `the server at ${textOf(address)}, which the token names, gives no answer: ${reason}`, {
    hint: 'Look whether it runs and can be reached from here; then ask again with the same token.',
  })
}

const textOf = ({ host, port }: { host: string; port: number }): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

const printable = (text: string): string => text.replace(/[^ -~]/g, '').slice(0, 200)
