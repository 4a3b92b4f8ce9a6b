import { LIMITS } from '../../../../core/scuba/limits.ts'
import { Travelled } from '../../../../core/scuba/travel.ts'
import { copyLine } from '../../../../core/scuba/pgwire/copy.ts'
import type { ClientMessage } from '../../../../core/scuba/pgwire/messages.ts'
import { parameterCount, parameterLiteral, parameterText } from '../../../../core/scuba/pgwire/parameters.ts'
import type { PgRefusal } from '../../../../core/scuba/pgwire/problem.ts'
import { unknownSetting, type SessionSettings } from '../../../../core/scuba/pgwire/settings.ts'
import { readStatements, type CopyFormat, type PgStatement } from '../../../../core/scuba/pgwire/statements.ts'
import { PG_TYPES } from '../../../../core/scuba/pgwire/types.ts'
import type { Format, PgField } from '../../../../core/scuba/pgwire/writer.ts'
import type { PgConnection } from './connection.ts'
import { formatsOf, newPortal, sqlOf, type Portal, type Prepared } from './portal.ts'
import { describeSelect, openSelect, type PgBackend, type PgRows } from './select.ts'

type Message<T extends ClientMessage['type']> = Extract<ClientMessage, { type: T }>

const TEXT_FIELD = (name: string): PgField => ({ name, type: PG_TYPES.text })
const SHOW_ALL_FIELDS = ['name', 'setting', 'description'].map(TEXT_FIELD)

/** Who is at the other end. */
export interface PgIdentity {
  user: string
  pid: number
  /** whose questions wait for each other, by any protocol */
  asker: string
}

/** One connection that has logged in: it answers messages until the client goes. */
export class PgSession {
  readonly #connection: PgConnection
  readonly #backend: PgBackend
  readonly #settings: SessionSettings
  readonly #identity: PgIdentity
  readonly #prepared = new Map<string, Prepared>()
  readonly #portals = new Map<string, Portal>()
  /** idle, in a transaction, in one that failed */
  #status: 'I' | 'T' | 'E' = 'I'
  /** an error of the extended protocol: everything until the next Sync is passed over */
  #isSkipping = false
  #running: AbortController | null = null
  #forget: NodeJS.Timeout | null = null

  constructor(connection: PgConnection, backend: PgBackend, settings: SessionSettings, identity: PgIdentity) {
    this.#connection = connection
    this.#backend = backend
    this.#settings = settings
    this.#identity = identity
  }

  /** Stops what runs; asked for by another connection. */
  cancel(): void {
    this.#running?.abort('user request')
  }

