import { ERRORS, type ErrorCode } from '../core/kernel/error-table.ts'
import { MusterError } from '../core/kernel/errors.ts'
import { METHODS } from '../core/delos/wire/methods.ts'
import { textOf } from '../platform/streams.ts'
import { openChannel, type ChannelOptions } from './channel.ts'
import { NoAnswer, openEndpoint, post } from './post.ts'

/** Operators' calls to a `muster delos serve`: JSON, which etcd does not have. */
export interface Operator {
  /** @param path below `/muster/v1/delos/`. Rejects with the server's refusal, and with UNAVAILABLE when none of the endpoints answers */
  ask: <Answer>(path: string, body: object) => Promise<Answer>
  close: () => void
}

/** A change of the log may wait for a leader, and for its servers' disks. */
const ANSWER_MS = 40_000

export function openOperator(options: ChannelOptions): Operator {
  const channel = openChannel(options)
  const endpoints = options.endpoints.map((text) =>
    openEndpoint(new URL(/^https?:\/\//.test(text) ? text : `http://${text}`), options.tls ?? {}),
  )
  const tokenOf = async (): Promise<string> => {
    if (options.user === undefined) return ''
    const message = { name: options.user, password: options.password ?? '' }
    return (await channel.call(METHODS['Auth/Authenticate'], message, { effect: 'read' })).token
  }
  return {
    ask: async <Answer>(path: string, body: object): Promise<Answer> => {
      const token = await tokenOf()
      let why = 'no endpoint was given'
      for (const endpoint of endpoints) {
        try {
          const signal = AbortSignal.timeout(ANSWER_MS)
          const request = { path: `/muster/v1/delos/${path}`, body: JSON.stringify(body), token, signal, isStream: false }
          const answer = await post(endpoint, request)
          return answerOf(endpoint.url, answer.statusCode ?? 0, await textOf(answer)) as Answer
        } catch (error) {
          // Only one that never got the question: a change is not asked of another one when it may be under way.
          const isLate = error instanceof DOMException && error.name === 'TimeoutError'
          if (isLate) throw lost(new Error(`${endpoint.url.host}: no answer within ${ANSWER_MS / 1000} s`, { cause: error }))
          if (!(error instanceof NoAnswer) || error.isSent) throw error instanceof NoAnswer ? lost(error) : error
          why = error.message
        }
      }
      throw new MusterError('UNAVAILABLE', `no server of the store answers: ${why}`, { hint: 'Check --endpoints, and that it runs.' })
    },
    close: () => {
      channel.close()
      for (const { agent } of endpoints) agent.destroy()
    },
  }
}

function lost(error: Error): MusterError {
  return new MusterError('DELOS_OUTCOME_UNKNOWN', error.message, { cause: error })
}

/** What was answered, or the refusal that it is, thrown. */
export function answerOf(url: Pick<URL, 'origin'>, status: number, text: string): unknown {
  const json = parse(text)
  if (status === 200 && json !== null) return json
  const { code, message } = (json?.['error'] ?? {}) as { code?: unknown; message?: unknown }
  if (typeof code === 'string' && Object.hasOwn(ERRORS, code)) throw new MusterError(code as ErrorCode, String(message))
  throw new MusterError('UNAVAILABLE', `${url.origin} is no muster delos serve: ${status} ${text.trim().slice(0, 200)}`)
}

function parse(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    // A page of something else: the caller says so.
    return null
  }
}
