import { rmSync } from 'node:fs'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import type { EngineStatement } from '../../core/scuba/engine-protocol.ts'
import { quoteName, quoteText } from '../../core/scuba/names.ts'
import { COPIED } from '../../core/scuba/plan/view.ts'

type Copies = NonNullable<EngineStatement['copies']>

interface Attached {
  users: number
  ready: Promise<void>
  /** nobody will ask for it: it is detached by its last user */
  isForgotten: boolean
}

/** Databases that stay attached while nobody reads them; each is an open file and some hundred KiB. */
const IDLE_MAX = 256
/** Of the rows: so many texts are few. */
const FEW_SHARE = 0.25

/** Native copies, as databases of an engine: each is attached when it is first asked for, those that were not asked for longest are detached. */
export class EngineCopies {
  readonly #instance: DuckDBInstance
  /** by name, the one that was used last at the end */
  readonly #attached = new Map<string, Attached>()
  readonly #detaching = new Map<string, Promise<void>>()
  readonly #idleMax: number
  #made = 0

  constructor(instance: DuckDBInstance, idleMax = IDLE_MAX) {
    this.#instance = instance
    this.#idleMax = idleMax
  }

  /** Attaches what is not. They stay so until what it gives is called. @throws when one of them cannot be opened */
  async use(copies: Copies): Promise<() => void> {
    const names = copies.map(({ name }) => name)
    const used = copies.map((copy) => this.#attach(copy))
    const release = (): void => {
      for (const held of used) held.users -= 1
      this.#detachIdle(names)
    }
    const outcomes = await Promise.allSettled(used.map(({ ready }) => ready))
    const failed = outcomes.find(({ status }) => status === 'rejected')
    if (failed?.status !== 'rejected') return release
    release()
    throw failed.reason
  }

  #attach({ name, path }: Copies[number]): Attached {
    const known = this.#attached.get(name)
    this.#attached.delete(name)
    const attached: Attached = known ?? {
      users: 0,
      isForgotten: false,
      ready: (this.#detaching.get(name) ?? Promise.resolve()).then(() =>
        this.#run(`ATTACH ${quoteText(path)} AS ${quoteName(name)} (READ_ONLY)`),
      ),
    }
    attached.users += 1
    this.#attached.set(name, attached)
    if (!known) attached.ready.catch(() => this.#attached.get(name) === attached && this.#attached.delete(name))
    return attached
  }

  /** Their files are about to go. */
  forget(names: readonly string[]): void {
    for (const name of names) {
      const attached = this.#attached.get(name)
      if (attached) attached.isForgotten = true
    }
    this.#detachIdle(names)
  }

  #detachIdle(names: readonly string[]): void {
    for (const name of names) if (this.#attached.get(name)?.isForgotten === true) this.#detach(name)
    for (const [name] of this.#attached) {
      if (this.#attached.size <= this.#idleMax) return
      this.#detach(name)
    }
  }

  #detach(name: string): void {
    if (this.#attached.get(name)?.users !== 0) return
    this.#attached.delete(name)
    // It may not have been attached at all; what cannot be detached stays an open file.
    const over = this.#run(`DETACH DATABASE IF EXISTS ${quoteName(name)}`).catch(() => undefined)
    this.#detaching.set(name, over)
    void over.then(() => this.#detaching.get(name) === over && this.#detaching.delete(name))
  }

  /**
   * Makes a database of a SELECT's rows.
   * @returns how many there are, and the names of texts with so many values that each is kept by itself
   */
  async make(connection: DuckDBConnection, sql: string, path: string): Promise<{ rows: number; manyValued: string[] }> {
    const name = `muster_made_${(this.#made += 1)}`
    // Of an attempt during which an engine died.
    for (const file of [path, `${path}.wal`]) rmSync(file, { force: true })
    await connection.run(`ATTACH ${quoteText(path)} AS ${name}`)
    try {
      await connection.run(`CREATE TABLE ${name}.${COPIED} AS ${sql}`)
      await connection.run(`CHECKPOINT ${name}`)
      const stored = await connection.runAndReadAll(
        `SELECT DISTINCT column_name FROM pragma_storage_info('${name}.${COPIED}') WHERE segment_type = 'VARCHAR' AND compression IN ('FSST', 'ZSTD')`,
      )
      const texts = stored.getRows().map(([column]) => String(column))
      const counts = ['count(*)', ...texts.map((text) => `count(${quoteName(text)})`)].join(', ')
      const counted = await connection.runAndReadAll(`SELECT ${counts} FROM ${name}.${COPIED}`)
      const [rows = 0, ...values] = (counted.getRows()[0] ?? []).map(Number)
      // Where few rows have a text it costs little, however it is kept.
      return { rows, manyValued: texts.filter((_text, at) => (values[at] ?? 0) > rows * FEW_SHARE) }
    } finally {
      await connection.run(`DETACH ${name}`)
    }
  }

  /** By a connection of its own: no deadline of a question that wants them, too, may stop it. */
  async #run(sql: string): Promise<void> {
    const connection = await this.#instance.connect()
    try {
      await connection.run(sql)
    } finally {
      connection.disconnectSync()
    }
  }
}
