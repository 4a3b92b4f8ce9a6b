import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest, type AgentOptions } from 'node:https'
import type { PeerCertificate } from 'node:tls'
import { errorFromBody, refuse, type ErrorBody, type MusterError } from '../../../core/kernel/errors.ts'
import type { Peer } from '../../../core/scuba/registry.ts'
import { nodeIn, serverIdOf } from '../../../platform/certificate-uri.ts'

export interface PeerReply {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** Key, certificate and authority by which leaves know each other. */
export type PeerKeys = Pick<AgentOptions, 'key' | 'cert' | 'ca'>

/** What goes with a call. */
export interface Sent {
  body?: string | Uint8Array
  headers?: Record<string, string>
  signal?: AbortSignal
}

/** Largest answer of one leaf. */
const REPLY_BYTES_MAX = 300 * 1024 * 1024

/** Asks other leaves over kept connections: `unix:PATH` on this machine, `https://HOST:PORT` with a certificate both ways. */
export class PeerCalls {
  readonly #http = new HttpAgent({ keepAlive: true })
  readonly #https: HttpsAgent

  constructor(keys: () => PeerKeys = () => ({})) {
    this.#keys = keys
    this.#https = new HttpsAgent({ keepAlive: true })
  }

  readonly #keys: () => PeerKeys

  /** @throws whatever the other leaf refuses with; SCUBA_DOWN when it does not answer */
  async call(peer: Peer, method: string, path: string, sent: Sent = {}): Promise<PeerReply> {
    const response = await this.good(peer, method, path, sent)
    return { status: response.statusCode ?? 500, headers: response.headers, body: await bodyOf(response) }
  }

  /** A good answer, whose body is still to be read. @throws as {@link call} does */
  async good(peer: Peer, method: string, path: string, sent: Sent = {}): Promise<IncomingMessage> {
    const response = await this.open(peer, method, path, sent)
    if ((response.statusCode ?? 500) < 300) return response
    throw errorFromBody((JSON.parse((await bodyOf(response)).toString('utf8')) as { error: ErrorBody }).error)
  }

  /** Asks with a body of JSON; `path` behind `/v1/scuba/`. */
  async post(peer: Peer, path: string, body: object, signal: AbortSignal): Promise<PeerReply> {
    const response = await this.postFor(peer, path, body, signal)
    return { status: response.statusCode ?? 500, headers: response.headers, body: await bodyOf(response) }
  }

  /** The same, with the body of the answer still to be read. */
  postFor(peer: Peer, path: string, body: object, signal: AbortSignal): Promise<IncomingMessage> {
    const headers = { 'content-type': 'application/json' }
    return this.good(peer, 'POST', `/v1/scuba/${path}`, { body: JSON.stringify(body), headers, signal })
  }

  /** Any answer, whose body is still to be read. @throws SCUBA_DOWN when there is none */
  open({ address, node, server }: Peer, method: string, path: string, { body, headers = {}, signal }: Sent = {}): Promise<IncomingMessage> {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const options = { method, path, headers: { ...headers, ...length }, ...(signal === undefined ? {} : { signal }) }
    return new Promise<IncomingMessage>((resolve, reject) => {
      const request = address.startsWith('unix:')
        ? httpRequest({ ...options, socketPath: address.slice(5), agent: this.#http })
        : httpsRequest(new URL(path, address), {
            ...options,
            ...this.#keys(),
            agent: this.#https,
            servername: '',
            checkServerIdentity: isOf(node, server),
          })
      request.once('error', (error) => reject(silent(error)))
      request.once('response', resolve)
      request.end(body)
    })
  }

  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }
}

export const silent = (error: unknown): MusterError =>
  refuse('SCUBA_DOWN', `does not answer (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`, { cause: error })

const bodyOf = (response: IncomingMessage): Promise<Buffer> =>
  wholeOf(response).catch((error: unknown) => {
    throw silent(error)
  })

function wholeOf(response: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let bytes = 0
    response.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > REPLY_BYTES_MAX) response.destroy(new Error('the answer is too large'))
      else parts.push(part)
    })
    response.once('error', reject)
    response.once('end', () => resolve(Buffer.concat(parts)))
  })
}

/** A leaf of another machine shows a certificate that the fleet's authority made: of its server, if the log says of one, else of its node's agent. */
export const isOf =
  (node: string | null, server: string | null) =>
  (_host: string, { subjectaltname: subjectAltName }: Pick<PeerCertificate, 'subjectaltname'>): Error | undefined => {
    const [shownServer, shownNode] = [serverIdOf({ subjectAltName }), nodeIn({ subjectAltName })]
    const isRight = server !== null ? shownServer === BigInt(`0x${server}`) : node !== null && shownNode === node
    if (isRight) return undefined
    const shown = shownServer !== null ? `server ${shownServer.toString(16)}` : `node ${shownNode ?? 'none'}`
    return new Error(`its certificate is of ${shown}, not of ${server !== null ? `server ${server}` : `node ${node ?? 'none'}`}`)
  }
