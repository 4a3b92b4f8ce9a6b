import type { IncomingMessage, RequestOptions } from 'node:http'
import { causeOfTraceparent } from '../core/kernel/trace.ts'
import { VERSION_HEADER } from '../core/contracts/version-header.ts'
import { errorFromBody, MusterError, type ErrorBody } from '../core/kernel/errors.ts'
import type { CliConfig } from './config.ts'
import { exchange, type Exchanged } from './exchange.ts'
import { statePaths } from '../platform/paths.ts'
import { linesOf } from '../platform/streams.ts'

/** A row of the difference a plan would make. */
export interface PlanChange {
  table: string
  op: 'insert' | 'update' | 'delete'
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
}

export interface Plan {
  id: string
  /** log position the plan was made at */
  position: number
  changes: PlanChange[]
  entries: { type: string; body: unknown }[]
}

export interface Answer<T = unknown> {
  data: T
  warnings: string[]
  /** position of the next entry: events from here on are news to who has the answer; 0 when it is not of the log */
  position: number
  plan?: Plan
}

export interface CallOptions {
  plan?: boolean
  apply?: string | undefined
  confirm?: string | undefined
  signal?: AbortSignal | undefined
}

export interface LogEvent {
  /** log position */
  id: number
  entry: unknown
}

export interface EventOptions {
  from?: number | undefined
  /** ends before this position */
  until?: number | undefined
  /** prefixes of types */
  types?: readonly string[] | undefined
  /** only entries of tw that tell of this job, this node */
  job?: string | undefined
  node?: string | undefined
  signal?: AbortSignal | undefined
  /** Told once, first: where the log begins. What was before that is trimmed away. */
  onHead?: (head: number) => void
  /** Told each time the server went away, before it is tried again. */
  onLost?: () => void
}

/** Where the server of a context is. */
export interface Target {
  socketPath?: string
  host?: string
  port?: number
  isTls: boolean
  token: string | null
}

/** A client of one server. Every method rejects with MusterError: the server's own refusal, or SERVER_DOWN. */
export interface Client {
  target: Target
  /** Version of the server as its last answer said; null: that said none, as older ones do; undefined: there was no answer. */
  serverVersion: () => string | null | undefined
  call: <T = unknown>(name: string, input: unknown, options?: CallOptions) => Promise<Answer<T>>
  /** Any GET that answers the envelope, e.g. `/v1/status`. */
  get: <T = unknown>(path: string, signal?: AbortSignal) => Promise<Answer<T>>
  /** An answer of one JSON value a line, as they come. */
  stream: <T = unknown>(path: string, body: unknown, signal?: AbortSignal) => AsyncGenerator<T>
  /** Entries from position `from` on (an answer's `position`; absent: from now), resuming over lost connections until aborted. */
  events: (options: EventOptions) => AsyncGenerator<LogEvent>
  /** The plain exchange, for uploads and anything else; the body may be bytes or a stream. */
  request: (method: string, path: string, options?: RequestInput) => Promise<IncomingMessage>
}

export interface RequestInput {
  headers?: Record<string, string>
  body?: string | Uint8Array | AsyncIterable<Uint8Array>
  signal?: AbortSignal | undefined
}

// Through getBuiltinModule: an ESM import of node:http touches a getter that loads undici, 27 ms on each start.
const http = (): typeof import('node:http') => process.getBuiltinModule('node:http')
const https = (): typeof import('node:https') => process.getBuiltinModule('node:https')

/** The server of the config's context: its Unix socket, or the address the context names. */
export function targetOf(config: CliConfig, env: NodeJS.ProcessEnv = process.env): Target {
  const address = config.address.value
  if (address === null) return { socketPath: pathsOf(config, env).socket, isTls: false, token: null }
  const url = URL.canParse(address) ? new URL(address) : null
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new MusterError('USAGE', `the address "${address}" (${config.address.origin}) is not of the form http://HOST:PORT`)
  }
  const isTls = url.protocol === 'https:'
  return { host: url.hostname, port: Number(url.port) || (isTls ? 443 : 80), isTls, token: config.token.value }
}

/** State paths of the config's context; `state_dir` of the context counts like MUSTER_STATE_DIR. */
export function pathsOf(config: CliConfig, env: NodeJS.ProcessEnv = process.env): ReturnType<typeof statePaths> {
  return statePaths(config.context.value, config.stateDir.value === null ? env : { ...env, MUSTER_STATE_DIR: config.stateDir.value })
}

