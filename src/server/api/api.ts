import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { System } from '../../core/contracts/controller.ts'
import { VERSION_HEADER } from '../../core/contracts/version-header.ts'
import { ownVersion } from '../../platform/own-version.ts'
import { type ActionDef, type CommandDef, type Operation, type OpContext, routeOf } from '../../core/contracts/operation.ts'
import { BugError } from '../../core/kernel/assert.ts'
import { isRefusal, type MusterError, refuse } from '../../core/kernel/errors.ts'
import type { ControlLog } from '../state/control-log.ts'
import { HERE } from '../following/here.ts'
import { NOT_LEADER_HEADER, type LeaderLink } from '../following/leader-link.ts'
import { CALLER_HEADER, callerNamed, passOn } from '../following/pass-on.ts'
import type { Wiring } from '../host.ts'
import type { Logger } from '../../platform/logger.ts'
import { callerOf, knownCaller, setCaller } from './callers.ts'
import type { Door } from './doors.ts'
import { openApiDocument } from './openapi.ts'
import { type Caller, mayAct, type TokenStore } from './roles.ts'
import { mayAskAs } from '../tw/task-tokens.ts'
import { sendEvents } from './sse.ts'
import { traceOf, type Tracer, untold } from '../tracer.ts'
import { causeOfTraceparent, type Cause } from '../../core/kernel/trace.ts'

/** HTTP status of an exit code. */
const STATUS: Record<number, number> = { 1: 422, 2: 400, 3: 404, 4: 403, 5: 409, 6: 503, 7: 200, 8: 206, 70: 500 }

declare module 'fastify' {
  interface FastifyContextConfig {
    /** the route only reads, whatever its method: a viewer may ask it */
    isRead?: boolean
    /** a server that follows does it itself: what comes in is kept by the leaf beside it, or goes to where it belongs */
    isTakenHere?: boolean
  }
}

/** Systems that share one log, and that log. */
export interface Domain {
  systems: readonly System[]
  control: ControlLog
}

export interface ApiOptions {
  domains: readonly Domain[]
  wirings: readonly Wiring[]
  tokens: TokenStore
  log: Logger
  /** lets the caller's browser in; absent: this process has no pages */
  openPage?: (caller: Caller, page: unknown) => Promise<object>
  /** answers GET /metrics */
  metrics?: () => Promise<string>
  /** answers GET /v1/status */
  status: () => Promise<unknown>
  /** to the server that leads, which is asked everything but how this one is; null: this one leads */
  link: LeaderLink | null
  /** one row per finished operation, for telemetry */
  onOperation: (row: { operation: string; actor: string; ms: number; ok: boolean; code: string; trace: string }) => void
  tracer?: Tracer
}

/** Where a code for the browser is made: at the socket alone, whose users are on this machine. */
const CODES_ROUTE = '/v1/web/codes'
/** What a server answers of itself, whoever leads. */
const OF_ITSELF = new Set(['/healthz', '/metrics', '/openapi.json', '/v1/status', CODES_ROUTE])
/** Operators' calls about the log that is decided on. */
const OPERATOR_CONTROL = '/v1/delos/operator/control/'
/** A query waits so long for a leader, and is then answered from what this server has. */
const QUERY_PATIENCE_MS = 1500

/** Largest body of an operation; uploads and row streams have routes and limits of their own. */
const BODY_BYTES_MAX = 4 * 1024 * 1024

