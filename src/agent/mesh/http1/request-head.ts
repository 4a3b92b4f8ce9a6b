import { type Fields, hasBadByte, isToken, KIND, listMembers, parseFields } from './fields.ts'

/** Longest head, request line and fields together. */
export const HEAD_MAX_BYTES = 16 * 1024

export interface RequestHead {
  method: string
  /** origin form (`/a?b`), or `*` */
  target: string
  /** target without its query */
  path: string
  isHttp10: boolean
  fields: Fields
  host: string
  /** -1: no Content-Length */
  contentLength: number
  isChunked: boolean
  /** whether the caller keeps the connection */
  keepsAlive: boolean
  /** protocol of a wanted upgrade, or null */
  upgrade: string | null
  expectsContinue: boolean
  /** fields the caller's Connection names: for this hop only */
  hopFields: readonly string[]
}

/** Why a head is refused. */
export interface HeadRefusal {
  status: number
  text: string
}

const refuseHead = (text: string, status = 400): HeadRefusal => ({ status, text })

export function isHeadRefusal(value: RequestHead | HeadRefusal): value is HeadRefusal {
  return 'status' in value
}

const NONE: readonly string[] = []

/**
 * Reads a request head (RFC 9112), strictly: whatever two parsers could read in two ways is refused, since that is how
 * requests are smuggled.
 * @param text the head in Latin-1, without the empty line, its last field line ending in CRLF
 */
export function parseRequestHead(text: string): RequestHead | HeadRefusal {
  if (hasBadByte(text)) return refuseHead('a control character in the head')
  const lineEnd = text.indexOf('\r\n')
  const methodEnd = text.indexOf(' ')
  const targetEnd = text.indexOf(' ', methodEnd + 1)
  if (methodEnd <= 0 || targetEnd <= methodEnd + 1 || targetEnd > lineEnd) return refuseHead('a broken request line')
  const method = text.slice(0, methodEnd)
  const version = text.slice(targetEnd + 1, lineEnd)
  if (!isToken(method)) return refuseHead('a broken method')
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') {
    return /^HTTP\/\d\.\d$/.test(version) ? refuseHead('HTTP/1.1 and 1.0 only', 505) : refuseHead('a broken request line')
  }
  const fields = parseFields(text, lineEnd + 2)
  if (fields === null) return refuseHead('a broken field line')
  const head: RequestHead = {
    method,
    target: text.slice(methodEnd + 1, targetEnd),
    path: '',
    isHttp10: version === 'HTTP/1.0',
    fields,
    host: '',
    contentLength: -1,
    isChunked: false,
    keepsAlive: version === 'HTTP/1.1',
    upgrade: null,
    expectsContinue: false,
    hopFields: NONE,
  }
  return readFields(head) ?? readTarget(head) ?? head
}

function readFields(head: RequestHead): HeadRefusal | null {
  const { names, values } = head.fields
  let hosts = 0
  let upgrade: string | null = null
  for (let i = 0; i < names.length; i += 1) {
    const value = values[i] ?? ''
    switch (names[i]?.kind) {
      case KIND.host:
        hosts += 1
        head.host = value
        break
      case KIND.length:
        if (head.contentLength >= 0 || !/^\d{1,15}$/.test(value)) return refuseHead('a broken or doubled Content-Length')
        head.contentLength = Number(value)
        break
      case KIND.transfer:
        if (head.isChunked || head.isHttp10) return refuseHead('Transfer-Encoding doubled, or in HTTP/1.0')
        if (value.toLowerCase() !== 'chunked') return refuseHead('only the transfer coding "chunked" is known', 501)
        head.isChunked = true
        break
      case KIND.connection:
        head.hopFields = [...head.hopFields, ...listMembers(value)]
        break
      case KIND.upgrade:
        upgrade = value
        break
      case KIND.expect:
        if (value.toLowerCase() !== '100-continue') return refuseHead('an unknown expectation', 417)
        head.expectsContinue = !head.isHttp10
        break
      default:
    }
  }
  if (head.isChunked && head.contentLength >= 0) return refuseHead('both Content-Length and Transfer-Encoding')
  if (hosts > 1 || (hosts === 0 && !head.isHttp10)) return refuseHead('exactly one Host is needed')
  if (head.hopFields.length > 0) {
    if (head.hopFields.includes('close')) head.keepsAlive = false
    else if (head.hopFields.includes('keep-alive')) head.keepsAlive = true
    // h2c would turn the connection into one this proxy cannot read, and every client falls back without it.
    if (upgrade !== null && head.hopFields.includes('upgrade') && !/^h2c$/i.test(upgrade)) head.upgrade = upgrade
  }
  return null
}

/** Turns absolute form (a client that uses us as its http_proxy) into origin form. */
function readTarget(head: RequestHead): HeadRefusal | null {
  const { target } = head
  if (target.charCodeAt(0) !== 0x2f) {
    const absolute = /^http:\/\/([^/?#]+)([^#]*)$/i.exec(target)
    if (absolute !== null) {
      head.host = absolute[1] ?? ''
      const rest = absolute[2] ?? ''
      head.target = rest.startsWith('/') ? rest : `/${rest}`
    } else if (!(target === '*' && head.method === 'OPTIONS')) {
      return refuseHead(head.method === 'CONNECT' ? 'no tunnels here' : 'a broken request target', head.method === 'CONNECT' ? 405 : 400)
    }
  }
  const query = head.target.indexOf('?')
  head.path = query < 0 ? head.target : head.target.slice(0, query)
  // A host with blanks or controls could name one service to us and another to the endpoint.
  return /[\s,/@]/.test(head.host) ? refuseHead('a broken Host') : null
}
