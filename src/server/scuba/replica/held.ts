import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { refuse } from '../../../core/kernel/errors.ts'
import type { HeldCopy } from '../../../core/scuba/observed.ts'
import { decodeRecord, type JournalRecord } from '../../../core/scuba/wal/record.ts'
import { replaceFileDurably, writeDurably } from '../../../platform/files.ts'
import { Journal } from '../leaf/journal.ts'
import { Keys, type KnownKey } from '../leaf/keys.ts'
import type { Store } from '../leaf/store.ts'
import { HeldRows } from './held-rows.ts'
import { copySchema, type BatchesHead, type Copy, type CopyAnswer } from './wire.ts'

const STATE = 'copy.json'
/** So long its batches stay readable after somebody asked for them. */
const ROWS_IDLE_MS = 60_000

/**
 * A copy of another leaf's rows, in `replica/LEAF/`: `copy.json` says which segments it has and up to which batch they go, the journal holds the
 * batches after that as they came in, `keys.ndjson` their keys. Each session has a journal of its own: when it begins, all batches before
 * it are in segments. It is in an answer only in place of that leaf (`read-held.ts`).
 */
export class Held {
  readonly of: string
  readonly dir: string
  readonly keys: Keys
  readonly #store: Store
  #copy: Copy | null = null
  #journal: Journal | null = null
  #seq = 0
  #keysMs = 0
  #rows: HeldRows | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(dir: string, of: string, store: Store) {
    this.dir = dir
    this.of = of
    this.#store = store
    for (const folder of ['segments', 'journal']) mkdirSync(join(dir, folder), { recursive: true, mode: 0o700 })
    this.keys = new Keys(join(dir, 'keys.ndjson'))
    this.keys.load(Date.now())
    if (!existsSync(join(dir, STATE))) return
    this.#copy = copySchema.parse(JSON.parse(readFileSync(join(dir, STATE), 'utf8')))
    this.#open(this.#copy)
  }

  /** null: nothing is whole yet */
  get copy(): Copy | null {
    return this.#copy
  }

  answer(): CopyAnswer {
    return { session: this.#copy?.session ?? null, seq: this.#seq, keysMs: this.#keysMs, files: readdirSync(join(this.dir, 'segments')) }
  }

  observed(): HeldCopy {
    const tables = Object.values(this.#copy?.tables ?? {})
    const segments = tables.flatMap((table) => table.segments)
    return {
      ...{ of: this.of, seq: this.#seq, epochs: this.#copy?.epochs ?? {} },
      ...{ segments: segments.length, rows: segments.reduce((sum, { rows }) => sum + rows, 0) },
    }
  }

  /** Keeps batches; they are on disk when it resolves. Those that do not follow the last one are left out, and the answer shows it. */
  take({ session, after }: BatchesHead, bytes: Uint8Array): Promise<CopyAnswer> {
    return this.#inTurn(async () => {
      const journal = this.#journal
      if (!journal || session !== this.#copy?.session || after !== this.#seq || bytes.length === 0) return this.answer()
      const records: JournalRecord[] = []
      let offset = 0
      for (let record = decodeRecord(bytes, 0, crc32); record; record = decodeRecord(bytes, offset, crc32)) {
        records.push(record)
        offset = record.end
      }
      if (offset !== bytes.length) throw refuse('USAGE', 'a batch of the copy is not what was sent')
      await journal.append(records, true)
      for (const record of records) this.#took(record)
      if (this.#rows?.wait(records) === true) this.#endRows()
      return this.answer()
    })
  }

  /** Keeps a segment's file once it is seen to be what the other leaf wrote. It counts when {@link settle} names it. */
  async putSegment(file: string, sha256: string, bytes: Uint8Array): Promise<void> {
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) throw refuse('USAGE', `segment ${file} is not what was written`)
    await writeDurably(this.segmentPath(file), bytes, join(this.dir, `${file}.new`))
  }

  /** A segment's bytes; null: it has none of that name. */
  async segment(file: string): Promise<Buffer | null> {
    return readFile(this.segmentPath(file)).catch(() => null)
  }

  segmentPath(file: string): string {
    return join(this.dir, 'segments', file)
  }

  /** The copy is this from now on: what it does not name goes. @throws USAGE when a segment that it names is not there */
  settle(copy: Copy, keys: readonly (readonly [string, string, KnownKey])[]): Promise<CopyAnswer> {
    return this.#inTurn(async () => {
      const segments = Object.values(copy.tables).flatMap((table) => table.segments)
      const absent = segments.find(({ file, bytes }) => statSync(this.segmentPath(file), { throwIfNoEntry: false })?.size !== bytes)
      if (absent) throw refuse('USAGE', `segment ${absent.file} is not there`)
      for (const [table, key, known] of keys) {
        this.keys.put(table, key, known)
        this.#keysMs = Math.max(this.#keysMs, known.at)
      }
      // Before their batches go, and before it counts that they are in segments.
      await this.keys.save()
      const isNew = copy.session !== this.#copy?.session
      replaceFileDurably(join(this.dir, STATE), JSON.stringify(copy))
      this.#copy = copy
      this.#endRows()
      if (isNew) {
        await this.#journal?.close()
        this.#seq = 0
        this.#open(copy)
      } else {
        await this.#journal?.roll()
        await this.#journal?.trim((table, seq) => seq <= (copy.tables[table]?.throughSeq ?? Infinity))
      }
      const named = new Set(segments.map(({ file }) => file))
      const unnamed = readdirSync(join(this.dir, 'segments')).filter((file) => !named.has(file))
      this.#store.discard(unnamed.map((file) => this.segmentPath(file)))
      return this.answer()
    })
  }

  /** Nothing is taken in any more. Gives the number of the newest batch that is there. */
  freeze(): Promise<number> {
    return this.#inTurn(async () => {
      this.#endRows()
      await this.#journal?.close()
      this.#journal = null
      return this.#seq
    })
  }

  /** Every batch that is in no segment, oldest first. */
  async batches(each: (record: JournalRecord) => Promise<void>): Promise<void> {
    if (this.#copy === null) return
    for (const record of this.#unsealed(this.#copy)) await each(record)
  }

  /** The state of now, and what it has in batches, for an engine to read. null: there is none */
  rows(): Promise<{ rows: HeldRows; seq: number } | null> {
    return this.#inTurn(async () => {
      if (this.#copy === null || this.#journal === null) return null
      this.#rows ??= new HeldRows(this.#store, this.#copy, this.#unsealed(this.#copy))
      return { rows: this.#rows, seq: this.#seq }
    })
  }

  /** Lets go of what nobody asked for in the last minute. Called each second. */
  tick(): void {
    if (this.#rows !== null && performance.now() - this.#rows.usedAtMs > ROWS_IDLE_MS) this.#endRows()
  }

  #endRows(): void {
    this.#rows?.end()
    this.#rows = null
  }

  /** Read in turn: no batch is being written then. */
  #unsealed(copy: Copy): JournalRecord[] {
    const records: JournalRecord[] = []
    new Journal(this.#journalDir(copy), this.#store.log).replay((record) => {
      if (record.header.seq > (copy.tables[record.header.table]?.throughSeq ?? 0)) records.push(record)
    })
    return records
  }

  async remove(): Promise<void> {
    await this.#inTurn(async () => {
      this.#endRows()
      await this.#journal?.close()
      this.#journal = null
      this.#copy = null
      rmSync(this.dir, { recursive: true, force: true })
    })
  }

  close(): Promise<void> {
    return this.#inTurn(async () => this.#journal?.close())
  }

  #journalDir({ session }: Copy): string {
    return join(this.dir, 'journal', session)
  }

  #open(copy: Copy): void {
    for (const name of readdirSync(join(this.dir, 'journal')))
      if (name !== copy.session) rmSync(join(this.dir, 'journal', name), { recursive: true, force: true })
    this.#seq = Math.max(this.#seq, copy.seq)
    this.#journal = new Journal(this.#journalDir(copy), this.#store.log)
    this.#journal.replay((record) => this.#took(record))
  }

  #took({ header: { seq, table, rows, at, key } }: JournalRecord): void {
    this.#seq = Math.max(this.#seq, seq)
    if (!key) return
    this.keys.put(table, key.key, { digest: key.digest, accepted: rows, quarantined: key.quarantined, at })
    this.#keysMs = Math.max(this.#keysMs, at)
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(run)
    this.#turn = done.catch(() => undefined)
    return done
  }
}