/** The HTTP interface at one door: one route per operation, events, status, and what the wirings add. */
export function createApi(options: ApiOptions, door: Door): FastifyInstance {
  const app = Fastify({ bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true, routerOptions: { maxParamLength: 500 } })
  const operations = options.domains.flatMap((domain) => domain.systems.flatMap((system) => system.operations))
  const routes = options.domains.flatMap((domain) => domain.systems.flatMap((system) => system.routes ?? []))
  const operationRoutes = new Set(operations.map(({ name }) => routeOf(name)))
  const queryRoutes = new Set(operations.filter(({ kind }) => kind === 'query').map(({ name }) => routeOf(name)))
  const { link } = options
  const main = options.domains[0] as Domain

  const version = ownVersion()
  app.addHook('onRequest', async (request, reply) => {
    reply.header(VERSION_HEADER, version)
    const caller = whoIs(request, options.tokens, door)
    setCaller(request, caller)
    // Operations look at their own role; what else is written (rows, uploads, reports) takes an operator.
    const { url: route = '', config } = request.routeOptions
    const isRead = request.method === 'GET' || request.method === 'HEAD' || operationRoutes.has(route) || config.isRead === true
    if (!isRead && !mayAct(caller.role, 'operator'))
      throw refuse(
        'NOT_PERMITTED',
        `${request.method} ${request.url.split('?')[0]} needs the role operator; ${caller.actor} has ${caller.role}`,
      )
    const path = request.url.split('?')[0] ?? ''
    if (!mayAskAs(caller, path)) throw refuse('NOT_PERMITTED', `${caller.actor} asks only for what is planned for it`)
    if (link === null || OF_ITSELF.has(path) || (door === 'server' && path.startsWith(`${HERE}/`))) return
    if (config.isTakenHere === true && door !== 'server') return
    const stopped = main.control.copy.refusal()
    if (stopped !== null && (await link.find(0)) === link.self) {
      // It has to lead and cannot: what it knew last is read here, and the way out is asked of it itself.
      if (queryRoutes.has(path) || path.startsWith(OPERATOR_CONTROL)) return
      throw stopped
    }
    // It is asked only by who took it for the leader.
    if (door === 'server') throw refuse('DELOS_NOT_LEADER', 'this server does not lead the fleet')
    if (queryRoutes.has(path) && (await link.find(QUERY_PATIENCE_MS)) === null) return
    reply.hijack()
    const refusal = await passOn(request.raw, reply.raw, caller, link)
    if (refusal !== null && !reply.raw.headersSent)
      reply.raw
        .writeHead(STATUS[refusal.exit] ?? 500, { 'content-type': 'application/json', [VERSION_HEADER]: version })
        .end(JSON.stringify({ ok: false, error: refusal }))
  })
  app.setErrorHandler((error: FastifyError | MusterError, request, reply) => {
    const known = asRefusal(error)
    if (known.code === 'INTERNAL') options.log.error('a request failed by a bug', { url: request.url, error: String(error.stack ?? error) })
    if (known.code === 'DELOS_NOT_LEADER') reply.header(NOT_LEADER_HEADER, '1')
    return reply.code(STATUS[known.exit] ?? 500).send({ ok: false, error: known })
  })
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      ok: false,
      error: refuse('NOT_FOUND', `nothing answers ${request.method} ${request.url.split('?')[0]}`, {
        hint: 'GET /openapi.json lists what there is.',
      }),
    }),
  )

  for (const domain of options.domains) {
    for (const system of domain.systems) {
      for (const operation of system.operations) {
        const handle = (request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
          serve(operation, domain.control, options, callerOf(request), request, reply)
        app.post(routeOf(operation.name), handle)
        const isRead = operation.kind === 'query' || (operation.kind === 'action' && !operation.isMutation)
        if (isRead) app.get(routeOf(operation.name), handle)
      }
    }
  }
  app.get('/openapi.json', async () => openApiDocument(operations, routes))
  app.get('/healthz', async () => ({ ok: true, position: main.control.tail(), trouble: main.control.copy.distrust()?.message ?? null }))
  const { metrics } = options
  if (metrics !== undefined)
    app.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics()))
  app.get('/v1/status', async () => ({ ok: true, data: await options.status() }))
  app.get('/v1/events', async (request, reply) => sendEvents(main.control, request, reply))
  const { openPage } = options
  if (door === 'socket' && openPage !== undefined)
    app.post(CODES_ROUTE, async (request) => ({ ok: true, data: await openPage(callerOf(request), request.body ?? {}) }))
  for (const wiring of options.wirings) wiring.routes?.(app)
  return app
}