  /** Resolves when the connection is over; then nothing of it is left. */
  async serve(): Promise<void> {
    const { out, reader } = this.#connection
    reader.allow(LIMITS.pgMessageBytesMax)
    try {
      out.ready(this.#status)
      await this.#connection.flush()
      for (;;) {
        const message = await this.#connection.receive((bytes) => bytes.next())
        if (message === null || message.type === 'terminate') return
        if (message.type === 'broken') return await this.#connection.fail({ sqlState: '08P01', message: message.reason })
        if (this.#forget !== null) clearTimeout(this.#forget)
        await this.#answer(message)
        if ([...this.#portals.values()].some(({ rows }) => rows !== null)) this.#forgetLater()
      }
    } finally {
      if (this.#forget !== null) clearTimeout(this.#forget)
      for (const name of this.#portals.keys()) this.#closePortal(name)
      this.#connection.end()
    }
  }

  async #answer(message: ClientMessage): Promise<void> {
    const { out } = this.#connection
    if (message.type === 'sync') {
      this.#isSkipping = false
      return this.#ready()
    }
    if (message.type === 'query') {
      await this.#simple(message.sql)
      return this.#ready()
    }
    if (this.#isSkipping) return
    if (message.type === 'flush') return this.#connection.flush()
    const refusal = await this.#extended(message)
    if (refusal === null) return
    this.#isSkipping = true
    this.#fail(refusal)
    // A pipeline may have no Sync in it for long.
    if (out.length > LIMITS.pgWaitingBytesMax) await this.#connection.flush()
  }

  async #ready(): Promise<void> {
    if (this.#status === 'I') for (const [name, { isHeld }] of this.#portals) if (!isHeld) this.#closePortal(name)
    this.#connection.out.ready(this.#status)
    await this.#connection.flush()
  }

  #fail({ offset, ...refusal }: PgRefusal): void {
    this.#connection.out.problem({ severity: 'ERROR', ...refusal, position: offset === undefined ? undefined : offset + 1 })
    if (this.#status === 'T') this.#status = 'E'
  }

  async #simple(text: string): Promise<void> {
    const statements = readStatements(text)
    if (statements.length === 0) this.#connection.out.emptyQuery()
    for (const { statement, at } of statements) {
      const portal = newPortal(statement)
      const refusal = await this.#run(portal, 0, true).finally(() => portal.rows?.close())
      if (refusal === null) continue
      const isPlaced = refusal.offset !== undefined && statement.kind !== 'refused'
      return this.#fail(isPlaced ? { ...refusal, offset: (refusal.offset ?? 0) + at } : refusal)
    }
  }

  #extended(message: Exclude<ClientMessage, { type: 'sync' | 'query' | 'flush' }>): Promise<PgRefusal | null> | PgRefusal | null {
    switch (message.type) {
      case 'parse':
        return this.#parse(message)
      case 'bind':
        return this.#bind(message)
      case 'describe':
        return message.of === 'statement' ? this.#describeStatement(message.name) : this.#describePortal(message.name)
      case 'execute':
        return this.#execute(message)
      case 'close':
        if (message.of === 'statement') this.#prepared.delete(message.name)
        else this.#closePortal(message.name)
        this.#connection.out.closeComplete()
        return null
      default:
        return { sqlState: '08P01', message: `a message ${message.type} has no place here` }
    }
  }

  #parse({ name, sql, parameterTypes }: Message<'parse'>): PgRefusal | null {
    const [first, second] = readStatements(sql)
    if (second !== undefined) return { sqlState: '42601', message: 'cannot insert multiple commands into a prepared statement' }
    const statement: PgStatement = first?.statement ?? { kind: 'nothing', tag: '' }
    if (statement.kind === 'refused') return statement
    if (name !== '' && this.#prepared.has(name)) return { sqlState: '42P05', message: `prepared statement "${name}" already exists` }
    if (this.#prepared.size >= LIMITS.pgStatementsMax)
      return { sqlState: '54000', message: `a connection has at most ${LIMITS.pgStatementsMax} prepared statements`, hint: 'Close some.' }
    const count = Math.max(parameterTypes.length, parameterCount(sql))
    if (count > LIMITS.pgParametersMax)
      return { sqlState: '54000', message: `a statement has at most ${LIMITS.pgParametersMax} parameters` }
    this.#prepared.set(name, {
      statement,
      parameterTypes: Array.from({ length: count }, (_, index) => parameterTypes[index] ?? 0),
      fields: sqlOf(statement) === null ? fieldsWithoutEngine(statement) : undefined,
    })
    this.#connection.out.parseComplete()
    return null
  }

  async #bind({ portal, statement: name, formats, values, resultFormats }: Message<'bind'>): Promise<PgRefusal | null> {
    const prepared = this.#prepared.get(name)
    if (prepared === undefined) return noStatement(name)
    if (values.length !== prepared.parameterTypes.length)
      return {
        sqlState: '08P01',
        message: `${values.length} parameters were given, but prepared statement "${name}" has ${prepared.parameterTypes.length}`,
      }
    if (formats.length > 1 && formats.length !== values.length)
      return { sqlState: '08P01', message: `${formats.length} parameter formats were given for ${values.length} parameters` }
    const failure = prepared.parameterTypes.includes(0) ? await this.#describe(prepared) : null
    if (failure !== null) return failure
    const { parameterTypes } = prepared
    const literals: string[] = []
    for (const [index, value] of values.entries()) {
      const oid = parameterTypes[index] ?? 0
      const text = parameterText(oid, (formats.length === 1 ? formats[0] : formats[index]) ?? 0, value, index + 1)
      if (typeof text === 'object' && text !== null) return text
      literals.push(parameterLiteral(oid, text))
    }
    if (portal !== '' && this.#portals.has(portal)) return { sqlState: '42P03', message: `cursor "${portal}" already exists` }
    this.#closePortal(portal)
    if (this.#portals.size >= LIMITS.pgPortalsMax)
      return { sqlState: '54000', message: `a connection has at most ${LIMITS.pgPortalsMax} open cursors`, hint: 'Close some.' }
    this.#portals.set(portal, newPortal(prepared.statement, literals, resultFormats))
    this.#connection.out.bindComplete()
    return null
  }

  async #describeStatement(name: string): Promise<PgRefusal | null> {
    const prepared = this.#prepared.get(name)
    if (prepared === undefined) return noStatement(name)
    const failure = prepared.fields === undefined ? await this.#describe(prepared) : null
    if (failure !== null) return failure
    this.#connection.out.parameterDescription(prepared.parameterTypes)
    this.#rowDescription(prepared.statement, prepared.fields ?? null, [])
    return null
  }

  async #describePortal(name: string): Promise<PgRefusal | null> {
    const asked = this.#portals.get(name)?.statement
    const fetched = asked?.kind === 'fetch' ? asked.name : name
    const portal = this.#portals.get(fetched)
    if (portal === undefined) return noPortal(fetched)
    if (portal.statement.kind !== 'select') {
      this.#rowDescription(portal.statement, fieldsWithoutEngine(portal.statement), [])
      return null
    }
    const rows = await this.#open(portal)
    if ('sqlState' in rows) return rows
    const formats = formatsOf(portal.formats, rows.fields.length)
    if ('sqlState' in formats) return formats
    this.#rowDescription(portal.statement, rows.fields, formats)
    return null
  }

  /** COPY tells of its columns in its own way, DECLARE gives no rows. */
  #rowDescription({ kind }: PgStatement, fields: readonly PgField[] | null, formats: readonly Format[]): void {
    if (fields === null || kind === 'copy' || kind === 'declare') this.#connection.out.noData()
    else this.#connection.out.rowDescription(fields, formats)
  }

  async #execute({ portal: name, rowsMax }: Message<'execute'>): Promise<PgRefusal | null> {
    const portal = this.#portals.get(name)
    return portal === undefined ? noPortal(name) : this.#run(portal, rowsMax, false)
  }

