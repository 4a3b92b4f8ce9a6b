import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { MusterError } from '../../../core/kernel/errors.ts'
import {
  fingerprintOf,
  makeAuthority,
  makeKey,
  makeRequest,
  newSerial,
  readCertificate,
  readRequest,
  signRequest,
  type AuthorityPair,
} from '../../../platform/certificates.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { Identity } from '../../state/identity.ts'
import type { PeerTls } from '../quorum/peers.ts'
import { agentUri, serverIdOf, serverUri } from '../../../platform/certificate-uri.ts'
import { keyFiles, tlsOf, type ServerPair } from './key-files.ts'

/** A certificate that is given out. Times: ms since the epoch, whole seconds. */
export interface IssuedCertificate {
  /** 16 hex digits */
  server: string
  name: string
  /** SHA-256 of its public key, hex */
  key: string
  serial: string
  notBefore: number
  notAfter: number
}

/** The cluster's certificates, as far as this server has to do with them. */
export interface Authority {
  /** Of the authority: SHA-256 of its DER, base64url. Makes it when there is none. */
  fingerprint(): Promise<string>
  /** Makes it when there is none. */
  pair(): Promise<AuthorityPair>
  /** Serial number and times of a certificate that begins now. */
  fresh(): { serial: string; notBefore: number; notAfter: number }
  /** Which key a signing request is for. Rejects with USAGE when it is none. */
  keyOf(request: string): Promise<string>
  /** Signs for the key of a request. @param hosts host names and addresses */
  sign(request: string, certificate: IssuedCertificate, hosts: readonly string[]): Promise<string>
  /** Signs for the agent of a node, from now on for as long as for a server. It says no host: nobody connects to an agent. */
  signAgent(request: string, node: string): Promise<string>
  /** Of this server; made when there is none, or when it is due. From then on it is looked after. */
  tls(): Promise<PeerTls>
  /** Told of each own certificate that is made. Gives what ends it. */
  onOwn(listener: (tls: PeerTls, issued: IssuedCertificate) => void): () => void
  /** Whether a new one was made: two thirds of the old one's life were over. */
  renewIfDue(): Promise<boolean>
  stop(): void
}

export interface AuthorityOptions {
  keysDir: string
  identity: Identity
  /** host names and addresses of this server */
  hosts: () => readonly string[]
  /** ms since the epoch */
  now: () => number
  logger: Logger
}

const DAY_MS = 86_400_000
const LIFE_MS = 90 * DAY_MS
/** An authority's own certificate is not renewed: whoever joined would not know the next one. */
const AUTHORITY_LIFE_MS = 20 * 365 * DAY_MS
/** A server whose clock is behind takes it all the same. */
const CLOCK_MS = 300_000
const LOOK_MS = 3_600_000

