import { Agent as HttpAgent, request, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as tlsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import { serverIdOf } from '../platform/certificate-uri.ts'
import type { HostPort } from '../platform/tls-authority.ts'
import { readKeyFile } from '../platform/key-file.ts'

/** How an agent reaches its control plane. */
export interface ServerWay {
  /** A request to it; `isStream` has a connection of its own, all others share one after the other. */
  request: (options: RequestOptions & { isStream?: boolean }, answer?: (response: IncomingMessage) => void) => ClientRequest
  /** These are the servers of the fleet, from now on; without effect where there is but one way. */
  learn: (addresses: readonly HostPort[]) => void
  /** The last try failed: the next one goes elsewhere, where there is another place to go. */
  failed: () => void
  /** Connects once more, to be asked on that connection what belongs to the ticket; null: the server asks at the agent's own socket. */
  dial: ((ticket: string) => Promise<Duplex>) | null
  close: () => void
}

/** To the server on the same machine. */
export function localWay(socketPath: string): ServerWay {
  const kept = new HttpAgent({ keepAlive: true, maxSockets: 1 })
  return {
    request: ({ isStream = false, ...options }, answer) => request({ ...options, socketPath, agent: isStream ? false : kept }, answer),
    learn: () => {},
    failed: () => {},
    dial: null,
    close: () => kept.destroy(),
  }
}

const DIAL_MS = 5000

/**
 * To servers of other machines, over TLS: each has to show a certificate of a server, made by the fleet's authority, and is shown ours.
 * @param known tried in turn
 * @param keyFile read anew for each request, since its certificate is renewed
 */
export function remoteWay(known: readonly HostPort[], keyFile: string): ServerWay {
  let addresses = known
  let turn = 0
  const tls = () => {
    const { key, certificate, ca } = readKeyFile(keyFile)
    return {
      ...{ key, cert: certificate, ca, minVersion: 'TLSv1.3' as const },
      checkServerIdentity: (_host: string, { subjectaltname }: { subjectaltname?: string }): Error | undefined =>
        serverIdOf({ subjectAltName: subjectaltname }) === null ? new Error('its certificate is not that of a server') : undefined,
    }
  }
  const agent = (): HttpsAgent => new HttpsAgent({ keepAlive: true, maxSockets: 1 })
  let kept = agent()
  const way: ServerWay = {
    request: ({ isStream = false, ...options }, answer) => {
      const { host, port } = addresses[turn % addresses.length] as HostPort
      return tlsRequest({ ...options, ...tls(), host, port, agent: isStream ? false : kept }, answer)
    },
    learn: (all) => {
      // Whoever is talked to stays it.
      const now = addresses[turn % addresses.length] as HostPort
      const place = all.findIndex(({ host, port }) => host === now.host && port === now.port)
      addresses = place === -1 ? [now, ...all] : all
      turn = Math.max(place, 0)
    },
    failed: () => {
      turn += 1
      // What is left of the old connections may be half dead.
      kept.destroy()
      kept = agent()
    },
    dial: (ticket) =>
      new Promise((resolve, reject) => {
        const headers = { connection: 'upgrade', upgrade: 'muster-agent' }
        const dialling = way.request(
          { path: `/v1/agent/dial?ticket=${encodeURIComponent(ticket)}`, headers, isStream: true },
          (response) => {
            response.resume()
            reject(new Error(`the server answers ${response.statusCode}`))
          },
        )
        dialling.setTimeout(DIAL_MS, () => dialling.destroy(new Error('no answer')))
        dialling.once('upgrade', (_response, socket: Duplex) => {
          dialling.setTimeout(0)
          resolve(socket)
        })
        dialling.once('error', reject)
        dialling.end()
      }),
    close: () => kept.destroy(),
  }
  return way
}