  /** Fills in what is not known yet of a prepared SELECT. */
  async #describe(prepared: Prepared): Promise<PgRefusal | null> {
    const query = sqlOf(prepared.statement)
    if (query === null) {
      prepared.parameterTypes = prepared.parameterTypes.map((oid) => oid || PG_TYPES.text.oid)
      return null
    }
    const described = await describeSelect(this.#backend, this.#rewriteSession(), query.sql)
    if ('sqlState' in described) return described
    prepared.fields = described.fields
    prepared.parameterTypes = prepared.parameterTypes.map((oid, index) => oid || (described.parameterTypes[index] ?? PG_TYPES.text.oid))
    return null
  }

  /** Carries a statement out, or goes on with it. */
  async #run(portal: Portal, rowsMax: number, isSimple: boolean): Promise<PgRefusal | null> {
    const { statement } = portal
    if (this.#status === 'E' && !['commit', 'rollback', 'refused'].includes(statement.kind))
      return { sqlState: '25P02', message: 'current transaction is aborted, commands ignored until end of transaction block' }
    switch (statement.kind) {
      case 'refused':
        return statement
      case 'select':
      case 'copy':
        return this.#runSelect(portal, rowsMax, isSimple)
      case 'fetch':
      case 'move':
        return this.#runFetch(statement, isSimple)
      case 'declare':
        return this.#declare(statement)
      default:
        return this.#runLocal(statement, isSimple)
    }
  }

