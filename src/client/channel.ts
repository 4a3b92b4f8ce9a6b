import type { IncomingMessage } from 'node:http'
import { MusterError } from '../core/kernel/errors.ts'
import { fromJson, toJson } from '../core/delos/wire/gateway/json.ts'
import { METHODS, type Method } from '../core/delos/wire/methods.ts'
import type { RpcError } from '../core/delos/wire/service.ts'
import { linesOf, textOf } from '../platform/streams.ts'
import { pause } from './pause.ts'
import { NoAnswer, openEndpoint, post, type Endpoint, type Tls } from './post.ts'
import { isNotDone, isTokenOver, isUnclear, refusal } from './refusal.ts'

export interface ChannelOptions {
  /** `http://HOST:PORT`; tried in turn, beginning with the one that answered last */
  endpoints: readonly string[]
  user?: string
  password?: string
  tls?: Tls
  /** an answer that takes longer counts as none */
  answerMs?: number
  /** how long servers that were there once are asked again */
  patienceMs?: number
}

export interface CallOptions {
  /**
   * What asking twice does. `read`: nothing. `repeatable`: it changes something once, however often it is asked. `once`: it may
   * change something twice, so it is asked again only when it certainly was not done.
   */
  effect: 'read' | 'repeatable' | 'once'
  signal?: AbortSignal | undefined
  /** instead of the channel's */
  patienceMs?: number | undefined
  /** instead of the channel's, if shorter */
  answerMs?: number | undefined
}

/** A call's way to one of several servers, over the JSON gateway of any etcd v3. */
export interface Channel {
  /**
   * Rejects with the store's refusal, with DELOS_OUTCOME_UNKNOWN when a change may or may not have happened, with UNAVAILABLE when no
   * server answers, or with the signal's reason.
   */
  call: <Request, Response>(method: Method<Request, Response>, request: Request, options: CallOptions) => Promise<Response>
  /** A stream's answers to one message. Rejects with {@link NoAnswer} when its connection ends. */
  stream: <Request, Response>(method: Method<Request, Response>, request: Request, signal: AbortSignal) => AsyncGenerator<Response>
  /** a server has answered before */
  hasAnswered: () => boolean
  close: () => void
}

type Outcome = { message: unknown } | { refused: RpcError } | { failed: NoAnswer }

const PAUSE_MIN_MS = 50
const PAUSE_MAX_MS = 1000

