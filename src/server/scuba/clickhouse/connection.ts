import type { Readable } from 'node:stream'
import type { ClickHouseClient } from '@clickhouse/client'
import { isRefusal, refuse, type MusterError } from '../../../core/kernel/errors.ts'

/** 18.16 closes connections that were idle for three seconds. */
const IDLE_MS = 2000
const PING_MS = 1000
/** Share of a question's time that ClickHouse may take: the rest is for an answer without it. */
const SHARE = 0.8
const SEAL_MS = 120_000

/** Long lists of values and seals make long statements. */
const SETTINGS = { max_query_size: 64_000_000, max_ast_elements: 1_000_000, output_format_json_quote_64bit_integers: 1 } as const

export interface Asking {
  deadlineAtMs: number
  signal: AbortSignal | undefined
}

/** One ClickHouse server, old or new, by HTTP. Knows whether it can be reached. */
export class Connection {
  readonly url: URL
  readonly database: string
  #client: Promise<ClickHouseClient> | null = null
  #away: string | null = null
  #looking: Promise<boolean> | null = null

  /** @param url `http://USER:PASSWORD@HOST:PORT/DATABASE` */
  constructor(url: string) {
    this.url = new URL(url)
    this.database = decodeURIComponent(this.url.pathname.slice(1)) || 'default'
  }

  get where(): string {
    return `${this.url.protocol}//${this.url.host}/${this.database}`
  }

  get away(): string | null {
    return this.#away
  }

  /** Whether it answers now; many that ask at once share the answer. */
  look(): Promise<boolean> {
    return (this.#looking ??= this.#ping().finally(() => (this.#looking = null)))
  }

  /** Rows of a SELECT. @throws SCUBA_DOWN, SCUBA_DEADLINE, SCUBA_SQL */
  async rows(sql: string, asking: Asking): Promise<unknown[][]> {
    return this.#ask(asking, async (client, signal, ms) => {
      const settings = { ...SETTINGS, max_execution_time: Math.max(1, Math.ceil(ms / 1000)) } as Record<string, number>
      const answer = await client.query({ query: sql, format: 'JSONCompact', clickhouse_settings: settings, abort_signal: signal })
      return (await answer.json<unknown[]>()).data
    })
  }

  /** A SELECT's rows as lines of JSON, as they come. Fails as {@link rows} does. */
  async lines<T>(sql: string, asking: Asking, take: (stream: Readable) => Promise<T>): Promise<T> {
    return this.#ask(asking, async (client, signal) => {
      const settings = { ...SETTINGS, output_format_json_quote_64bit_integers: 0 } as Record<string, number>
      const { stream } = await client.exec({ query: `${sql} FORMAT JSONEachRow`, clickhouse_settings: settings, abort_signal: signal })
      return take(stream)
    })
  }

  /** A statement without an answer. */
  async run(sql: string): Promise<void> {
    await this.#ask(slowly(), (client, signal) => client.command({ query: sql, abort_signal: signal }))
  }

  /** An INSERT whose rows follow; they are closed, also when nobody read them. */
  async insert(sql: string, rows: Readable): Promise<void> {
    // One that is not read, because nobody answers, may still fail later, when its file is gone: that must not end the process.
    rows.on('error', () => undefined)
    try {
      await this.#ask(slowly(), async (client, signal) => {
        const { stream } = await client.exec({ query: sql, values: rows, abort_signal: signal })
        for await (const _ of stream) continue
      })
    } finally {
      rows.destroy()
    }
  }

  async close(): Promise<void> {
    await (await this.#client)?.close()
  }

  async #ask<T>(asking: Asking, run: (client: ClickHouseClient, signal: AbortSignal, ms: number) => Promise<T>): Promise<T> {
    if (this.#away !== null) throw this.#isAway(null)
    const ms = Math.max(1, Math.round((asking.deadlineAtMs - Date.now()) * SHARE))
    // Its own limits are looked at late: a second's limit was seen to end after three.
    const late = AbortSignal.timeout(ms)
    try {
      return await run(await this.#open(), asking.signal ? AbortSignal.any([asking.signal, late]) : late, ms)
    } catch (error) {
      if (isRefusal(error)) throw error
      if (asking.signal?.aborted === true) throw refuse('SCUBA_DEADLINE', 'nobody waits for the answer any more', { cause: error })
      const code = codeOf(error)
      if (code !== null) throw refuse(CODES[code] ?? 'SCUBA_SQL', `ClickHouse refused: ${messageOf(error).slice(0, 500)}`, { cause: error })
      if (!(await this.look())) throw this.#isAway(error)
      if (late.aborted) throw refuse('SCUBA_DEADLINE', 'ClickHouse took longer than it may', { cause: error })
      throw refuse('SCUBA_DOWN', `ClickHouse broke off: ${messageOf(error)}`, { cause: error })
    }
  }

  #isAway(cause: unknown): MusterError {
    return refuse('SCUBA_DOWN', `ClickHouse at ${this.where} does not answer: ${this.#away ?? ''}`, { cause })
  }

  /** One late answer can be a busy machine: it is away after two in a row, or when it refuses. */
  async #ping(): Promise<boolean> {
    let failure: string | null = null
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const late = AbortSignal.timeout(PING_MS)
      try {
        const client = await this.#open()
        await (await client.query({ query: 'SELECT 1', format: 'JSONCompact', abort_signal: late })).json()
        failure = null
        break
      } catch (error) {
        failure = late.aborted ? `no answer within ${PING_MS / 1000} s, twice` : messageOf(error)
        if (!late.aborted) break
      }
    }
    this.#away = failure
    return failure === null
  }

  #open(): Promise<ClickHouseClient> {
    return (this.#client ??= (async () => {
      const { ClickHouseLogLevel, createClient } = await import('@clickhouse/client')
      return createClient({
        url: this.url.origin,
        username: decodeURIComponent(this.url.username) || 'default',
        password: decodeURIComponent(this.url.password),
        database: this.database,
        application: 'muster',
        keep_alive: { enabled: true, idle_socket_ttl: IDLE_MS },
        // Deadlines are set for each question.
        request_timeout: SEAL_MS + 10_000,
        max_open_connections: 16,
        log: { level: ClickHouseLogLevel.OFF },
      })
    })())
  }
}

/** Of its own codes: too slow, memory limit. */
const CODES: Readonly<Record<string, 'SCUBA_DEADLINE' | 'SCUBA_MEMORY'>> = { '159': 'SCUBA_DEADLINE', '241': 'SCUBA_MEMORY' }

/** For what may take as long as a seal. */
export const slowly = (): Asking => ({ deadlineAtMs: Date.now() + SEAL_MS / SHARE, signal: undefined })

const messageOf = (error: unknown): string => (error instanceof Error ? error.message || error.name : String(error))

/** Number of a server's own refusal; old ones give it within the text only. */
function codeOf(error: unknown): string | null {
  const { code } = error as { code?: unknown }
  if (typeof code === 'string' && /^\d+$/.test(code)) return code
  return /^Code: (\d+)/.exec(messageOf(error).trim())?.[1] ?? null
}
