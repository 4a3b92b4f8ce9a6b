import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { request, type RequestOptions } from 'node:https'
import { join } from 'node:path'
import { parseAddress } from '../core/contracts/join-token.ts'
import { errorFromBody, isRefusal, refuse, type ErrorBody } from '../core/kernel/errors.ts'
import { parseAgentToken } from '../core/contracts/agent-token.ts'
import { isKeyOf, makeKey, makeRequest, readCertificate } from '../platform/certificates.ts'
import { replaceFileDurably } from '../platform/files.ts'
import type { StatePaths } from '../platform/paths.ts'
import { textOf } from '../platform/streams.ts'
import { addressText, authorityAt, unavailable, type HostPort } from '../platform/tls-authority.ts'
import { keyFileText, readKeyFile } from '../platform/key-file.ts'
import type { ServerWay } from './server-way.ts'

/*
 * How an agent of another machine comes to a fleet: it makes a key, which never leaves the machine, proves by a token that somebody wants it
 * there, and gets a certificate that says which node it speaks for.
 *
 *   keys/agent-NODE.pem       key, certificate, the authority's certificate
 *   keys/agent-NODE.joining   key of one that asked and was not told yet: it asks again with the same
 *   agents/NODE/servers.json  where the servers are
 */

export interface AgentFiles {
  pem: string
  joining: string
  servers: string
}

export function agentFiles(paths: StatePaths, node: string): AgentFiles {
  return {
    pem: join(paths.keys, `agent-${node}.pem`),
    joining: join(paths.keys, `agent-${node}.joining`),
    servers: join(paths.agent(node).root, 'servers.json'),
  }
}

/** Where the servers of a node that joined are; null: it did not join. */
export function joinedServers(files: AgentFiles): HostPort[] | null {
  if (!existsSync(files.pem) || !existsSync(files.servers)) return null
  const { servers, joined = [] } = readServers(files)
  return [...new Set([...servers, ...joined])].flatMap((text) => parseAddress(text) ?? [])
}

/**
 * Keeps what the fleet says of its servers. Where the agent joined stays the last resort: that address led to the fleet once, also if the
 * fleet calls its servers otherwise. Gives all, or null when nothing is new.
 */
export function keepServers(files: AgentFiles, servers: readonly string[]): HostPort[] | null {
  const before = readServers(files)
  if (servers.length === 0 || JSON.stringify(before.servers) === JSON.stringify(servers)) return null
  replaceFileDurably(files.servers, `${JSON.stringify({ servers, joined: before.joined ?? before.servers })}\n`)
  return joinedServers(files)
}

const readServers = (files: AgentFiles): { servers: string[]; joined?: string[] } =>
  JSON.parse(readFileSync(files.servers, 'utf8')) as { servers: string[]; joined?: string[] }

const ANSWER_MS = 20_000

/**
 * Uses the token up; afterwards {@link joinedServers} has an answer. A call that was stopped, or whose answer was lost, is made again with
 * the same token. Rejects with USAGE, DELOS_WRONG_CA, UNAVAILABLE, or the server's TW_TOKEN_… and TW_NODE_CLAIMED.
 * @param address `HOST:PORT` to come to instead of that of the token
 */
export async function joinAsAgent(paths: StatePaths, wish: { node: string; token: string; address: string | null }): Promise<void> {
  const token = parseAgentToken(wish.token)
  if (isRefusal(token)) throw token
  const text = wish.address ?? token.address
  const at = parseAddress(text)
  if (at === null) throw refuse('USAGE', `--join wants HOST:PORT, not "${text}"`)
  const files = agentFiles(paths, wish.node)
  mkdirSync(paths.keys, { recursive: true, mode: 0o700 })
  mkdirSync(paths.agent(wish.node).root, { recursive: true, mode: 0o700 })
  const key = existsSync(files.joining) ? readFileSync(files.joining, 'utf8') : makeKey()
  // Before anything is asked: an answer that is lost is asked for again with this key, also by the next process.
  replaceFileDurably(files.joining, key)
  const ca = await authorityAt(at, token.fingerprint)
  const body = JSON.stringify({ secret: token.secret, csr: await makeRequest(key, wish.node), node: wish.node })
  const { certificate } = await asked(at, body, { ...at, ca, path: '/v1/agent/join', checkServerIdentity: () => undefined })
  if (!isKeyOf(key, certificate)) throw refuse('DELOS_WRONG_CLUSTER', `the server at ${addressText(at)} gave a certificate of another key`)
  replaceFileDurably(files.servers, `${JSON.stringify({ servers: [addressText(at)] })}\n`)
  replaceFileDurably(files.pem, keyFileText({ key, certificate, ca }))
}

function asked(at: HostPort, body: string, options: RequestOptions): Promise<{ certificate: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const asking = request({ ...options, method: 'POST', headers, agent: false, timeout: ANSWER_MS }, (response) => {
      textOf(response)
        .then((text) => {
          const answer = JSON.parse(text) as { ok: boolean; data: { certificate: string }; error: ErrorBody }
          if (answer.ok) resolve(answer.data)
          else reject(errorFromBody(answer.error))
        })
        .catch((error: Error) => reject(unavailable(at, error.message)))
    })
    asking.once('timeout', () => asking.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)))
    asking.once('error', (error) => reject(unavailable(at, error.message)))
    asking.end(body)
  })
}

/** Asks for a new certificate of the same key when two thirds of the old one's life are over. Gives whether it did. */
export async function renewIfDue(files: AgentFiles, node: string, way: ServerWay, nowMs: number): Promise<boolean> {
  const { key, certificate, ca } = readKeyFile(files.pem)
  const { notBeforeMs, notAfterMs } = readCertificate(certificate)
  if (nowMs < notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3) return false
  const body = JSON.stringify({ csr: await makeRequest(key, node) })
  const fresh = await new Promise<string>((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const asking = way.request({ path: '/v1/agent/certificate', method: 'POST', headers, timeout: ANSWER_MS }, (response) => {
      textOf(response).then((text) => {
        if (response.statusCode !== 200) return reject(new Error(`the server answers ${response.statusCode}: ${text.slice(0, 200)}`))
        resolve((JSON.parse(text) as { data: { certificate: string } }).data.certificate)
      }, reject)
    })
    asking.once('timeout', () => asking.destroy(new Error('no answer')))
    asking.once('error', reject)
    asking.end(body)
  })
  if (!isKeyOf(key, fresh)) throw new Error('the server gave a certificate of another key')
  replaceFileDurably(files.pem, keyFileText({ key, certificate: fresh, ca }))
  return true
}
