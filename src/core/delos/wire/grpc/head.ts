/** What a request's headers say; shared by all requests with the same header block. */
export interface RequestHead {
  /** breaks RFC 9113, section 8.3: the stream is reset */
  isMalformed: boolean
  method: string
  path: string
  /** the content is gRPC's, in a format that is ours */
  isGrpc: boolean
  /** `grpc-encoding`; 'identity' without */
  encoding: string
  /** how long the caller waits; -1 without a limit, NaN if it cannot be read */
  timeoutMs: number
  token: string
  requiresLeader: boolean
}

const UNIT_MS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 }
const GRPC = /^application\/grpc(\+proto)?(;|$)/
const PSEUDO = new Set([':method', ':scheme', ':path', ':authority'])
/** Section 8.2.2: about the connection, not the request. */
const BANNED = new Set(['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade'])

/** @param fields names and values in turn */
export function requestHead(fields: readonly string[]): RequestHead {
  const head: RequestHead = {
    isMalformed: false,
    method: '',
    path: '',
    isGrpc: false,
    encoding: 'identity',
    timeoutMs: -1,
    token: '',
    requiresLeader: false,
  }
  const seen = new Set<string>()
  let authorization = ''
  let isPastPseudo = false
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    const value = fields[i + 1] as string
    if (name.startsWith(':')) {
      if (isPastPseudo || seen.has(name) || !PSEUDO.has(name)) head.isMalformed = true
      seen.add(name)
      if (name === ':method') head.method = value
      else if (name === ':path') head.path = value
      continue
    }
    isPastPseudo = true
    if (name === '' || /[A-Z]/.test(name) || BANNED.has(name) || (name === 'te' && value !== 'trailers')) head.isMalformed = true
    else if (name === 'content-type') head.isGrpc = GRPC.test(value)
    else if (name === 'grpc-encoding') head.encoding = value
    else if (name === 'grpc-timeout') head.timeoutMs = timeoutMs(value)
    else if (name === 'token') head.token = value
    else if (name === 'authorization') authorization = value
    else if (name === 'hasleader') head.requiresLeader = value === 'true'
  }
  if (head.token === '') head.token = authorization
  if (!seen.has(':method') || !seen.has(':scheme') || head.path === '') head.isMalformed = true
  return head
}

/** Up to 8 digits and a unit (gRPC over HTTP2, "Timeout"). */
function timeoutMs(value: string): number {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value)
  return match === null ? Number.NaN : Number(match[1]) * (UNIT_MS[match[2] as string] ?? Number.NaN)
}
