import type { Socket } from 'node:net'
import { isRefusal, refuse, type MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { Seldom } from './seldom.ts'

/** Answers what a server asks that wants to join: one line of JSON, of which nothing was checked yet. A MusterError is the answer, too. */
export type JoinHandler = (request: unknown) => Promise<object>

/** Longest request, one line. */
export const JOIN_REQUEST_BYTES_MAX = 64 * 1024
/** Time for all of the request to come in: whoever connects without a certificate may keep nothing of us busy. */
export const JOIN_REQUEST_MS = 5000
/** Requests at once; more are told to come again. */
const JOINS_MAX = 16
/** Time for the answer to be read. */
const READ_MS = 5000

/** The part of the port that wants no certificate: a request, a line of JSON, then an answer, JSON to the end of the connection. */
export function createJoinPort(handler: JoinHandler, log: Logger): (socket: Socket) => void {
  let count = 0
  const seldom = new Seldom()
  const note = (from: string, { code, message: reason }: MusterError): void => {
    // Anybody may come here, as often as they like.
    if (seldom.isDue(`${from} ${reason}`)) log.warn('a server was not let in', { peer: from, code, reason })
  }
  const perform = async (line: string, from: string): Promise<object> => {
    try {
      return await handler(parsed(line))
    } catch (error) {
      const known = isRefusal(error) ? error : refuse('INTERNAL', `a bug: ${String(error)}`)
      note(from, known)
      if (known.code === 'INTERNAL') log.error('a request to join failed by a bug', { error: String((error as Error).stack) })
      return { error: known }
    }
  }
  return (socket) => {
    const from = socket.remoteAddress ?? ''
    const parts: Buffer[] = []
    let bytes = 0
    const answer = (value: object): void => {
      socket.removeAllListeners('data').resume()
      socket.end(`${JSON.stringify(value)}\n`)
      setTimeout(() => socket.destroy(), READ_MS).unref()
    }
    const refused = (error: MusterError): void => {
      note(from, error)
      answer({ error })
    }
    count += 1
    socket.once('close', () => {
      count -= 1
      clearTimeout(timer)
    })
    socket.on('error', () => {})
    const timer = setTimeout(() => {
      refused(refuse('TIMEOUT', `the request to join was not there within ${JOIN_REQUEST_MS / 1000} s`))
    }, JOIN_REQUEST_MS)
    if (count > JOINS_MAX) {
      clearTimeout(timer)
      return refused(refuse('UNAVAILABLE', `${JOINS_MAX} servers are asking to join at once; try again in a moment`))
    }
    socket.on('data', (part: Buffer) => {
      parts.push(part)
      bytes += part.length
      const end = part.indexOf(0x0a)
      if (bytes > JOIN_REQUEST_BYTES_MAX) {
        clearTimeout(timer)
        return refused(refuse('USAGE', `the request to join is longer than ${JOIN_REQUEST_BYTES_MAX} bytes`))
      }
      if (end < 0) return
      clearTimeout(timer)
      socket.removeAllListeners('data').resume()
      const line = Buffer.concat(parts).toString('utf8', 0, bytes - part.length + end)
      void perform(line, from).then(answer)
    })
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown
  } catch {
    throw refuse('USAGE', 'the request to join is not JSON', { hint: 'Whatever asks shows no certificate and does not ask to join.' })
  }
}
