import type { X509Certificate } from 'node:crypto'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { refuse, type MusterError } from '../core/kernel/errors.ts'
import { fingerprintOf } from './certificates.ts'
import { reasonOf } from './tls-reason.ts'

/*
 * How one that joins finds out whom it talks to: a token names the authority of the fleet, and nothing is said to whoever does not show a
 * certificate of it.
 */

export interface HostPort {
  host: string
  port: number
}

const CONNECT_MS = 3000

/** The authority behind whoever answers, PEM, if it is the one that is wanted. Rejects with DELOS_WRONG_CA or UNAVAILABLE. */
export async function authorityAt(address: HostPort, fingerprint: string): Promise<string> {
  const socket = await connected(address, { rejectUnauthorized: false })
  const certificate = rootOf(socket)
  // In order: a connection that is cut would be noted there as a trouble.
  socket.end()
  if (certificate === null || fingerprintOf(certificate) !== fingerprint)
    throw refuse('DELOS_WRONG_CA', `the server at ${addressText(address)} has no certificate of the authority that the token names`)
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

/** A connection whose other end TLS has checked as the options say; the name in its certificate is not looked at. Rejects with UNAVAILABLE. */
export function connected(address: HostPort, options: ConnectionOptions): Promise<TLSSocket> {
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

export function unavailable(address: HostPort, reason: string): MusterError {
  return refuse('UNAVAILABLE', `the server at ${addressText(address)}, which the token names, gives no answer: ${reason}`, {
    hint: 'Look whether it runs and can be reached from here; then ask again with the same token.',
  })
}

export const addressText = ({ host, port }: HostPort): string => `${host.includes(':') ? `[${host}]` : host}:${port}`