function whoIs(request: FastifyRequest, tokens: TokenStore, door: Door): Caller {
  const known = knownCaller(request)
  if (known !== null) return known
  if (door === 'server') return callerNamed(request.headers[CALLER_HEADER])
  const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1]
  if (door === 'socket') {
    // A task says so: it asks as itself, though it could open the socket.
    if (token?.startsWith('task_')) return tokens.find(token) ?? notPermitted('this is not the token of a task')
    // Whoever can open the socket (0600) is its owner; the header says on whose behalf.
    const actor = request.headers['x-muster-actor']
    return { actor: typeof actor === 'string' && /^[\w:.@-]{1,128}$/.test(actor) ? actor : 'user:local', role: 'admin' }
  }
  const caller = token ? tokens.find(token) : null
  if (!caller && request.url !== '/healthz')
    throw refuse('NOT_PERMITTED', 'this listener wants a valid bearer token', {
      hint: 'Make one with `muster token issue NAME` on a server of the fleet.',
    })
  return caller ?? { actor: 'anonymous', role: 'viewer' }
}

function notPermitted(what: string): never {
  throw refuse('NOT_PERMITTED', what)
}

function asRefusal(error: FastifyError | MusterError | Error): MusterError {
  if (isRefusal(error)) return error
  const status = (error as FastifyError).statusCode
  if (status === 413) return refuse('USAGE', 'the body is too large')
  if (status !== undefined && status < 500) return refuse('USAGE', error.message)
  return refuse('INTERNAL', error instanceof BugError ? `a bug: ${error.message}` : `a bug: ${error.message}`)
}

