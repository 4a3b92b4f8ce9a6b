import { refuse, type MusterError } from '../kernel/errors.ts'

/** What lets a server into a cluster: where to ask, whom to believe, and the secret that proves that somebody wants it there. */
export interface JoinToken {
  /** 16 hex digits */
  cluster: string
  /** `HOST:PORT` of a server's port for other servers */
  address: string
  /** of the cluster's certificate authority: SHA-256 of its DER, base64url */
  fingerprint: string
  /** 32 random bytes, base64url; the cluster keeps only its hash */
  secret: string
}

const VERSION = 'muster1'
const CLUSTER = /^[0-9a-f]{16}$/
/** 32 bytes in base64url */
const BYTES_32 = /^[\w-]{43}$/
const HINT = 'Copy the whole line that `muster delos member token` printed.'

/** `muster1.<cluster>.<address>.<fingerprint>.<secret>`; only the address may have dots of its own. */
export function formatJoinToken({ cluster, address, fingerprint, secret }: JoinToken): string {
  return [VERSION, cluster, address, fingerprint, secret].join('.')
}

/** The parts of a token, or USAGE: which of them is wrong. Its secret is in no message. */
export function parseJoinToken(text: string): JoinToken | MusterError {
  const parts = text.trim().split('.')
  const wrong = (what: string, hint = HINT): MusterError => refuse('USAGE', `This is no token to join with: ${what}.`, { hint })
  if (parts[0] !== VERSION) {
    return /^muster\d+$/.test(parts[0] ?? '')
      ? wrong(`it is of form ${parts[0]}, and this version of muster knows ${VERSION}`, 'Use the version of muster that the cluster has.')
      : wrong(`it does not begin with ${VERSION}`)
  }
  if (parts.length < 5) return wrong(`it has ${parts.length} parts and should have 5, separated by dots`)
  const [cluster, fingerprint, secret] = [parts[1] as string, parts.at(-2) as string, parts.at(-1) as string]
  const address = parts.slice(2, -2).join('.')
  if (!CLUSTER.test(cluster)) return wrong('its cluster is not 16 hexadecimal digits')
  if (parseAddress(address) === null) return wrong('its address is not HOST:PORT')
  if (!BYTES_32.test(fingerprint)) return wrong(`the fingerprint in it has ${fingerprint.length} characters and should have 43`)
  if (!BYTES_32.test(secret)) return wrong(`the secret in it has ${secret.length} characters and should have 43`)
  return { cluster, address, fingerprint, secret }
}

/** `HOST:PORT`; an IPv6 address stands in brackets. Null: it is none, or its port is not of 1 to 65535. */
export function parseAddress(text: string): { host: string; port: number } | null {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})?)):(\d{1,5})$/.exec(text)
  const [host, port] = [match?.[1] ?? match?.[2], Number(match?.[3])]
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port }
}