  /** What is answered without the engine. */
  #runLocal(
    statement: Exclude<PgStatement, { kind: 'refused' | 'select' | 'copy' | 'fetch' | 'move' | 'declare' }>,
    isSimple: boolean,
  ): PgRefusal | null {
    const { out } = this.#connection
    const warn = (sqlState: string, message: string): void => out.problem({ severity: 'WARNING', sqlState, message })
    switch (statement.kind) {
      case 'set': {
        const refusal = this.#set(statement.name, statement.value)
        if (refusal !== null) return refusal
        out.complete(statement.value === null ? 'RESET' : 'SET')
        return null
      }
      case 'reset-all':
        this.#settings.reset()
        out.complete('RESET')
        return null
      case 'show': {
        const value = this.#settings.get(statement.name)
        if (value === undefined) return unknownSetting(statement.name)
        this.#rows([TEXT_FIELD(statement.name)], [[value]], isSimple)
        out.complete('SHOW')
        return null
      }
      case 'show-all':
        this.#rows(SHOW_ALL_FIELDS, this.#settings.all(), isSimple)
        out.complete('SHOW')
        return null
      case 'begin':
        if (this.#status !== 'I') warn('25001', 'there is already a transaction in progress')
        else this.#status = 'T'
        out.complete(statement.tag)
        return null
      case 'commit':
      case 'rollback': {
        if (this.#status === 'I') warn('25P01', 'there is no transaction in progress')
        const tag = this.#status === 'E' ? 'ROLLBACK' : statement.tag
        this.#status = 'I'
        out.complete(tag)
        return null
      }
      case 'nothing':
        if (statement.tag === '') out.emptyQuery()
        else out.complete(statement.tag)
        return null
      case 'discard':
        this.#settings.reset()
        this.#prepared.clear()
        for (const name of this.#portals.keys()) this.#closePortal(name)
        out.complete(statement.tag)
        return null
      case 'deallocate':
        if (statement.name === null) this.#prepared.clear()
        else if (!this.#prepared.delete(statement.name)) return noStatement(statement.name)
        out.complete(statement.tag)
        return null
      case 'close':
        if (statement.name === null) for (const name of this.#portals.keys()) this.#closePortal(name)
        else if (this.#portals.has(statement.name)) this.#closePortal(statement.name)
        else return noPortal(statement.name)
        out.complete(statement.name === null ? 'CLOSE CURSOR ALL' : 'CLOSE CURSOR')
        return null
    }
  }

  #set(name: string, value: string | null): PgRefusal | null {
    if (value === null) {
      if (this.#settings.get(name) === undefined) return unknownSetting(name)
      this.#settings.reset(name)
      return null
    }
    const reported = this.#settings.set(name, value)
    if (typeof reported === 'object' && reported !== null) return reported
    if (reported !== null) this.#connection.out.parameterStatus(reported, this.#settings.get(reported) ?? '')
    return null
  }

  #rows(fields: readonly PgField[], rows: readonly (readonly (string | null)[])[], isSimple: boolean): void {
    if (isSimple) this.#connection.out.rowDescription(fields, [])
    for (const row of rows) this.#connection.out.dataRow(row, fields, [])
  }

  async #declare({ name, sql, isHeld }: Extract<PgStatement, { kind: 'declare' }>): Promise<PgRefusal | null> {
    if (this.#status === 'I' && !isHeld)
      return { sqlState: '25P01', message: 'DECLARE CURSOR can only be used in transaction blocks', hint: 'BEGIN first, or say WITH HOLD.' }
    if (this.#portals.has(name)) return { sqlState: '42P03', message: `cursor "${name}" already exists` }
    if (this.#portals.size >= LIMITS.pgPortalsMax)
      return { sqlState: '54000', message: `a connection has at most ${LIMITS.pgPortalsMax} open cursors`, hint: 'Close some.' }
    const portal = newPortal({ kind: 'select', sql }, [], [], isHeld)
    const rows = await this.#open(portal)
    if ('sqlState' in rows) return rows
    this.#portals.set(name, portal)
    this.#connection.out.complete('DECLARE CURSOR')
    return null
  }

  async #runFetch({ kind, name, rowsMax }: Extract<PgStatement, { kind: 'fetch' | 'move' }>, isSimple: boolean): Promise<PgRefusal | null> {
    const portal = this.#portals.get(name)
    if (portal === undefined) return noPortal(name)
    const { out } = this.#connection
    const rows = await this.#open(portal)
    if ('sqlState' in rows) return rows
    if (isSimple && kind === 'fetch') out.rowDescription(rows.fields, [])
    const sent = portal.sent
    const write = (row: (string | null)[]): void => (kind === 'fetch' ? out.dataRow(row, rows.fields, []) : undefined)
    const refusal = rowsMax === 0 ? null : await this.#send(portal, rows, rowsMax ?? Infinity, write)
    if (refusal !== null) return refusal
    out.complete(`${kind.toUpperCase()} ${portal.sent - sent}`)
    return null
  }

  /** Rows of a SELECT or a COPY, up to so many; 0 is all. */
  async #runSelect(portal: Portal, rowsMax: number, isSimple: boolean): Promise<PgRefusal | null> {
    const { out } = this.#connection
    const copy: CopyFormat | null = portal.statement.kind === 'copy' ? portal.statement.format : null
    const rows = await this.#open(portal)
    if ('sqlState' in rows) return rows
    const { fields } = rows
    const formats = formatsOf(portal.formats, fields.length)
    if ('sqlState' in formats) return formats
    if (copy !== null) {
      out.copyOut(fields.length)
      if (copy.hasHeader)
        out.copyData(
          copyLine(
            fields.map(({ name }) => name),
            copy,
          ),
        )
    } else if (isSimple) out.rowDescription(fields, formats)
    const before = portal.sent
    const write =
      copy === null
        ? (row: (string | null)[]): void => out.dataRow(row, fields, formats)
        : (row: (string | null)[]): void => out.copyData(copyLine(row, copy))
    const refusal = await this.#send(portal, rows, rowsMax === 0 || copy !== null ? Infinity : rowsMax, write)
    if (refusal !== null) return refusal
    if (!portal.isDone) {
      out.portalSuspended()
      return null
    }
    if (copy !== null) out.copyDone()
    out.complete(copy === null ? `SELECT ${portal.sent - before}` : `COPY ${portal.sent}`)
    return null
  }

  /** Begins the portal's statement, unless that was done. */
  async #open(portal: Portal): Promise<PgRows | PgRefusal> {
    if (portal.rows !== null) return portal.rows
    const query = sqlOf(portal.statement)
    if (query === null) return { sqlState: '34000', message: 'the statement gives no rows' }
    if (portal.isDone) return { sqlState: '55000', message: 'the cursor was closed because it waited too long' }
    const opened = await this.#cancellable((signal) =>
      openSelect(
        this.#backend,
        this.#rewriteSession(),
        query.sql,
        {
          literals: portal.literals,
          asker: { user: this.#identity.asker, isUrgent: false },
          deadlineMs: this.#settings.statementTimeoutMs,
          isPartialGood: this.#settings.isPartialGood,
        },
        signal,
      ),
    )
    if ('sqlState' in opened) return opened
    portal.rows = opened
    for (const missing of opened.missing)
      this.#connection.out.problem({ severity: 'NOTICE', sqlState: '01000', message: `the answer is incomplete: ${missing}` })
    return opened
  }

  /** Writes up to so many rows, no faster than the client takes them. */
  async #send(portal: Portal, rows: PgRows, rowsMax: number, write: (row: (string | null)[]) => void): Promise<PgRefusal | null> {
    const travelled = new Travelled()
    for (let left = rowsMax; left > 0;) {
      if (!this.#connection.isOpen) return gone()
      const batch = await this.#cancellable((signal) => rows.next(left, this.#settings.statementTimeoutMs, signal))
      if ('sqlState' in batch) return batch
      if (batch.length === 0) {
        portal.isDone = true
        return null
      }
      for (const row of batch) travelled.add(row)
      const tooMuch = travelled.tooMuch()
      if (tooMuch !== null) return { sqlState: '54000', message: tooMuch, hint: 'Group, add a LIMIT, or read it by parts with a cursor.' }
      for (const row of batch) write(row)
      portal.sent += batch.length
      left -= batch.length
      const stopped = await this.#cancellable(async () => (await this.#connection.flush(), null))
      if (stopped !== null) return stopped
    }
    return null
  }

  /** What can be stopped by a cancel request, and is when the client goes. */
  async #cancellable<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | PgRefusal> {
    const running = new AbortController()
    this.#running = running
    const { signal } = this.#connection.gone
    const stop = (): void => running.abort('gone')
    signal.addEventListener('abort', stop, { once: true })
    try {
      const result = await work(running.signal)
      if (!running.signal.aborted) return result
      if (typeof result === 'object' && result !== null && 'close' in result) (result as unknown as PgRows).close()
      return gone(running.signal.reason === 'user request')
    } finally {
      signal.removeEventListener('abort', stop)
      this.#running = null
    }
  }

  #rewriteSession(): { user: string; pid: number; setting: (name: string) => string | undefined } {
    return { ...this.#identity, setting: (name) => this.#settings.get(name) }
  }

  #closePortal(name: string): void {
    this.#portals.get(name)?.rows?.close()
    this.#portals.delete(name)
  }

  /** Files and the engine are not kept for a client that does not come back for the rest. */
  #forgetLater(): void {
    this.#forget = setTimeout(() => {
      for (const portal of this.#portals.values()) {
        portal.rows?.close()
        portal.rows = null
        portal.isDone = true
      }
    }, LIMITS.pgPortalIdleMs)
    this.#forget.unref()
  }
}

const noStatement = (name: string): PgRefusal => ({ sqlState: '26000', message: `prepared statement "${name}" does not exist` })
const noPortal = (name: string): PgRefusal => ({ sqlState: '34000', message: `cursor "${name}" does not exist` })
const gone = (isAsked = false): PgRefusal => ({
  sqlState: '57014',
  message: isAsked ? 'canceling statement due to user request' : 'the client is gone',
})

/** null: no rows */
function fieldsWithoutEngine(statement: PgStatement): PgField[] | null {
  if (statement.kind === 'show') return [TEXT_FIELD(statement.name)]
  return statement.kind === 'show-all' ? SHOW_ALL_FIELDS : null
}