/** Writes nothing before something is asked of it: a server that stays alone needs no certificate. */
export function openAuthority({ keysDir, identity, hosts, now, logger }: AuthorityOptions): Authority {
  const files = keyFiles(keysDir)
  const listeners = new Set<(tls: PeerTls, issued: IssuedCertificate) => void>()
  let authority: Promise<AuthorityPair> | null = null
  let own: Promise<ServerPair> | null = null
  let timer: NodeJS.Timeout | null = null

  const makePair = async (): Promise<AuthorityPair> => {
    const found = files.readAuthority()
    if (found !== null) return found
    // What another authority signs nobody else would believe.
    if (files.readServer() !== null)
      throw new MusterError('STATE_UNREADABLE', `${keysDir}/ca.pem, which signs the certificates of the cluster, is gone`, {
        hint: 'Copy it from another server of the cluster, or from a backup.',
      })
    const begin = wholeSeconds(now() - CLOCK_MS)
    const made = await makeAuthority({ name: `muster ${identity.cluster}`, notBeforeMs: begin, notAfterMs: begin + AUTHORITY_LIFE_MS })
    files.writeAuthority(made)
    logger.info('made the authority that signs the certificates of the cluster', { fingerprint: fingerprintOf(made.certificate) })
    return made
  }
  const pair = (): Promise<AuthorityPair> => {
    authority ??= retried(makePair(), () => (authority = null))
    return authority
  }

  const fresh = (): { serial: string; notBefore: number; notAfter: number } => {
    const notBefore = wholeSeconds(now() - CLOCK_MS)
    return { serial: newSerial(), notBefore, notAfter: notBefore + LIFE_MS }
  }

  const sign = async (request: string, certificate: IssuedCertificate, names: readonly string[]): Promise<string> =>
    signRequest(await pair(), request, {
      ...{ name: certificate.name, uri: serverUri(certificate.server), serial: certificate.serial },
      ...{ notBeforeMs: certificate.notBefore, notAfterMs: certificate.notAfter },
      names: namesOf(certificate.name, names),
    })

  const signAgent = async (request: string, node: string): Promise<string> => {
    const { serial, notBefore, notAfter } = fresh()
    const given = { name: node, uri: agentUri(node), serial, notBeforeMs: notBefore, notAfterMs: notAfter, names: [] }
    return signRequest(await pair(), request, given)
  }

  const makeOwn = async (): Promise<ServerPair> => {
    const key = makeKey()
    const request = await makeRequest(key, identity.name)
    const issued = { ...(await readRequest(request)), ...fresh(), server: identity.server, name: identity.name }
    const made = { key, certificate: await sign(request, issued, hosts()) }
    const { certificate } = await pair()
    files.writeServer(made, certificate)
    logger.info('made a certificate of this server', { until: new Date(issued.notAfter).toISOString() })
    for (const listener of listeners) listener(tlsOf(made, certificate), issued)
    return made
  }
  const isDue = ({ certificate }: ServerPair): boolean => {
    const { notBeforeMs, notAfterMs } = readCertificate(certificate)
    return now() >= notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3
  }
  const isOurs = ({ certificate }: ServerPair): boolean => serverIdOf(new X509Certificate(certificate)) === BigInt(`0x${identity.server}`)
  const findOwn = async (): Promise<ServerPair> => {
    const found = files.readServer()
    // A state that was restored from a snapshot has that of the server it was taken on.
    return found === null || isDue(found) || !isOurs(found) ? makeOwn() : found
  }
  const ownPair = (): Promise<ServerPair> => {
    own ??= retried(findOwn(), () => (own = null))
    return own
  }
  const renewIfDue = async (): Promise<boolean> => {
    const before = await ownPair()
    if (!isDue(before)) return false
    own = retried(makeOwn(), () => (own = Promise.resolve(before)))
    await own
    return true
  }
  const watch = (): void => {
    timer ??= setInterval(() => {
      renewIfDue().catch((error: Error) =>
        logger.error('the certificate of this server could not be renewed; it is tried again each hour', { reason: error.message }),
      )
    }, LOOK_MS).unref()
  }

  return {
    fingerprint: async () => fingerprintOf((await pair()).certificate),
    pair,
    fresh,
    keyOf: async (request) => (await readRequest(request)).key,
    sign,
    signAgent,
    tls: async () => {
      const found = await ownPair()
      watch()
      return tlsOf(found, (await pair()).certificate)
    },
    onOwn: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    renewIfDue,
    stop: () => {
      if (timer !== null) clearInterval(timer)
    },
  }
}

/** What failed once (a full disk) is tried anew the next time. */
function retried<T>(work: Promise<T>, forget: () => void): Promise<T> {
  work.catch(forget)
  return work
}

const wholeSeconds = (ms: number): number => Math.floor(ms / 1000) * 1000

/** A name of a server is one of a host too if it has that form. */
function namesOf(name: string, hosts: readonly string[]): string[] {
  const isHost = (text: string): boolean => isIP(text) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*$/.test(text)
  return [...new Set([...hosts, name, 'localhost', '127.0.0.1', '::1'])].filter(isHost)
}
