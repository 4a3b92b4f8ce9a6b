import { type Fields, hasBadByte, KIND, listMembers, parseFields } from './fields.ts'

export interface ResponseHead {
  status: number
  /** `200 OK`, as it came */
  statusText: string
  fields: Fields
  contentLength: number
  isChunked: boolean
  /** whether the endpoint keeps the connection */
  keepsAlive: boolean
  /** `Keep-Alive: timeout=5` → 5,000; null without one */
  idleMs: number | null
  hopFields: readonly string[]
}

/** Reads a response head; null where it is not one this proxy can pass on without guessing. */
export function parseResponseHead(text: string): ResponseHead | null {
  if (hasBadByte(text)) return null
  const lineEnd = text.indexOf('\r\n')
  const line = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(text.slice(0, lineEnd))
  if (line === null) return null
  const fields = parseFields(text, lineEnd + 2)
  if (fields === null) return null
  const head: ResponseHead = {
    status: Number(line[2]),
    statusText: text.slice(9, lineEnd),
    fields,
    contentLength: -1,
    isChunked: false,
    keepsAlive: line[1] === '1',
    idleMs: null,
    hopFields: [],
  }
  return head.status >= 100 && readFields(head) ? head : null
}

function readFields(head: ResponseHead): boolean {
  const { names, values } = head.fields
  for (let i = 0; i < names.length; i += 1) {
    const value = values[i] ?? ''
    switch (names[i]?.kind) {
      case KIND.length: {
        if (!/^\d{1,15}$/.test(value)) return false
        const length = Number(value)
        if (head.contentLength >= 0 && head.contentLength !== length) return false
        head.contentLength = length
        break
      }
      case KIND.transfer:
        if (head.isChunked || value.toLowerCase() !== 'chunked') return false
        head.isChunked = true
        break
      case KIND.connection:
        head.hopFields = [...head.hopFields, ...listMembers(value)]
        break
      case KIND.keepAlive: {
        const timeout = /timeout=(\d{1,6})/i.exec(value)
        if (timeout !== null) head.idleMs = Number(timeout[1]) * 1000
        break
      }
      default:
    }
  }
  if (head.hopFields.includes('close')) head.keepsAlive = false
  else if (head.hopFields.includes('keep-alive')) head.keepsAlive = true
  return !(head.isChunked && head.contentLength >= 0)
}

/** Answers that have no body whatever their fields say (RFC 9112 section 6.3). */
export function hasNoBody(method: string, status: number): boolean {
  return method === 'HEAD' || status < 200 || status === 204 || status === 304
}
