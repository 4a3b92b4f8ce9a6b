import type { X509Certificate } from 'node:crypto'

const PREFIX = 'muster:server:'
const URI = /^URI:muster:server:([0-9a-f]{16})$/
const AGENT_PREFIX = 'muster:agent:'
const AGENT_URI = /^URI:muster:agent:([a-z0-9][a-z0-9.-]{0,62})$/
/** Node writes what could be mistaken in quotes (its security release of January 2022). */
const NAME = /(?:^|, )((?:"(?:[^"\\]|\\.)*"|[^",])*)/g

/** What the certificate of a server says that it is, beside its host names. @param server 16 hex digits */
export function serverUri(server: string): string {
  return PREFIX + server
}

/** The server that a certificate is of; null: it is of another authority than muster's own and does not say. */
export function serverIdOf(certificate: Pick<X509Certificate, 'subjectAltName'> | undefined): bigint | null {
  const found = matchesOf(certificate, URI)
  return found.length === 1 ? BigInt(`0x${found[0]}`) : null
}

/** What the certificate of an agent says: which node it speaks for. */
export function agentUri(node: string): string {
  return AGENT_PREFIX + node
}

/** The node that a certificate speaks for; null: it is not an agent's. */
export function nodeIn(certificate: Pick<X509Certificate, 'subjectAltName'> | undefined): string | null {
  const found = matchesOf(certificate, AGENT_URI)
  return found.length === 1 ? (found[0] as string) : null
}

function matchesOf(certificate: Pick<X509Certificate, 'subjectAltName'> | undefined, uri: RegExp): string[] {
  return [...(certificate?.subjectAltName ?? '').matchAll(NAME)].flatMap(([, name]) => uri.exec(name as string)?.[1] ?? [])
}

/**
 * What is wrong with the other end's certificate, which its authority is behind; null: nothing. Where our own says a server, theirs has to; where it
 * does not (an authority that somebody else runs), any is good that the authority signed.
 */
export function identityProblem(own: bigint | null, other: bigint | null, wanted: bigint): string | null {
  if (other === wanted || (own === null && other === null)) return null
  return other === null
    ? 'its certificate does not say which server it is of'
    : `its certificate is of server ${other.toString(16)}, and not of ${wanted.toString(16)}`
}
