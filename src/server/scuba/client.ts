import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { z } from 'zod'
import type { ActionDef } from '../../core/contracts/operation.ts'
import { errorFromBody, refuse, type ErrorBody, type MusterError } from '../../core/kernel/errors.ts'
import type { IntakePort } from '../../core/scuba/ports.ts'
import type { LiveAnswer } from '../../core/scuba/live/aggregate.ts'
import type { ArtefactsStatus } from '../../core/scuba/operations/asking.ts'
import type { Observed } from '../../core/scuba/observed.ts'
import type { DiskLevel } from '../../core/scuba/seal/pressure.ts'
import type { SenderSkew } from '../../core/scuba/rows/senders.ts'
import type { QuotaCounts } from '../../core/scuba/quota/quota.ts'
import type { Registry } from '../../core/scuba/registry.ts'
import type {
  AckLevel,
  BoardAnswer,
  BoardRequest,
  DiffAnswer,
  DiffRequest,
  ExplainAnswer,
  ExplainRequest,
  FunnelAnswer,
  FunnelRequest,
  LiveRequest,
  PanelAnswer,
  PanelRequest,
  QueryAnswer,
  QueryRequest,
  Receipt,
  SessionsAnswer,
  SessionsRequest,
  TableInfo,
  TraceAnswer,
  TraceRequest,
} from '../../core/scuba/wire-types.ts'
import type { PortStatus } from './leaf/listen/ports.ts'
import type { ScrapeStatus } from './leaf/scrape/scraper.ts'
import { linesOf } from '../../platform/streams.ts'

export interface SendOptions {
  /** idempotency key: the same key with the same rows is added once within 24 hours */
  key?: string
  /** default `fsync`, and `replicas` for a table that asks for copies */
  ack?: AckLevel
  signal?: AbortSignal
}

export interface DoOptions {
  isPlan?: boolean
  by?: string
  signal?: AbortSignal
  /** longest wait; default 10 s */
  patienceMs?: number
}

export interface LeafHealth {
  pid: number
  enginePid: number | null
  isEngineReady: boolean
  sealEnginePid: number | null
  isFull: boolean
  diskLevel: DiskLevel
  /** after two failed writes: takes no rows until it is started anew */
  isReadOnly: boolean
  /** what is not sealed yet */
  backlogBytes: number
  tables: number
  /** ways in that were asked for: where they listen, or why they do not, and whose pages are read */
  intake?: { ports: Partial<Record<IntakePort, PortStatus>>; scrape: ScrapeStatus[] }
  /** where sealed rows go if not into files, and why that cannot be reached; `mark`: of the URL it was told */
  clickhouse?: { where: string; away: string | null; mark: string } | null
  /** what came in and what was refused by each quota, since it started */
  /** whose clocks are off, the farthest first */
  senders?: SenderSkew[]
  quotas?: QuotaCounts[]
  /** tokens that are on `validate=sync`, because all of their large bodies had bad lines */
  strictTokens?: string[]
  /** questions to copies in place of leaves that were slow or away, and answers that came from them, since it started */
  byCopy?: { asked: number; answered: number }
}

/** Who asks: queries of one user wait for each other; a quarter of the engine is kept for the urgent ones. */
export interface AskerHead {
  user?: string
  isUrgent?: boolean
}

