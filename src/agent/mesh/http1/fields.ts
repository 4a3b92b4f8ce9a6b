/** What the proxy does with a header field. */
export const KIND = {
  plain: 0,
  /** means one hop only (RFC 9110 section 7.6.1): never passed on as it came */
  hop: 1,
  host: 2,
  length: 3,
  transfer: 4,
  connection: 5,
  upgrade: 6,
  expect: 7,
  /** set anew by the proxy; what came in is read, not passed on */
  own: 8,
  keepAlive: 9,
} as const

export type Kind = (typeof KIND)[keyof typeof KIND]

/** A field name as it was written, its lower case and its treatment. Shared between messages: names repeat. */
export interface FieldName {
  raw: string
  lower: string
  kind: Kind
}

const KINDS = new Map<string, Kind>([
  ['proxy-connection', KIND.hop],
  ['proxy-authenticate', KIND.hop],
  ['proxy-authorization', KIND.hop],
  ['te', KIND.hop],
  ['keep-alive', KIND.keepAlive],
  ['host', KIND.host],
  ['content-length', KIND.length],
  ['transfer-encoding', KIND.transfer],
  ['connection', KIND.connection],
  ['upgrade', KIND.upgrade],
  ['expect', KIND.expect],
  ['x-forwarded-for', KIND.own],
  ['x-muster-bucket', KIND.own],
  ['x-muster-attempt', KIND.own],
  ['x-muster-deadline', KIND.own],
  ['x-request-id', KIND.own],
  ['traceparent', KIND.own],
])

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const NAMES_MAX = 2000
const names = new Map<string, FieldName>()

/** The field's name, or null where it is not a token (RFC 9110 section 5.6.2). */
export function fieldName(raw: string): FieldName | null {
  const known = names.get(raw)
  if (known !== undefined) return known
  if (!TOKEN.test(raw)) return null
  const lower = raw.toLowerCase()
  const name: FieldName = { raw, lower, kind: KINDS.get(lower) ?? KIND.plain }
  if (names.size < NAMES_MAX) names.set(raw, name)
  return name
}

export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** Field lines of a message head, in order. */
export interface Fields {
  names: FieldName[]
  values: string[]
}

/** First value of a field, by its lower-case name, or null. */
export function fieldValue(fields: Fields, lower: string): string | null {
  for (let i = 0; i < fields.names.length; i += 1) {
    if (fields.names[i]?.lower === lower) return fields.values[i] ?? null
  }
  return null
}

/** Bytes that no head may hold: controls but tab, a CR or LF on its own (RFC 9112 section 2.2). */
// eslint-disable-next-line no-control-regex -- exactly these bytes are what must not pass
const BAD_BYTE = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/

export function hasBadByte(head: string): boolean {
  return BAD_BYTE.test(head)
}

/**
 * Reads field lines from `text`, which starts after the first line and has no bad byte; each line ends in CRLF.
 * @returns null where a line is folded, has no colon, or has no token before it
 */
export function parseFields(text: string, start: number): Fields | null {
  const fields: Fields = { names: [], values: [] }
  let at = start
  while (at < text.length) {
    const end = text.indexOf('\r\n', at)
    const colon = text.indexOf(':', at)
    if (end < 0 || colon < 0 || colon > end) return null
    const name = fieldName(text.slice(at, colon))
    if (name === null) return null
    fields.names.push(name)
    fields.values.push(trimmed(text, colon + 1, end))
    at = end + 2
  }
  return fields
}

/** Optional white space is space and tab only; `trim()` would take more. */
function trimmed(text: string, start: number, end: number): string {
  let from = start
  let to = end
  while (from < to && isBlank(text.charCodeAt(from))) from += 1
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1
  return text.slice(from, to)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/** The comma-separated members of a list field, in lower case. */
export function listMembers(value: string): string[] {
  return value
    .split(',')
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== '')
}
