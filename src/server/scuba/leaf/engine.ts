import { type ChildProcess, spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import type { EngineReady, EngineReply, EngineRequest, EngineStatement } from '../../../core/scuba/engine-protocol.ts'
import { refuse, type MusterError } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { entryPoint } from '../../../platform/spawn.ts'
import type { Logger } from '../../../platform/logger.ts'

type Good = Extract<EngineReply, { ok: true }>
type Asked = EngineRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never

interface Pending {
  request: Asked
  resolve: (reply: Good) => void
  reject: (error: MusterError) => void
  isRetry: boolean
}

export interface CursorLimits {
  deadlineMs: number
  rowsMax: number
}

export interface CursorRows {
  /** PostgreSQL's text forms */
  rows: (string | null)[][]
  isDone: boolean
}

/** A statement whose rows are taken bit by bit. It is to be closed, whatever happened to it. */
export interface EngineCursor {
  columns: { name: string; type: string }[]
  first: CursorRows
  fetch: (limits: CursorLimits, signal?: AbortSignal) => Promise<CursorRows>
  close: () => void
}

/**
 * Of the engine's allocator: memory that was used is kept for 20 s before the kernel gets it back. By default it is given back within a
 * second and after each large task; to touch it anew costs a page fault for each 4 KiB, on a virtual machine up to 9 µs.
 */
const ALLOCATOR = 'dirty_decay_ms:20000,muzzy_decay_ms:20000'

/** How long an engine may outstay a deadline before it is taken to hang. */
const HANG_MS = 3000

/** Queries that one engine runs at once. */
export const QUERIES_AT_ONCE = 12
/** Each query holds a thread of Node's pool while it runs; parsing and looking at files must not wait for one of them, or the engine seems to hang. */
const POOL_SPARE = 8

/**
 * The leaf's side of its engine: starts it, restarts it when it dies, and asks once more what it was working on then.
 * A native crash costs time, never a row.
 */
export class Engine {
  readonly #dir: string
  readonly #log: Logger
  readonly #engines: number
  readonly #name: string
  #child: ChildProcess | null = null
  #hasStarted = false
  #isReady = false
  #isStopped = false
  #backoffMs = 50
  #id = 0
  readonly #pending = new Map<number, Pending>()
  readonly #trees = new Map<string, unknown>()

  /**
   * @param engines how many share the memory
   * @param name of its folder of temporary files
   */
  constructor(dir: string, log: Logger, engines = 1, name = 'engine') {
    this.#dir = dir
    this.#log = log
    this.#engines = engines
    this.#name = name
  }

  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  /** how much it is asked at this moment */
  get load(): number {
    return this.#pending.size
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** Needed only for one that is to be ready before it is asked. */
  start(): void {
    this.#hasStarted = true
    const [command, file] = entryPoint('server/scuba/engine-main')
    const child = spawn(command, [file, this.#dir, String(this.#engines), this.#name], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'json',
      env: { ...process.env, DUCKDB_JE_MALLOC_CONF: ALLOCATOR, UV_THREADPOOL_SIZE: String(QUERIES_AT_ONCE + POOL_SPARE) },
    })
    this.#child = child
    try {
      // A heavy query must not take the processor from control, proxies or ingest.
      if (child.pid !== undefined) setPriority(child.pid, 5)
    } catch {
      // It runs at the same priority then.
    }
    let words = ''
    child.stderr?.on('data', (data: Buffer) => (words = (words + data.toString()).slice(-2000)))
    child.on('message', (message: EngineReply | EngineReady) => {
      if ('ready' in message) {
        this.#isReady = true
        this.#backoffMs = 50
        for (const [id, { request }] of this.#pending) this.#send(id, request)
      } else {
        this.#settle(message)
      }
    })
    child.on('error', (error) => this.#log.error('engine could not be started', { error: String(error) }))
    child.on('close', (code, signal) => this.#died(code, signal, words))
  }

  stop(): void {
    this.#isStopped = true
    this.#child?.kill('SIGKILL')
  }

  /** The parse tree of a statement, as `json_serialize_sql` gives it; the newest 500 are kept. */
  async parse(sql: string): Promise<unknown> {
    const known = this.#trees.get(sql)
    if (known !== undefined) return known
    const reply = await this.#ask({ op: 'parse', sql }, 5000)
    const tree: unknown = JSON.parse(String(reply.rows[0]?.[0]))
    if (this.#trees.size >= 500) this.#trees.delete(this.#trees.keys().next().value ?? '')
    this.#trees.set(sql, tree)
    return tree
  }

  /** @throws SCUBA_SQL, SCUBA_DEADLINE, SCUBA_MEMORY, SCUBA_TOO_LARGE, SCUBA_DOWN */
  run(
    request: Omit<Extract<EngineRequest, { op: 'run' }>, 'id' | 'op' | 'rowsMax'> & { rowsMax?: number },
    signal?: AbortSignal,
  ): Promise<Good> {
    return this.#ask({ op: 'run', rowsMax: LIMITS.answerRowsMax, ...request }, request.deadlineMs, signal)
  }

  /** What it counts by: another one may count otherwise. */
  async version(): Promise<string> {
    const { rows } = await this.run({ sql: 'SELECT version()', views: [], params: {}, deadlineMs: 10_000 })
    return String(rows[0]?.[0])
  }

  /** Types of a statement's columns and parameters; nothing is run. Fails as {@link run} does. */
  async describe(statement: EngineStatement): Promise<Required<Pick<Good, 'columns' | 'parameters'>>> {
    const { columns, parameters = [] } = await this.#ask({ op: 'describe', ...statement, deadlineMs: 5000 }, 5000)
    return { columns, parameters }
  }

  /** Begins a statement whose rows are taken bit by bit, and gives the first up to `rowsMax`. Fails as {@link run} does. */
  async open(statement: EngineStatement, limits: CursorLimits, signal?: AbortSignal): Promise<EngineCursor> {
    const { id, columns, rows, isDone } = await this.#ask({ op: 'open', ...statement, ...limits }, limits.deadlineMs, signal)
    const child = this.#child
    const send = (request: Asked): void => void (this.#child === child && this.#send(0, request))
    return {
      columns,
      first: { rows: rows as (string | null)[][], isDone: isDone === true },
      fetch: async (more, stop) => {
        if (this.#child !== child) throw refuse('SCUBA_DOWN', 'the engine died while its rows were read')
        const reply = await this.#ask({ op: 'fetch', cursor: id, ...more }, more.deadlineMs, stop)
        return { rows: reply.rows as (string | null)[][], isDone: reply.isDone === true }
      },
      close: () => send({ op: 'close', cursor: id }),
    }
  }

  /** Runs a COPY to a Parquet file and gives how many rows it wrote, and the bounds of their `time`, µs. */
  async copy(sql: string, path: string): Promise<{ rows: number; minUs: number; maxUs: number }> {
    const reply = await this.#ask({ op: 'copy', sql, path }, 120_000)
    const [rows, minUs, maxUs] = (reply.rows[0] ?? []).map(Number)
    return { rows: rows ?? 0, minUs: minUs ?? 0, maxUs: maxUs ?? 0 }
  }

  /** Runs a COPY to a file of another format and gives how many rows it wrote. */
  async export(sql: string): Promise<number> {
    const reply = await this.#ask({ op: 'copy', sql, path: null }, 120_000)
    return Number(reply.rows[0]?.[0])
  }

  /** Writes a SELECT's rows to a file in ClickHouse's format Native and gives how many there were. */
  async native(request: Pick<Extract<EngineRequest, { op: 'native' }>, 'sql' | 'head' | 'path'>): Promise<number> {
    const reply = await this.#ask({ op: 'native', ...request }, 120_000)
    return Number(reply.rows[0]?.[0])
  }

  /** Makes a native copy of a SELECT's rows; `manyValued`: texts for which it is none the better. */
  async makeCopy(sql: string, path: string): Promise<{ rows: number; manyValued: string[] }> {
    const reply = await this.#ask({ op: 'make-copy', sql, path }, 120_000)
    return { rows: Number(reply.rows[0]?.[0]), manyValued: (reply.rows[1] ?? []).map(String) }
  }

  /** Their files are about to go. */
  forgetCopies(names: readonly string[]): void {
    this.#send(0, { op: 'forget-copies', names })
  }

  #ask(request: Asked, deadlineMs: number, signal?: AbortSignal): Promise<Good> {
    if (this.#isStopped) return Promise.reject(refuse('SCUBA_DOWN', 'the leaf is stopping'))
    if (signal?.aborted === true) return Promise.reject(stopped())
    if (!this.#hasStarted) this.start()
    const id = (this.#id += 1)
    return new Promise<Good>((resolve, reject) => {
      const timer = setTimeout(() => this.#hangs(id), deadlineMs + HANG_MS)
      const interrupt = (): void => this.#send(0, { op: 'interrupt', target: id })
      signal?.addEventListener('abort', interrupt, { once: true })
      const over = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', interrupt)
      }
      this.#pending.set(id, {
        request,
        // The rest of what was read in part cannot be had from another engine.
        isRetry: request.op === 'fetch',
        resolve: (reply) => (over(), resolve(reply)),
        reject: (error) => (over(), reject(error)),
      })
      if (this.#isReady) this.#send(id, request)
    })
  }

  #send(id: number, request: Asked): void {
    if (this.#isReady) this.#child?.send({ ...request, id }, () => undefined)
  }

  #settle(reply: EngineReply): void {
    const pending = this.#pending.get(reply.id)
    if (!pending) return
    this.#pending.delete(reply.id)
    if (reply.ok) pending.resolve(reply)
    else pending.reject(engineError(reply, 'sql' in pending.request ? pending.request.sql : ''))
  }

  /** It should have answered or said that it was late: end it; what else it did is asked again. */
  #hangs(id: number): void {
    const pending = this.#pending.get(id)
    if (!pending) return
    this.#pending.delete(id)
    // One that is only starting, on a busy machine, is left to it.
    if (!this.#isReady) return pending.reject(refuse('SCUBA_DOWN', 'the engine is still starting'))
    pending.reject(refuse('SCUBA_DEADLINE', 'the engine did not answer in time and was restarted'))
    this.#log.warn('engine does not answer: restarted', { pid: this.pid })
    this.#child?.kill('SIGKILL')
  }

  #died(code: number | null, signal: string | null, words: string): void {
    this.#isReady = false
    this.#child = null
    for (const [id, pending] of this.#pending) {
      if (!this.#isStopped && !pending.isRetry) {
        pending.isRetry = true
        continue
      }
      this.#pending.delete(id)
      const why = pending.request.op === 'fetch' ? 'the engine died while its rows were read' : 'the engine died twice on this query'
      pending.reject(refuse('SCUBA_DOWN', this.#isStopped ? 'the leaf is stopping' : why))
    }
    if (this.#isStopped) return
    this.#log.error('engine died', { code, signal, words })
    setTimeout(() => !this.#isStopped && this.start(), this.#backoffMs)
    this.#backoffMs = Math.min(this.#backoffMs * 2, 1000)
  }
}

const stopped = (): MusterError => refuse('SCUBA_DEADLINE', 'the query was stopped because nobody waits for it any more')

function engineError(reply: Extract<EngineReply, { ok: false }>, sql: string): MusterError {
  const message = reply.message.split('\n')[0] ?? reply.message
  switch (reply.failure) {
    case 'deadline':
      return refuse('SCUBA_DEADLINE', 'the query did not finish in its time')
    case 'interrupted':
      return stopped()
    case 'memory':
      return refuse('SCUBA_MEMORY', message)
    case 'too-large':
      return refuse('SCUBA_TOO_LARGE', message, { hint: 'Group, or add a LIMIT.' })
    case 'sql':
      return sqlError(reply.message, sql)
    default:
      return refuse('SCUBA_DOWN', message)
  }
}

/** The engine's own words, with the position from its caret line (`LINE 1: select x…` and `   ^` below) when there is one. */
function sqlError(message: string, sql: string): MusterError {
  const first = (message.split('\n')[0] ?? message).replace(/^\w[\w ]* Error: /, '')
  const missing = /Referenced column "([^"]*)" (?:was )?not found/i.exec(message)
  const near = [...(/Candidate bindings: (.*)/.exec(message)?.[1] ?? '').matchAll(/"([^"]+)"/g)]
    .flatMap((match) => (match[1] === undefined ? [] : [match[1]]))
    .slice(0, 3)
  if (missing) {
    const position = sql.indexOf(missing[1] ?? '')
    return refuse(
      'SCUBA_COLUMN_UNKNOWN',
      `there is no column ${missing[1]}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`,
      {
        details: { column: missing[1], near, position: position < 0 ? null : position },
      },
    )
  }
  const caret = /LINE (\d+): (.*)\n( *)\^/.exec(message)
  const category = /^(\w[\w ]*) Error: /.exec(message)?.[1]
  if (!caret) return refuse('SCUBA_SQL', first, { details: { category } })
  const line = Number(caret[1])
  const shown = caret[2] ?? ''
  const at = (caret[3] ?? '').length - `LINE ${caret[1]}: `.length
  const source = sql.split('\n')[line - 1] ?? ''
  // The engine shortens long lines with dots in front.
  const cut = shown.startsWith('...') ? shown.slice(3).replace(/\.\.\.$/, '') : null
  const column = (cut === null ? at : source.indexOf(cut) + at - 3) + 1
  return refuse('SCUBA_SQL', `${first} (line ${line}, column ${column})`, { details: { line, column, category } })
}