export function createClient(target: Target, actor: string): Client {
  let version: string | null | undefined
  const note = (said: string | undefined): void => void (version = said ?? null)
  const request: Client['request'] = async (method, path, input = {}) => {
    const response = await send(target, actor, method, path, input)
    // What is passed on as it comes does not say.
    const said = response.headers[VERSION_HEADER]
    if (said !== undefined) note(String(said))
    return response
  }
  return {
    target,
    serverVersion: () => version,
    request,
    call: async (name, input, options = {}) => {
      const headers: Record<string, string> = { 'content-type': 'application/json' }
      if (options.plan) headers['x-muster-plan'] = '1'
      if (options.apply !== undefined) headers['x-muster-apply'] = options.apply
      if (options.confirm !== undefined) headers['x-muster-confirm'] = encodeURIComponent(options.confirm)
      return ask({ target, actor, note }, 'POST', `/v1/${name.replaceAll('.', '/')}`, {
        headers,
        body: JSON.stringify(input ?? {}),
        signal: options.signal,
      })
    },
    get: (path, signal) => ask({ target, actor, note }, 'GET', path, { signal }),
    stream: async function* stream<T>(path: string, body: unknown, signal?: AbortSignal) {
      const response = await request('POST', path, {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body ?? {}),
        signal,
      })
      if (response.statusCode !== 200) await readAnswer(response)
      try {
        for await (const line of linesOf(response)) yield JSON.parse(line) as T
      } catch (error) {
        throw isLost(error) && !signal?.aborted
          ? new MusterError('SERVER_DOWN', 'the server went away in the middle of its answer', { cause: error })
          : error
      }
    },
    events: (options) => followEvents(request, options),
  }
}

async function* followEvents(request: Client['request'], options: EventOptions): AsyncGenerator<LogEvent> {
  let { from } = options
  let wasConnected = false
  for (;;) {
    const query = new URLSearchParams()
    if (from !== undefined) query.set('from', String(from))
    if (options.types?.length) query.set('types', options.types.join(','))
    if (options.until !== undefined) query.set('until', String(options.until))
    for (const key of ['job', 'node'] as const) if (options[key] !== undefined) query.set(key, options[key])
    try {
      const response = await request('GET', `/v1/events?${query}`, { headers: { accept: 'text/event-stream' }, signal: options.signal })
      if (response.statusCode !== 200) await readAnswer(response)
      if (!wasConnected) options.onHead?.(Number(response.headers['x-muster-head'] ?? 0))
      wasConnected = true
      // Without a position the server starts at its tail, and says where that is.
      from ??= Number(response.headers['x-muster-position'] ?? 0)
      let id = 0
      for await (const line of linesOf(response)) {
        if (line === 'event: end') return
        if (line.startsWith('id:')) id = Number(line.slice(3))
        else if (line.startsWith('data:')) {
          from = id + 1
          yield { id, entry: JSON.parse(line.slice(5)) as unknown }
        }
      }
    } catch (error) {
      if (options.signal?.aborted) return
      // Only a server that went away while we watched is waited for; a refusal is the answer.
      if (!wasConnected || !isLost(error)) throw error
    }
    if (options.signal?.aborted) return
    options.onLost?.()
    await new Promise((done) => setTimeout(done, 500))
  }
}

/** The server went away, or says that it cannot answer yet: it is being started. */
function isLost(error: unknown): boolean {
  const { code } = error as { code?: string }
  return code === 'ECONNRESET' || code === 'ECONNREFUSED' || (error instanceof MusterError && error.exit === 6)
}

