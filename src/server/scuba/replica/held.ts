import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { refuse } from '../../../core/kernel/errors.ts'
import type { HeldCopy } from '../../../core/scuba/observed.ts'
import { decodeRecord, type JournalRecord } from '../../../core/scuba/wal/record.ts'
import { replaceFileDurably, writeDurably } from '../../../platform/files.ts'
import type { Logger } from '../../../platform/logger.ts'
import { Journal } from '../leaf/journal.ts'
import { Keys, type KnownKey } from '../leaf/keys.ts'
import { copySchema, type BatchesHead, type Copy, type CopyAnswer } from './wire.ts'

const STATE = 'copy.json'

/**
 * A copy of another leaf's rows, in `replica/LEAF/`: `copy.json` says which segments it has and up to which batch they go, the journal holds the
 * batches after that as they came in, `keys.ndjson` their keys. Each session has a journal of its own: when it begins, all batches before
 * it are in segments. Nothing of it is in an answer.
 */
export class Held {
  readonly of: string
  readonly dir: string
  readonly keys: Keys
  readonly #log: Logger
  #copy: Copy | null = null
  #journal: Journal | null = null
  #seq = 0
  #keysMs = 0
  #turn: Promise<unknown> = Promise.resolve()

  constructor(dir: string, of: string, log: Logger) {
    this.dir = dir
    this.of = of
    this.#log = log
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
      if (isNew) {
        await this.#journal?.close()
        this.#seq = 0
        this.#open(copy)
      } else {
        await this.#journal?.roll()
        await this.#journal?.trim((table, seq) => seq <= (copy.tables[table]?.throughSeq ?? Infinity))
      }
      const named = new Set(segments.map(({ file }) => file))
      for (const file of readdirSync(join(this.dir, 'segments'))) if (!named.has(file)) await unlink(this.segmentPath(file))
      return this.answer()
    })
  }

  /** Every batch that is in no segment, oldest first. Nothing is taken in any more. */
  async batches(each: (record: JournalRecord) => Promise<void>): Promise<void> {
    const copy = this.#copy
    if (copy === null) return
    await this.#inTurn(async () => {
      await this.#journal?.close()
      this.#journal = null
    })
    const records: JournalRecord[] = []
    new Journal(this.#journalDir(copy), this.#log).replay((record) => {
      if (record.header.seq > (copy.tables[record.header.table]?.throughSeq ?? 0)) records.push(record)
    })
    for (const record of records) await each(record)
  }

  async remove(): Promise<void> {
    await this.#inTurn(async () => {
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
    this.#journal = new Journal(this.#journalDir(copy), this.#log)
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
