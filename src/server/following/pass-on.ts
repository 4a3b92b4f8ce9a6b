import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { refuse, type MusterError } from '../../core/kernel/errors.ts'
import type { Caller } from '../api/roles.ts'
import { NOT_LEADER_HEADER, type LeaderLink } from './leader-link.ts'

/** Who asks, as the server that took the request in knows it: `ROLE ACTOR`. */
export const CALLER_HEADER = 'x-muster-caller'

/** The server that took the request in, in hexadecimal. */
export const VIA_HEADER = 'x-muster-via'

/** Longest wait for a leader: longer than an election takes. */
const LEADER_MS = 5000
const RETRY_MS = 50
/** A body up to this is kept until it is answered, so that it can be asked again where it was certainly not done. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024
/** Of one connection, not of what is asked (RFC 9110, section 7.6.1); and what only the first server reads. */
const NOT_PASSED = new Set(['connection', 'keep-alive', 'te', 'trailer', 'upgrade', 'expect', 'authorization', CALLER_HEADER, VIA_HEADER])

/**
 * Asks the leader what a client asked here, and gives its answer on as it comes, streams too. What was certainly not done is asked again of the
 * next leader; a change whose answer is lost is not.
 * @returns the refusal when nobody leads; null: it was answered
 */
export async function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  caller: Caller,
  link: LeaderLink,
): Promise<MusterError | null> {
  const kept = await keptBody(request)
  const untilMs = performance.now() + LEADER_MS
  for (;;) {
    const leader = await link.find(untilMs - performance.now())
    if (leader === null) return noLeader()
    const outcome = await tryOnce(request, response, { caller, leader, kept, link })
    if (outcome === 'answered') return null
    if (outcome !== 'again') return outcome
    if (performance.now() >= untilMs || response.destroyed) return noLeader()
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

const noLeader = (): MusterError =>
  refuse('DELOS_NO_QUORUM', 'no server of the fleet leads at the moment', { hint: 'See who is reached with `muster delos status`.' })

interface Try {
  caller: Caller
  leader: bigint
  /** null: it is a stream, which is passed on once */
  kept: Buffer | null
  link: LeaderLink
}

function tryOnce(
  request: IncomingMessage,
  response: ServerResponse,
  { caller, leader, kept, link }: Try,
): Promise<'answered' | 'again' | MusterError> {
  return new Promise((done) => {
    let isSent = false
    const giveUp = (): void => void sending.destroy()
    const resolve = (outcome: 'answered' | 'again' | MusterError): void => {
      response.off('close', giveUp)
      done(outcome)
    }
    const headers = { ...passed(request.headers), [CALLER_HEADER]: `${caller.role} ${caller.actor}`, [VIA_HEADER]: link.self.toString(16) }
    const sending = link.request(leader, { method: request.method ?? 'GET', path: request.url ?? '/', headers }, (answer) => {
      if (answer.statusCode === 503 && answer.headers[NOT_LEADER_HEADER] !== undefined && (kept !== null || !request.readableDidRead)) {
        answer.resume()
        return resolve('again')
      }
      response.writeHead(answer.statusCode ?? 502, passed(answer.headers))
      response.flushHeaders()
      answer.pipe(response)
      answer.once('error', () => response.destroy())
      response.once('close', () => answer.destroy())
      response.once('finish', () => resolve('answered'))
      response.once('close', () => resolve('answered'))
    })
    sending.once('socket', () => {
      isSent = true
    })
    sending.once('error', (error) => {
      if (response.headersSent) {
        response.destroy()
        return resolve('answered')
      }
      // Who only looks may look again; a change may have been made.
      const isSafe = !isSent || request.method === 'GET' || request.method === 'HEAD'
      if (isSafe && (kept !== null || !request.readableDidRead)) return resolve('again')
      resolve(refuse('DELOS_OUTCOME_UNKNOWN', `the leader went away before it answered (${error.message})`, { cause: error }))
    })
    response.once('close', giveUp)
    if (kept !== null) return void sending.end(kept)
    // Its answer may come before the first piece of what is sent.
    sending.flushHeaders()
    request.pipe(sending)
  })
}

function passed(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(headers).filter(([name, value]) => value !== undefined && !NOT_PASSED.has(name))) as Record<
    string,
    string | string[]
  >
}

/** The whole body where it is small; null: it is a stream. */
async function keptBody(request: IncomingMessage): Promise<Buffer | null> {
  const isChunked = request.headers['transfer-encoding'] !== undefined
  const bytes = Number(request.headers['content-length'] ?? 0)
  if (isChunked || !(bytes <= KEPT_BYTES_MAX)) return null
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

/** The caller that another server names. Throws for what is not of its form. */
export function callerNamed(header: string | string[] | undefined): Caller {
  const [, role, actor] = /^(viewer|operator|approver|admin) ([\w:.@-]{1,160})$/.exec(String(header)) ?? []
  if (role === undefined || actor === undefined) throw refuse('NOT_PERMITTED', 'another server asked without saying on whose behalf')
  return { role: role as Caller['role'], actor }
}