/** A leaf's client over its Unix socket; connections are kept. Every method rejects with MusterError; SCUBA_DOWN when no leaf answers. */
export interface ScubaClient {
  /** Rows as objects, or as NDJSON bytes that are sent as they are. */
  send(table: string, rows: readonly object[] | Uint8Array | string, options?: SendOptions): Promise<Receipt>
  query(sql: string, options?: Omit<QueryRequest, 'sql'>, signal?: AbortSignal, asker?: AskerHead): Promise<QueryAnswer>
  panel(request: PanelRequest, signal?: AbortSignal, asker?: AskerHead): Promise<PanelAnswer>
  board(request: BoardRequest, signal?: AbortSignal, asker?: AskerHead): Promise<BoardAnswer>
  explain(request: ExplainRequest, signal?: AbortSignal, asker?: AskerHead): Promise<ExplainAnswer>
  explainPanel(request: PanelRequest, signal?: AbortSignal, asker?: AskerHead): Promise<ExplainAnswer>
  diff(request: DiffRequest, signal?: AbortSignal, asker?: AskerHead): Promise<DiffAnswer>
  funnel(request: FunnelRequest, signal?: AbortSignal, asker?: AskerHead): Promise<FunnelAnswer>
  sessions(request: SessionsRequest, signal?: AbortSignal, asker?: AskerHead): Promise<SessionsAnswer>
  trace(request: TraceRequest, signal?: AbortSignal, asker?: AskerHead): Promise<TraceAnswer>
  /** Whole seconds of `[fromMs, toMs)`. */
  live(request: LiveRequest): Promise<LiveAnswer>
  tables(): Promise<TableInfo[]>
  /** Builds and drops now what the next round would. */
  warm(): Promise<ArtefactsStatus>
  table(name: string): Promise<TableInfo>
  /** Calls with every new row once it is durable, until the signal aborts (then resolves) or the leaf goes away (rejects). */
  tail(table: string, onRow: (row: Record<string, unknown>) => void, signal: AbortSignal): Promise<void>
  /** Tells the leaf what is declared; it keeps it. Gives what it works by now. */
  putRegistry(registry: Registry): Promise<Registry>
  /** What the leaf has seen and done, for entries to be concluded from; with a mark, when there is another, or after that time. */
  observed(wait?: { after: string; waitMs: number; signal: AbortSignal }): Promise<Observed>
  /** Has the leaf carry out an operation; what it wants beside the input is who asks, and whether only to look. */
  do<Def extends ActionDef>(operation: Def, input: z.output<Def['input']>, how?: DoOptions): Promise<z.output<Def['output']>>
  /** The type of an SQL expression over a table's columns. @throws SCUBA_SQL, SCUBA_COLUMN_UNKNOWN, SCUBA_TABLE_UNKNOWN */
  checkExpression(table: string, sql: string): Promise<{ type: string }>
  health(): Promise<LeafHealth>
  close(): void
}

/** Longest wait for an answer, beyond the deadline of a query. */
const PATIENCE_MS = 10_000

