import { KIND } from './http1/fields.ts'
import type { RequestHead } from './http1/request-head.ts'
import type { ResponseHead } from './http1/response-head.ts'

export interface RequestMarks {
  requestId: string
  traceparent: string
  forwardedFor: string
  /** -1: the service has no split */
  bucket: number
  attempt: number
  /** ms the caller has left, passed on only if it named a deadline; else null */
  deadlineMs: number | null
}

/** The head an endpoint gets: as it came, less what was for this hop, plus our marks (RFC 9110 section 7.6). */
export function upstreamHead(head: RequestHead, marks: RequestMarks): string {
  const { names, values } = head.fields
  let out = `${head.method} ${head.target} HTTP/1.1\r\nhost: ${head.host}\r\n`
  for (let i = 0; i < names.length; i += 1) {
    const name = names[i]
    if (name === undefined || name.kind !== KIND.plain) continue
    if (head.hopFields.length > 0 && head.hopFields.includes(name.lower)) continue
    out += `${name.raw}: ${values[i]}\r\n`
  }
  if (head.contentLength >= 0) out += `content-length: ${head.contentLength}\r\n`
  if (head.isChunked) out += 'transfer-encoding: chunked\r\n'
  if (head.expectsContinue && marks.attempt === 1) out += 'expect: 100-continue\r\n'
  if (head.upgrade !== null) out += `connection: Upgrade\r\nupgrade: ${head.upgrade}\r\n`
  out += `x-forwarded-for: ${marks.forwardedFor}\r\nx-request-id: ${marks.requestId}\r\ntraceparent: ${marks.traceparent}\r\n`
  if (marks.bucket >= 0) out += `x-muster-bucket: ${marks.bucket}\r\n`
  if (marks.attempt > 1) out += `x-muster-attempt: ${marks.attempt}\r\n`
  if (marks.deadlineMs !== null) out += `x-muster-deadline: ${Math.max(1, Math.round(marks.deadlineMs))}\r\n`
  return `${out}\r\n`
}

/** The head the caller gets. `coding`: how its body will be framed on this side. */
export function downstreamHead(
  head: ResponseHead,
  options: { requestId: string; connection: 'keep-alive' | 'close' | 'upgrade' | null; isChunked: boolean },
): string {
  const { names, values } = head.fields
  let out = `HTTP/1.1 ${head.statusText}\r\n`
  let hasRequestId = false
  let upgrade: string | null = null
  for (let i = 0; i < names.length; i += 1) {
    const name = names[i]
    if (name === undefined) continue
    if (name.kind === KIND.upgrade) upgrade = values[i] ?? null
    if (name.kind !== KIND.plain && name.kind !== KIND.own && name.kind !== KIND.host && name.kind !== KIND.expect) continue
    if (head.hopFields.length > 0 && head.hopFields.includes(name.lower)) continue
    if (name.lower === 'x-request-id') hasRequestId = true
    out += `${name.raw}: ${values[i]}\r\n`
  }
  if (head.contentLength >= 0) out += `content-length: ${head.contentLength}\r\n`
  if (options.isChunked) out += 'transfer-encoding: chunked\r\n'
  if (!hasRequestId) out += `x-request-id: ${options.requestId}\r\n`
  if (options.connection === 'upgrade') out += `connection: Upgrade\r\nupgrade: ${upgrade ?? ''}\r\n`
  else if (options.connection !== null) out += `connection: ${options.connection}\r\n`
  return `${out}\r\n`
}

/** A 1xx answer, passed on as it came. */
export function informationalHead(head: ResponseHead): string {
  const lines = head.fields.names.map((name, i) => (name.kind === KIND.plain ? `${name.raw}: ${head.fields.values[i]}\r\n` : ''))
  return `HTTP/1.1 ${head.statusText}\r\n${lines.join('')}\r\n`
}
