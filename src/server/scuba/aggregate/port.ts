import { statSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { RequestListener } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { nodeIn, serverIdOf } from '../../../platform/certificate-uri.ts'
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

/** A path under which one leaf keeps its copy on another. */
const COPY_PATH = /^\/v1\/scuba\/replica\/([^/?]+)/

export interface PeerPortOptions {
  answer: RequestListener
  /** whether a node's leaf may keep copies of rows here: of `leaf`, or, without, of any */
  mayCopy: (node: string, leaf?: string) => boolean
  log: Logger
}

/**
 * The leaf's HTTP on a port, over TLS, both ends with a certificate of the fleet's authority: everything for its servers; for a node whose leaf's rows
 * are copied to this one, its copy and nothing else.
 */
export function openPeerPort(address: string, keyFile: string, { answer, mayCopy, log }: PeerPortOptions): Server {
  const shown = peerKeys(keyFile)
  const server = createServer(
    { ...shown(), minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: true, handshakeTimeout: HANDSHAKE_MS },
    (request, response) => {
      const certificate = (request.socket as TLSSocket).getPeerX509Certificate()
      const node = nodeIn(certificate)
      const of = COPY_PATH.exec(request.url ?? '')?.[1]
      if (serverIdOf(certificate) !== null || (node !== null && of !== undefined && mayCopy(node, decodeURIComponent(of))))
        answer(request, response)
      else request.socket.destroy()
    },
  )
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined)
    // An agent's certificate opens other doors: rows of all nodes would be behind this one.
    const certificate = socket.getPeerX509Certificate()
    const node = nodeIn(certificate)
    if (serverIdOf(certificate) === null && (node === null || !mayCopy(node))) socket.destroy()
  })
  server.on('error', (error) => log.error('no other leaf reaches this one', { address, error: String(error) }))
  const renewing = setInterval(() => server.setSecureContext({ ...shown(), minVersion: 'TLSv1.3' }), LOOK_MS)
  renewing.unref()
  server.once('close', () => clearInterval(renewing))
  const { hostname, port } = new URL(`https://${address}`)
  server.listen(Number(port), hostname.replace(/^\[|\]$/g, ''))
  return server
}
