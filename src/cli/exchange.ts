import { MusterError } from '../core/kernel/errors.ts'
import type { Target } from './client.ts'

export interface Exchanged {
  status: number
  /** names in small letters */
  headers: ReadonlyMap<string, string>
  body: string
}

/**
 * One HTTP/1.1 request with a short text answer over a fresh connection, on node:net alone: node:http costs 10 ms of CPU
 * to load, a third of what a read command may cost. Answers are of our own server: content-length, chunked, or until the end.
 * Rejects with the error of the connection, or UNAVAILABLE if the answer ends early.
 */
export function exchange(target: Target, head: readonly string[], body: string, signal?: AbortSignal): Promise<Exchanged> {
  const net = process.getBuiltinModule('node:net')
  return new Promise((resolve, reject) => {
    const socket = target.socketPath === undefined ? net.connect(target.port ?? 80, target.host) : net.connect(target.socketPath)
    const parts: Buffer[] = []
    let isConnected = false
    const abort = (): void => void socket.destroy(signal?.reason as Error)
    signal?.addEventListener('abort', abort, { once: true })
    socket.on('connect', () => {
      isConnected = true
      socket.write(`${head.join('\r\n')}\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
    })
    socket.on('data', (part: Buffer) => {
      parts.push(part)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A reset after the answer is an answer; `close` decides.
      if (!isConnected || parts.length === 0) reject(Object.assign(error, { isConnected }))
    })
    socket.on('close', () => {
      signal?.removeEventListener('abort', abort)
      const answer = parseAnswer(Buffer.concat(parts))
      if (answer !== null) resolve(answer)
      else reject(Object.assign(new Error('the connection ended before the answer'), { code: 'ECONNRESET', isConnected }))
    })
  })
}

/** Status and text of a whole answer; null if it is not whole (RFC 9112, sections 6.3 and 7.1). */
export function parseAnswer(bytes: Buffer): Exchanged | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return null
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0)
  if (status === 0)
    throw new MusterError('UNAVAILABLE', 'what answers there does not speak HTTP', {
      hint: 'Check the address of the context with `muster config show --origin`.',
    })
  const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
  const rest = bytes.subarray(end + 4)
  if (headers.get('transfer-encoding')?.toLowerCase() === 'chunked') {
    const body = unchunk(rest)
    return body === null ? null : { status, headers, body: body.toString('utf8') }
  }
  const length = headers.get('content-length')
  if (length !== undefined && rest.length < Number(length)) return null
  return { status, headers, body: rest.toString('utf8', 0, length === undefined ? rest.length : Number(length)) }
}

function unchunk(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    if (Number.isNaN(size) || bytes.length < lineEnd + 2 + size) return null
    if (size === 0) return Buffer.concat(parts)
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}
