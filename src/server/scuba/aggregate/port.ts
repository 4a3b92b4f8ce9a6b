import { statSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { RequestListener } from 'node:http'
import { serverIdOf } from '../../../platform/certificate-uri.ts'
import { readKeyFile } from '../../../platform/key-file.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { PeerKeys } from './call.ts'

const HANDSHAKE_MS = 5000
const LOOK_MS = 60_000

/** Key, certificate and authority out of a file; nothing where there is none, as on a server that no other machine has joined. */
export function peerKeys(file: string | undefined): () => PeerKeys {
  let known: { changedMs: number; keys: PeerKeys } | null = null
  return () => {
    const changedMs = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false })?.mtimeMs
    if (file === undefined || changedMs === undefined) return {}
    // A certificate is renewed while the leaf runs.
    if (known?.changedMs !== changedMs) {
      const { key, certificate, ca } = readKeyFile(file)
      known = { changedMs, keys: { key, cert: certificate, ca } }
    }
    return known.keys
  }
}

/** The leaf's HTTP for servers of the fleet on other machines: over TLS, both ends with a certificate of its authority. */
export function openPeerPort(address: string, keyFile: string, answer: RequestListener, log: Logger): Server {
  const shown = peerKeys(keyFile)
  const server = createServer(
    { ...shown(), minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: true, handshakeTimeout: HANDSHAKE_MS },
    answer,
  )
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined)
    // An agent's certificate opens other doors, not this one: rows of all nodes would be behind it.
    if (serverIdOf(socket.getPeerX509Certificate()) === null) socket.destroy()
  })
  server.on('error', (error) => log.error('no other leaf reaches this one', { address, error: String(error) }))
  const renewing = setInterval(() => server.setSecureContext({ ...shown(), minVersion: 'TLSv1.3' }), LOOK_MS)
  renewing.unref()
  server.once('close', () => clearInterval(renewing))
  const { hostname, port } = new URL(`https://${address}`)
  server.listen(Number(port), hostname.replace(/^\[|\]$/g, ''))
  return server
}