const header = (request: FastifyRequest, name: string): string | undefined => {
  const value = request.headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

async function serve(
  operation: Operation,
  control: ControlLog,
  options: ApiOptions,
  caller: Caller,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const startedAt = performance.now()
  const from = causeOfTraceparent(header(request, 'traceparent') ?? '')
  const isChange = operation.kind === 'command' || (operation.kind === 'action' && operation.isMutation)
  // What only reads is traced for whoever asks for that: a screen that looks each second would fill the table.
  const span = isChange || from !== null ? (options.tracer ?? untold).begin(operation.name, from) : null
  let code = ''
  try {
    return await perform(operation, control, options, caller, request, reply, span?.cause ?? null)
  } catch (error) {
    code = asRefusal(error as Error).code
    throw error
  } finally {
    span?.end(code === '', { kind: 'operation', actor: caller.actor, code })
    // The audit line: who asked for what that changes something, and how it ended.
    if (isChange) {
      options.log.info('operation', {
        operation: operation.name,
        actor: caller.actor,
        role: caller.role,
        plan: header(request, 'x-muster-plan') !== undefined,
        code: code || 'OK',
      })
    }
    options.onOperation({
      operation: operation.name,
      actor: caller.actor,
      ms: performance.now() - startedAt,
      ok: code === '',
      code,
      trace: span?.cause.trace ?? '',
    })
  }
}

async function perform(
  operation: Operation,
  control: ControlLog,
  options: ApiOptions,
  caller: Caller,
  request: FastifyRequest,
  reply: FastifyReply,
  cause: Cause | null,
): Promise<unknown> {
  if (!mayAct(caller.role, operation.role))
    throw refuse('NOT_PERMITTED', `${operation.name} needs the role ${operation.role}; ${caller.actor} has ${caller.role}`)
  assertTrusted(operation, control)
  const input = parseInput(operation, request)
  if (operation.kind === 'query') {
    const at = { now: control.now(), position: control.tail() }
    const context: OpContext = { actor: caller.actor, role: caller.role, ...at, soft: softOf(operation, options.wirings) }
    const answer = operation.answer(control.db, input, context)
    if (isRefusal(answer)) throw answer
    for (const { answered } of options.wirings) answered?.[operation.name]?.(input, answer)
    const warnings = options.link === null ? [] : ['no server leads at the moment: this is what this server knew last']
    return { ok: true, data: answer, warnings, position: control.tail() }
  }
  if (operation.kind === 'action') {
    const data = await action(operation, options.wirings, caller, request, reply, input)
    return { ok: true, ...data, warnings: [], position: control.tail() }
  }
  return command(operation, control, options.wirings, caller, request, input, cause)
}

async function action(
  operation: ActionDef,
  wirings: readonly Wiring[],
  caller: Caller,
  request: FastifyRequest,
  reply: FastifyReply,
  input: unknown,
): Promise<{ data: unknown; plan?: object }> {
  const wish = { isPlan: header(request, 'x-muster-plan') !== undefined, apply: header(request, 'x-muster-apply') }
  if ((wish.isPlan || wish.apply !== undefined) && operation.hasPlan !== true)
    throw refuse('USAGE', `${operation.name} acts outside the log, so its difference cannot be shown before`)
  if (!wish.isPlan) assertConfirmed(operation, request, input)
  const abort = new AbortController()
  reply.raw.once('close', () => abort.abort())
  const context = { actor: caller.actor, role: caller.role, signal: abort.signal }
  const planned = wirings.map((wiring) => wiring.plannedActions?.[operation.name]).find(Boolean)
  if (planned) {
    const { value, plan } = await planned(input, context, wish)
    return { data: value, ...(plan === null ? {} : { plan }) }
  }
  const adapter = wirings.map((wiring) => wiring.actions?.[operation.name]).find(Boolean)
  if (!adapter) throw refuse('UNAVAILABLE', `${operation.name} is not served by this process`)
  return { data: await adapter(input, context) }
}

/**
 * Of a state that is not what the other servers have nothing is read, and nothing decided on it. The logs themselves, keys, leases and locks
 * are no part of it; and where nobody's state is right for certain, whoever is paged for that may say so.
 */
function assertTrusted(operation: Operation, { copy }: ControlLog): void {
  const distrust = copy.distrust()
  if (distrust === null || (operation.kind === 'action' && operation.name.startsWith('delos.'))) return
  if (copy.refusal() !== null || !operation.name.startsWith('sev.')) throw distrust
}

/** High risk wants its target named. */
function assertConfirmed(operation: CommandDef | ActionDef, request: FastifyRequest, input: unknown): void {
  if (operation.danger !== 'high') return
  const wanted = operation.confirmName?.(input) ?? operation.name
  if (decodeURIComponent(header(request, 'x-muster-confirm') ?? '') === wanted) return
  throw refuse('CONFIRM_REQUIRED', `${operation.name} is a high-risk operation: it wants "${wanted}" typed`, {
    hint: `Add --confirm ${wanted}.`,
    details: { confirm: wanted },
  })
}

function softOf({ name }: Operation, wirings: readonly Wiring[]): unknown {
  return wirings.find(({ operationSoft }) => operationSoft?.[name] !== undefined)?.operationSoft?.[name]?.()
}

async function command(
  operation: CommandDef,
  control: ControlLog,
  wirings: readonly Wiring[],
  caller: Caller,
  request: FastifyRequest,
  input: unknown,
  cause: Cause | null,
): Promise<unknown> {
  let warnings: string[] = []
  const decide = (db: Parameters<CommandDef['decide']>[0], at: { now: number; position: number }) => {
    const decision = operation.decide(db, input, { actor: caller.actor, role: caller.role, ...at, soft: softOf(operation, wirings) })
    if (isRefusal(decision)) return decision
    warnings = decision.warnings ?? []
    return { entries: decision.entries, value: decision.reply }
  }
  const submit = { actor: caller.actor, ...traceOf(cause), applyPlan: header(request, 'x-muster-apply') }
  if (header(request, 'x-muster-plan')) {
    const { value, ...plan } = await control.plan(submit, decide)
    return { ok: true, data: value, warnings, position: plan.position, plan }
  }
  assertConfirmed(operation, request, input)
  const { value, position } = await control.submit(submit, decide)
  return { ok: true, data: value, warnings, position }
}

function parseInput(operation: Operation, request: FastifyRequest): unknown {
  const raw = request.method === 'GET' ? fromQuery(request.query as Record<string, string>) : (request.body ?? {})
  const parsed = operation.input.safeParse(raw)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`)
  throw refuse('USAGE', `${operation.name}: ${issues.join('; ')}`, { details: { issues } })
}

/** Query strings know only text: numbers, booleans and JSON are read as such, everything else stays text. */
function fromQuery(query: Record<string, string>): Record<string, unknown> {
  const read = (text: string): unknown => {
    if (!/^(true|false|null|-?\d+(\.\d+)?|[[{].*)$/s.test(text)) return text
    try {
      return JSON.parse(text)
    } catch {
      return text
    }
  }
  return Object.fromEntries(Object.entries(query).map(([key, value]) => [key, read(value)]))
}