/** One question, one answer. Plain text goes over node:net alone, which starts sooner; TLS needs node:https. */
async function ask<T>(
  { target, actor, note }: { target: Target; actor: string; note: (version: string | undefined) => void },
  method: string,
  path: string,
  input: RequestInput & { body?: string },
): Promise<Answer<T>> {
  if (target.isTls) {
    const response = await send(target, actor, method, path, input)
    note(response.headers[VERSION_HEADER]?.toString())
    return readAnswer(response)
  }
  const headers = headersOf(target, actor, input)
  const head = [
    `${method} ${path} HTTP/1.1`,
    `host: ${target.host ?? 'localhost'}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  let answer: Exchanged
  try {
    answer = await exchange(target, head, input.body ?? '', input.signal)
  } catch (error) {
    if (error instanceof MusterError) throw error
    if ((error as { isConnected?: boolean }).isConnected === true && !input.signal?.aborted) throw lostAnswer(error)
    throw connectionError(target, error as NodeJS.ErrnoException)
  }
  note(answer.headers.get(VERSION_HEADER))
  return parseEnvelope(answer.status, answer.body)
}

function headersOf(target: Target, actor: string, input: RequestInput): Record<string, string> {
  const headers: Record<string, string> = { 'x-muster-actor': actor, traceparent: traceparent(), ...input.headers }
  if (target.token !== null) headers['authorization'] = `Bearer ${target.token}`
  return headers
}

/** One trace for all that a command asks, below whoever started it: `TRACEPARENT`, as of a script that traces its steps. */
function traceparent(): string {
  const given = process.env['TRACEPARENT'] ?? ''
  ownTrace ??= causeOfTraceparent(given) === null ? `00-${randomDigits(32)}-${randomDigits(16)}-01` : given
  return ownTrace
}
let ownTrace: string | undefined

// Only has to differ from others': node:crypto costs a command more than the whole question.
const randomDigits = (digits: number): string => Array.from({ length: digits }, () => Math.floor(Math.random() * 16).toString(16)).join('')

function send(target: Target, actor: string, method: string, path: string, input: RequestInput): Promise<IncomingMessage> {
  const headers = headersOf(target, actor, input)
  if (typeof input.body === 'string') headers['content-length'] = String(Buffer.byteLength(input.body))
  const options: RequestOptions = { method, path, headers, agent: false, host: target.host ?? 'localhost' }
  if (target.socketPath !== undefined) options.socketPath = target.socketPath
  if (target.port !== undefined) options.port = target.port
  if (input.signal) options.signal = input.signal
  return new Promise((resolve, reject) => {
    const request = (target.isTls ? https() : http()).request(options, resolve)
    request.on('error', (cause: NodeJS.ErrnoException) => reject(connectionError(target, cause)))
    if (input.body === undefined || typeof input.body === 'string' || input.body instanceof Uint8Array) request.end(input.body)
    else {
      const { Readable, pipeline } = process.getBuiltinModule('node:stream')
      // Who answers a stream may have something to say before its first piece comes.
      request.flushHeaders()
      pipeline(Readable.from(input.body), request, (error) => {
        if (error) reject(connectionError(target, error))
      })
    }
  })
}

function connectionError(target: Target, cause: NodeJS.ErrnoException): MusterError | Error {
  if (cause.name === 'AbortError') return cause
  const where = target.socketPath ?? `${target.host}:${target.port}`
  if (cause.code === 'EACCES')
    return new MusterError('NOT_PERMITTED', `the server's socket ${where} belongs to another user`, {
      hint: 'Run as that user, or use another --context.',
      cause,
    })
  return new MusterError('SERVER_DOWN', `no server answers at ${where} (${cause.code ?? cause.message})`, {
    cause,
    details: { neverSent: cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED' },
  })
}

async function readAnswer<T>(response: IncomingMessage): Promise<Answer<T>> {
  let text = ''
  response.setEncoding('utf8')
  try {
    for await (const chunk of response) text += chunk as string
  } catch (cause) {
    throw lostAnswer(cause)
  }
  return parseEnvelope(response.statusCode ?? 0, text)
}

function lostAnswer(cause: unknown): MusterError {
  const hint = 'Look with the matching `list` or `status` command before trying again.'
  return new MusterError('SERVER_DOWN', 'the server went away before it answered; whether the change was made is not known', {
    hint,
    cause,
  })
}

function parseEnvelope<T>(status: number, text: string): Answer<T> {
  let body: { ok?: boolean; data?: T; warnings?: string[]; position?: number; plan?: Plan; error?: ErrorBody }
  try {
    body = JSON.parse(text) as typeof body
  } catch (cause) {
    const hint = 'Check the address of the context with `muster config show --origin`.'
    throw new MusterError('UNAVAILABLE', `the answer is not of muster's form (HTTP ${status})`, { hint, cause })
  }
  if (body.ok !== true) throw errorFromBody(body.error ?? { code: 'INTERNAL', message: text.slice(0, 500), hint: '', docs: '', exit: 70 })
  const answer: Answer<T> = { data: body.data as T, warnings: body.warnings ?? [], position: body.position ?? 0 }
  if (body.plan) answer.plan = body.plan
  return answer
}
