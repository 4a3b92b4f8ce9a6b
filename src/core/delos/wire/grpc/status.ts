import type { HeaderField } from '../hpack/encoder.ts'
import type { RpcError } from '../service.ts'

/** Codes of gRPC ("Status codes and their use in gRPC"). */
export const STATUS = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const

const kept = (name: string, value: string): HeaderField => ({ name, value, isKept: true })
const once = (name: string, value: string): HeaderField => ({ name, value, isKept: false })

/** The same arrays each time: their encoding is remembered. */
export const RESPONSE_HEADERS: readonly HeaderField[] = [kept(':status', '200'), kept('content-type', 'application/grpc')]
export const TRAILERS_OK: readonly HeaderField[] = [kept('grpc-status', '0')]

/** Trailers of an error, or, with `hasHeaders` false, a response that is nothing but trailers (gRPC over HTTP2, "Trailers-Only"). */
export function errorTrailers({ code, text }: RpcError, hasHeaders: boolean): readonly HeaderField[] {
  const status = [once('grpc-status', String(code)), once('grpc-message', percentEncode(text))]
  return hasHeaders ? status : [...RESPONSE_HEADERS, ...status]
}

/** What is not printable ASCII, and the percent sign, as `%XX` of its UTF-8 (gRPC over HTTP2, "Percent-Encoded"). */
export function percentEncode(text: string): string {
  if (/^[ -$&-~]*$/.test(text)) return text
  let encoded = ''
  for (const byte of new TextEncoder().encode(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}
