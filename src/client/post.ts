import type { Agent, IncomingMessage } from 'node:http'

// Through getBuiltinModule: an ESM import of node:http touches a getter that loads undici, 27 ms on each start.
const http = (): typeof import('node:http') => process.getBuiltinModule('node:http')
const https = (): typeof import('node:https') => process.getBuiltinModule('node:https')

/** Certificates in PEM. */
export interface Tls {
  /** who signs the servers' certificates; without it the system's authorities */
  ca?: string | undefined
  /** ours, where servers ask for one, and its key */
  cert?: string | undefined
  key?: string | undefined
}

/** A server, and the connections that are kept open to it. */
export interface Endpoint {
  url: URL
  agent: Agent
  tls: Tls
}

export function openEndpoint(url: URL, tls: Tls): Endpoint {
  const { Agent } = url.protocol === 'https:' ? https() : http()
  return { url, agent: new Agent({ keepAlive: true, maxSockets: 64 }), tls: url.protocol === 'https:' ? tls : {} }
}

/** A request that got no answer. `isSent` false: it never reached a server, so it was not done. */
export class NoAnswer extends Error {
  readonly isSent: boolean
  constructor(text: string, isSent: boolean, cause?: unknown) {
    super(text, { cause })
    this.isSent = isSent
  }
}

/** Sends a body and gives the answer's head as soon as it comes. Rejects with {@link NoAnswer}, or with the signal's reason. */
export function post(
  { url, agent, tls }: Endpoint,
  request: { path: string; body: string; token: string; signal: AbortSignal; isStream: boolean },
): Promise<IncomingMessage> {
  const { signal, body } = request
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    let isSent = false
    const sending = (url.protocol === 'https:' ? https() : http()).request(
      {
        ...tls,
        host: url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port || (url.protocol === 'https:' ? 443 : 80),
        path: request.path,
        method: 'POST',
        // A stream has a connection of its own: it ends by closing it.
        agent: request.isStream ? false : agent,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...(request.token === '' ? {} : { authorization: request.token }),
        },
        signal,
      },
      resolve,
    )
    sending.once('socket', (socket) => {
      const sent = (): void => {
        isSent = true
      }
      if (socket.connecting) socket.once('connect', sent)
      else sent()
    })
    sending.once('error', (error) => {
      reject(signal.aborted ? (signal.reason as Error) : new NoAnswer(`${url.host}: ${error.message || 'no answer'}`, isSent, error))
    })
    sending.end(body)
  })
}
