import { createServer, type Server } from 'node:https'
import { existsSync, readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { z } from 'zod'
import type { ReadDb } from '../../core/contracts/storage.ts'
import { parseAddress } from '../../core/contracts/join-token.ts'
import { isRefusal, type MusterError, refuse } from '../../core/kernel/errors.ts'
import { agentPort, nodeAdmit } from '../../core/tw/operations.ts'
import { nodeKeyRow, nodeNameSchema } from '../../core/tw/queries.ts'
import { readCertificate } from '../../platform/certificates.ts'
import { nodeIn } from '../../platform/certificate-uri.ts'
import { replaceFile } from '../../platform/files.ts'
import { freePort } from '../../platform/free-port.ts'
import type { Logger } from '../../platform/logger.ts'
import type { StatePaths } from '../../platform/paths.ts'
import { textOf } from '../../platform/streams.ts'
import { addressText, type HostPort } from '../../platform/tls-authority.ts'
import { setCallerOf } from '../api/callers.ts'
import type { Authority } from '../delos/membership/authority.ts'
import { hashOfSecret } from '../delos/membership/let-in.ts'
import type { ServerHost } from '../host.ts'
import type { DialBack } from './dial-back.ts'

export interface AgentPortOptions {
  authority: Authority
  db: ReadDb
  /** id of this server, hexadecimal */
  self: string
  /** runs commands on the server that leads */
  run: ServerHost['run']
  /** answers a request whose caller is known (`callers.ts`) */
  pass: (request: IncomingMessage, response: ServerResponse) => void
  dialBack: DialBack
  paths: StatePaths
  /** `HOST:PORT` from now on; null: as before, and a free port of 127.0.0.1 when it is first needed */
  address: string | null
  log: Logger
}

/** Where agents of other machines come in: HTTP over TLS, and all but the first request with the agent's own certificate. */
export interface AgentPort {
  /** Opens it if it is not open yet; gives `HOST:PORT`. Rejects with PORT_TAKEN. */
  open: () => Promise<string>
  /** Opens it if it was asked for, now or in an earlier life of this server. */
  resume: () => Promise<void>
  close: () => Promise<void>
}

/** What an agent may ask: `METHOD path`. */
const ALLOWED = [/^GET \/v1\/agent\/stream$/, /^POST \/v1\/agent\/(report|beats)$/, /^GET \/v1\/artifacts\/sha256\/[0-9a-f]{64}$/]
const JOIN = 'POST /v1/agent/join'
const RENEW = 'POST /v1/agent/certificate'
const DIAL = '/v1/agent/dial'
const BODY_BYTES_MAX = 64 * 1024
const HANDSHAKE_MS = 5000
const ANNOUNCE_MS = 2000
/** What a task asks with its own token, through its agent. */
const OF_TASKS = /^POST \/v1\/tw\/op\/(pending|answer)$/

const csr = z.string().max(16 * 1024)
const joinSchema = z.object({
  secret: z.string().regex(/^[\w-]{43}$/, 'the secret of a token has 43 characters'),
  csr,
  node: nodeNameSchema,
})
const renewSchema = z.object({ csr })

export function createAgentPort({ authority, db, self, run, pass, dialBack, paths, address, log }: AgentPortOptions): AgentPort {
  const file = join(paths.root, 'agent-port.json')
  let opening: Promise<string> | null = null
  let server: Server | null = null
  let unlisten = (): void => {}

  /** The node whose agent is at the other end; a refusal: nobody known. */
  const speakerOf = (socket: TLSSocket): string | MusterError => {
    const certificate = socket.getPeerX509Certificate()
    const node = socket.authorized ? nodeIn(certificate) : null
    if (certificate === undefined || node === null) return refuse('NOT_PERMITTED', 'this port wants the certificate of an agent')
    const key = nodeKeyRow(db, node)?.key
    if (key === undefined)
      return refuse('NOT_PERMITTED', `the node ${node} was retired, or never joined`, {
        hint: 'Join again with a token of `muster tw node token`.',
      })
    return key === readCertificate(certificate.toString()).key ? node : refuse('TW_NODE_CLAIMED', `another agent is the node ${node} now`)
  }

  const admit = async (request: IncomingMessage): Promise<object> => {
    const { secret, csr: asked, node } = parsed(joinSchema, await bodyOf(request))
    const key = await authority.keyOf(asked)
    await run(nodeAdmit, { node, key, token: hashOfSecret(secret) }, `agent:${node}`)
    return certificateFor(asked, node)
  }
  const renew = async (request: IncomingMessage, node: string): Promise<object> => {
    const { csr: asked } = parsed(renewSchema, await bodyOf(request))
    if ((await authority.keyOf(asked)) !== nodeKeyRow(db, node)?.key)
      throw refuse('NOT_PERMITTED', `the certificate of ${node} is renewed for its own key alone`)
    return certificateFor(asked, node)
  }
  const certificateFor = async (asked: string, node: string): Promise<object> => {
    const { certificate: ca } = await authority.pair()
    return { ca, certificate: await authority.signAgent(asked, node) }
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const route = `${request.method} ${(request.url ?? '').split('?')[0]}`
    try {
      if (route === JOIN) return answer(response, 200, { ok: true, data: await admit(request) })
      const node = speakerOf(request.socket as TLSSocket)
      if (isRefusal(node)) throw node
      if (route === RENEW) return answer(response, 200, { ok: true, data: await renew(request, node) })
      if (OF_TASKS.test(route)) return pass(request, response)
      if (!ALLOWED.some((one) => one.test(route))) throw refuse('NOT_FOUND', `an agent does not ask for ${route}`)
      setCallerOf(request, { actor: `agent:${node}`, role: 'operator' })
      pass(request, response)
    } catch (error) {
      const known = isRefusal(error) ? error : refuse('INTERNAL', `a bug: ${String((error as Error).stack)}`)
      log.warn('an agent was refused', { from: request.socket.remoteAddress, route, code: known.code, reason: known.message })
      if (!response.headersSent) answer(response, known.exit === 6 ? 503 : known.exit === 70 ? 500 : 403, { ok: false, error: known })
    }
  }
  const upgrade = (request: IncomingMessage, socket: Duplex): void => {
    const url = new URL(request.url ?? '/', 'http://server')
    const ticket = url.searchParams.get('ticket')
    socket.on('error', () => {})
    if (url.pathname !== DIAL || ticket === null || isRefusal(speakerOf(request.socket as TLSSocket)))
      return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: muster-agent\r\n\r\n')
    if (!dialBack.arrive(ticket, socket)) socket.destroy()
  }

  const listen = async (): Promise<string> => {
    const at = await whereTo()
    const made = createServer(
      {
        ...(await authority.tls()),
        ...{ requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3', handshakeTimeout: HANDSHAKE_MS },
        ...{ requestTimeout: 0, keepAliveTimeout: 72_000 },
      },
      (request, response) => void handle(request, response),
    )
    made.on('upgrade', upgrade)
    made.on('tlsClientError', () => {})
    await new Promise<void>((resolve, reject) => {
      made.once('error', (error: NodeJS.ErrnoException) =>
        reject(error.code === 'EADDRINUSE' ? refuse('PORT_TAKEN', `${addressText(at)} is in use`, { cause: error }) : error),
      )
      made.listen(at.port, at.host, resolve)
    })
    server = made
    unlisten = authority.onOwn((own) => made.setSecureContext(own))
    void announce(addressText(at))
    replaceFile(file, `${JSON.stringify({ address: addressText(at) })}\n`)
    log.info('agents of other machines are answered', { address: addressText(at) })
    return addressText(at)
  }
  /** Tells the fleet, and so its agents; tried again until somebody leads. */
  const announce = async (at: string): Promise<void> => {
    // Nobody comes to all addresses at once.
    if (/^(0\.0\.0\.0|\[::\]):/.test(at)) return
    while (server !== null && server.listening) {
      try {
        await run(agentPort, { server: self, address: at }, 'server')
        return
      } catch (error) {
        log.warn('the fleet is not told yet where agents are answered', { reason: String(error) })
        await sleep(ANNOUNCE_MS)
      }
    }
  }
  const whereTo = async (): Promise<HostPort> => {
    const wanted = address ?? remembered()
    if (wanted === null) return { host: '127.0.0.1', port: await freePort('127.0.0.1') }
    const at = parseAddress(wanted)
    if (at === null) throw refuse('USAGE', `--agents wants HOST:PORT, not "${wanted}"`)
    return at
  }
  const remembered = (): string | null =>
    existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { address: string }).address : null

  const open = (): Promise<string> => {
    opening ??= listen().catch((error: unknown) => {
      // A port that is taken now may be free the next time.
      opening = null
      throw error
    })
    return opening
  }
  return {
    open,
    resume: async () => {
      if (address !== null || remembered() !== null) await open()
    },
    close: async () => {
      unlisten()
      const closing = server
      if (closing === null) return
      const closed = new Promise<void>((resolve) => closing.close(() => resolve()))
      closing.closeAllConnections()
      await closed
    },
  }
}

function parsed<T>(schema: z.ZodType<T>, text: string): T {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw refuse('USAGE', 'the request is not JSON')
  }
  const result = schema.safeParse(body)
  if (result.success) return result.data
  throw refuse('USAGE', result.error.issues.map((issue) => `${issue.path.join('.') || 'it'}: ${issue.message}`).join('; '))
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  if (Number(request.headers['content-length'] ?? Number.NaN) <= BODY_BYTES_MAX) return textOf(request)
  throw refuse('USAGE', `the request says no length, or one above ${BODY_BYTES_MAX} bytes`)
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