export function createScubaClient(socketPath: string): ScubaClient {
  // Importing node:http as a module costs 27 ms more, because it loads undici; commands feel that.
  const http = process.getBuiltinModule('node:http')
  const agent: Agent = new http.Agent({ keepAlive: true, maxSockets: 32 })

  const open = (options: RequestOptions, body?: Uint8Array | string): Promise<{ request: ClientRequest; response: IncomingMessage }> =>
    new Promise((resolve, reject) => {
      const request = http.request({ socketPath, agent, ...options })
      request.once('response', (response) => resolve({ request, response }))
      request.once('error', reject)
      request.end(body)
    })

  const ask = async <T>(
    method: string,
    path: string,
    body?: Uint8Array | string,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
    patienceMs = PATIENCE_MS,
  ): Promise<T> => {
    const limit = AbortSignal.timeout(patienceMs)
    const both = signal ? AbortSignal.any([signal, limit]) : limit
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const options: RequestOptions = { method, path, headers: { ...headers, ...length }, signal: both }
    try {
      const { response } = await openAgain(() => open(options, body))
      const text = await read(response)
      const status = response.statusCode ?? 500
      if (status < 300) return JSON.parse(text) as T
      throw errorFromBody((JSON.parse(text) as { error: ErrorBody }).error)
    } catch (error) {
      throw downError(error, socketPath, limit.aborted)
    }
  }

  const post = <T>(
    path: string,
    body: object,
    signal?: AbortSignal,
    patienceMs?: number,
    headers: Record<string, string> = {},
  ): Promise<T> => ask('POST', path, JSON.stringify(body), { 'content-type': 'application/json', ...headers }, signal, patienceMs)

  const question = <T>(
    path: string,
    body: { deadlineMs?: number | undefined; [field: string]: unknown },
    signal?: AbortSignal,
    asker: AskerHead = {},
  ): Promise<T> =>
    post(`/v1/scuba/${path}`, body, signal, PATIENCE_MS + (body.deadlineMs ?? 5000), {
      // Names of people may hold anything.
      ...(asker.user === undefined ? {} : { 'x-muster-user': encodeURIComponent(asker.user) }),
      ...(asker.isUrgent === true ? { 'x-muster-urgent': '1' } : {}),
    })

  return {
    send: (table, rows, { key, ack, signal } = {}) => {
      const body = typeof rows === 'string' || rows instanceof Uint8Array ? rows : rows.map((row) => JSON.stringify(row)).join('\n')
      const headers: Record<string, string> = {
        'content-type': 'application/x-ndjson',
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      }
      return ask(
        'POST',
        `/v1/scuba/tables/${encodeURIComponent(table)}/rows${ack === undefined ? '' : `?ack=${ack}`}`,
        body,
        headers,
        signal,
        60_000,
      )
    },
    query: (sql, options = {}, signal, asker) => question('query', { sql, ...options }, signal, asker),
    panel: (request, signal, asker) => question('panel', { ...request }, signal, asker),
    board: (request, signal, asker) => question('board', { ...request }, signal, asker),
    explain: (request, signal, asker) => question('explain', { ...request }, signal, asker),
    explainPanel: (request, signal, asker) => question('panel/explain', { ...request }, signal, asker),
    diff: (request, signal, asker) => question('diff', { ...request }, signal, asker),
    funnel: (request, signal, asker) => question('funnel', { ...request }, signal, asker),
    sessions: (request, signal, asker) => question('sessions', { ...request }, signal, asker),
    trace: (request, signal, asker) => question('trace', { ...request }, signal, asker),
    live: (request) => post('/v1/scuba/live', request, undefined, 2000),
    tables: async () => (await ask<{ tables: TableInfo[] }>('GET', '/v1/scuba/tables')).tables,
    table: (name) => ask('GET', `/v1/scuba/tables/${encodeURIComponent(name)}`),
    putRegistry: (registry) => ask('PUT', '/v1/scuba/registry', JSON.stringify(registry), { 'content-type': 'application/json' }),
    warm: () => ask('POST', '/v1/scuba/artefacts/round', undefined, {}, undefined, 600_000),
    observed: (wait) => {
      if (!wait) return ask('GET', '/v1/scuba/observed')
      const path = `/v1/scuba/observed?after=${encodeURIComponent(wait.after)}&waitMs=${wait.waitMs}`
      return ask('GET', path, undefined, {}, wait.signal, PATIENCE_MS + wait.waitMs)
    },
    do: (operation, input, { isPlan = false, by = '', signal, patienceMs } = {}) =>
      post(`/v1/scuba/do/${operation.name}`, { ...(input as object), isPlan, by }, signal, patienceMs),
    checkExpression: (table, sql) => post(`/v1/scuba/tables/${encodeURIComponent(table)}/expression`, { sql }),
    health: () => ask('GET', '/v1/scuba/health', undefined, {}, undefined, 2000),
    tail: async (table, onRow, signal) => {
      try {
        const { response } = await open({ method: 'GET', path: `/v1/scuba/tables/${encodeURIComponent(table)}/tail`, agent: false, signal })
        for await (const line of linesOf(response)) onRow(JSON.parse(line) as Record<string, unknown>)
      } catch (error) {
        if (!signal.aborted) throw downError(error, socketPath, false)
        return
      }
      if (!signal.aborted) throw refuse('SCUBA_DOWN', 'the leaf closed the stream')
    },
    close: () => agent.destroy(),
  }
}

/** A kept connection that the leaf had closed fails at once, before anything was read from it: one more try on a new one. */
async function openAgain<T>(open: () => Promise<T & { request: ClientRequest }>): Promise<T> {
  try {
    return await open()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ECONNRESET' || code === 'EPIPE') return open()
    throw error
  }
}

async function readBytes(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

async function read(response: IncomingMessage): Promise<string> {
  return (await readBytes(response)).toString('utf8')
}

function downError(error: unknown, socketPath: string, isTimeout: boolean): MusterError {
  if (error instanceof Error && error.name === 'MusterError') return error as MusterError
  const why = isTimeout
    ? 'does not answer in time'
    : `does not answer (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`
  return refuse('SCUBA_DOWN', `the leaf at ${socketPath} ${why}`, { cause: error })
}