/** Nothing is connected before the first call. */
export function openChannel(channel: ChannelOptions): Channel {
  const { answerMs = 5000, patienceMs = 10_000 } = channel
  const endpoints = channel.endpoints.map((text) => openEndpoint(urlOf(text), channel.tls ?? {}))
  if (endpoints.length === 0) throw new MusterError('USAGE', 'no endpoint was given')
  const closed = new AbortController()
  let current = 0
  let token = ''
  let isKnown = false

  const send = (endpoint: Endpoint, method: AnyMethod, body: string, signal: AbortSignal, isStream: boolean): Promise<IncomingMessage> =>
    post(endpoint, { path: `/v3${method.routes[0] ?? ''}`, body, token, signal, isStream })

  /** Asks one server once. */
  const attempt = async (
    endpoint: Endpoint,
    method: AnyMethod,
    body: string,
    { signal, answerMs: ownMs = answerMs }: CallOptions,
  ): Promise<Outcome> => {
    const limitMs = Math.min(answerMs, ownMs)
    const late = AbortSignal.timeout(limitMs)
    const any = AbortSignal.any([late, closed.signal, ...(signal === undefined ? [] : [signal])])
    try {
      const answer = await send(endpoint, method, body, any, false)
      return outcomeOf(method, endpoint, answer.statusCode ?? 0, await textOf(answer))
    } catch (error) {
      if (error instanceof MusterError) throw error
      if (signal?.aborted) throw signal.reason
      if (closed.signal.aborted) throw closed.signal.reason
      if (error instanceof NoAnswer) return { failed: error }
      return { failed: new NoAnswer(`${endpoint.url.host}: ${late.aborted ? `no answer in ${limitMs} ms` : String(error)}`, true, error) }
    }
  }

  const leave = (used: number): void => {
    if (current === used) current = (used + 1) % endpoints.length
  }

  const authenticate = async (signal?: AbortSignal): Promise<void> => {
    if (channel.user === undefined || token !== '') return
    const message = { name: channel.user, password: channel.password ?? '' }
    token = (await call(METHODS['Auth/Authenticate'], message, { effect: 'read', signal })).token
  }

  const call = async <Request, Response>(method: Method<Request, Response>, request: Request, options: CallOptions): Promise<Response> => {
    const { effect, signal, patienceMs: ownPatienceMs = patienceMs } = options
    const body = JSON.stringify(toJson(method.request.schema, request))
    const deadline = performance.now() + ownPatienceMs
    let mayBeDone = false
    let hasNewToken = false
    for (let tries = 1; ; tries += 1) {
      if ((method as unknown) !== METHODS['Auth/Authenticate']) await authenticate(signal)
      const used = current
      const outcome = await attempt(endpoints[used] as Endpoint, method, body, options)
      if (!('failed' in outcome)) isKnown = true
      if ('message' in outcome) return outcome.message as Response
      if ('refused' in outcome) {
        const { refused } = outcome
        if (isTokenOver(refused) && channel.user !== undefined && !hasNewToken) {
          hasNewToken = true
          token = ''
          continue
        }
        if (!isNotDone(refused) && !isUnclear(refused)) throw refusal(refused)
      }
      const isCertain = 'failed' in outcome ? !outcome.failed.isSent : isNotDone(outcome.refused)
      const text = 'failed' in outcome ? outcome.failed.message : outcome.refused.text
      mayBeDone ||= !isCertain
      leave(used)
      if (mayBeDone && effect === 'once') throw new MusterError('DELOS_OUTCOME_UNKNOWN', text)
      if (tries % endpoints.length > 0) continue
      if (!isKnown || performance.now() > deadline) {
        if (mayBeDone && effect !== 'read') throw new MusterError('DELOS_OUTCOME_UNKNOWN', text)
        throw 'refused' in outcome
          ? refusal(outcome.refused)
          : new MusterError('UNAVAILABLE', `no server of the store answers: ${text}`, { hint: 'Check --endpoints, and that it runs.' })
      }
      await pause(Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(10, tries / endpoints.length)), signal)
    }
  }

  async function* stream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    signal: AbortSignal,
  ): AsyncGenerator<Response> {
    await authenticate(signal)
    const body = JSON.stringify(toJson(method.request.schema, request))
    const used = current
    const endpoint = endpoints[used] as Endpoint
    const any = AbortSignal.any([signal, closed.signal])
    try {
      const answer = await send(endpoint, method, body, any, true)
      answer.socket.setKeepAlive(true, 5000)
      for await (const line of linesOf(answer)) {
        const outcome = outcomeOf(method, endpoint, answer.statusCode ?? 0, line)
        isKnown = true
        if ('message' in outcome) yield outcome.message as Response
        else if ('refused' in outcome) {
          if (isTokenOver(outcome.refused)) token = ''
          else if (!isUnclear(outcome.refused)) throw refusal(outcome.refused)
          throw new NoAnswer(outcome.refused.text, true)
        }
      }
      throw new NoAnswer(`${endpoint.url.host}: the stream ended`, true)
    } catch (error) {
      if (any.aborted) throw any.reason
      if (error instanceof MusterError) throw error
      leave(used)
      throw error instanceof NoAnswer ? error : new NoAnswer(`${endpoint.url.host}: ${String(error)}`, true, error)
    }
  }

  return {
    call,
    stream,
    hasAnswered: () => isKnown,
    close: () => {
      closed.abort(new MusterError('UNAVAILABLE', 'the client was closed'))
      for (const { agent } of endpoints) agent.destroy()
    },
  }
}

type AnyMethod = Pick<Method<never, unknown>, 'kind' | 'routes' | 'response'>

function urlOf(text: string): URL {
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `http://${text}`)
  if (url === null) throw new MusterError('USAGE', `"${text}" is not an endpoint such as http://127.0.0.1:2379`)
  return url
}

/** What a body says: the answer; of a stream its first line, wrapped in `result`; or an error in either of the gateway's forms. */
function outcomeOf(method: AnyMethod, endpoint: Endpoint, status: number, text: string): Outcome {
  const json = parse(method.kind === 'unary' ? text : (text.trim().split('\n', 1)[0] ?? ''))
  const error = json?.['error']
  if (typeof error === 'object' && error !== null) {
    const { grpc_code: code, message } = error as { grpc_code?: number; message?: string }
    return { refused: { code: code ?? 2, text: message ?? 'unknown' } }
  }
  if (typeof error === 'string') return { refused: { code: Number(json?.['code'] ?? 2), text: error } }
  const body = method.kind === 'unary' ? json : json?.['result']
  if (status !== 200 || body === undefined || body === null) {
    const said = text.trim().slice(0, 200)
    throw new MusterError('UNAVAILABLE', `${endpoint.url.origin} is no gateway of etcd's v3 API: ${status} ${said}`)
  }
  const read = fromJson(method.response, body)
  if ('error' in read) throw new MusterError('UNAVAILABLE', `${endpoint.url.origin} answers in another form: ${read.error}`)
  return { message: read.message }
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const json: unknown = JSON.parse(text)
    return typeof json === 'object' ? (json as Record<string, unknown> | null) : null
  } catch {
    // A page of something else: the caller says so.
    return null
  }
}
