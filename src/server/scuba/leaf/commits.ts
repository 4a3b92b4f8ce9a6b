import { refuse, type MusterError } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { OWN_SHARE } from '../../../core/scuba/seal/pressure.ts'
import type { JournalHeader, RawPlace } from '../../../core/scuba/wal/record.ts'
import type { CommitLevel } from '../../../core/scuba/wire-types.ts'
import { isDiskFull } from '../../../platform/files.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { Batch } from './batch.ts'
import type { Journal } from './journal.ts'
import type { Keys } from './keys.ts'
import type { RawBatch } from './raw-chunks.ts'
import type { TableTail } from './table.ts'

const NOTHING = new Uint8Array(0)
/** Rows that were acknowledged from memory are synced after this time. */
const LAZY_SYNC_MS = 1000

export type ParsedBatch = Pick<Batch, 'payload' | 'rows' | 'minUs' | 'maxUs' | 'hours' | 'live'>

/** A batch on its way into the journal. */
interface Waiting {
  table: TableTail
  batch: ParsedBatch | RawBatch
  atMs: number
  key: JournalHeader['key']
  ack: CommitLevel
  /** told of its number in the order of commits, in the same turn in which its rows become visible */
  onCommit: ((seq: number) => void) | undefined
  done: (error?: unknown) => void
}

/**
 * The group commit of a leaf: batches of all tables go out with one write and one sync, in the order of their numbers. Everything that
 * changes files of rows takes its turn here.
 */
export class Commits {
  /** of the newest batch */
  seq = 0
  readonly #journal: Journal
  readonly #keys: Keys
  readonly #log: Logger
  readonly #onVisible: (table: TableTail, batch: ParsedBatch, seq: number, atMs: number) => void
  #turn: Promise<void> = Promise.resolve()
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #isCommitting = false
  #lazyCommit: NodeJS.Timeout | null = null
  #failedWrites = 0
  #isReadOnly = false
  #unsyncedSince = 0

  /** @param onVisible told of parsed rows that are in the journal, and are to be seen from now on */
  constructor(
    journal: Journal,
    keys: Keys,
    log: Logger,
    onVisible: (table: TableTail, batch: ParsedBatch, seq: number, atMs: number) => void,
  ) {
    this.#journal = journal
    this.#keys = keys
    this.#log = log
    this.#onVisible = onVisible
  }

  /** Two writes in a row failed: nothing is written any more. */
  get isReadOnly(): boolean {
    return this.#isReadOnly
  }

  /** Whether so many bytes more may wait; the last part of the room is for muster's own. @throws SCUBA_BUSY */
  checkRoom(bytes: number, isOwn: boolean): void {
    if (this.#waitingBytes + bytes > LIMITS.waitingBytesMax * (isOwn ? 1 : 1 - OWN_SHARE))
      throw busy('too many rows are waiting to be written', 1000)
  }

  /** Counts what a request holds in memory before its rows wait; gives what ends it. @throws SCUBA_BUSY */
  reserve(bytes: number, isOwn: boolean): () => void {
    this.checkRoom(bytes, isOwn)
    this.#waitingBytes += bytes
    return () => void (this.#waitingBytes -= bytes)
  }

  /** Syncs what was acknowledged from memory a while ago. Called each second. */
  async tick(tails: Iterable<TableTail>): Promise<void> {
    if (this.#unsyncedSince === 0 || Date.now() - this.#unsyncedSince <= LAZY_SYNC_MS) return
    this.#unsyncedSince = 0
    await this.inTurn(async () => {
      for (const tail of tails) await tail.raw.sync()
      await this.#journal.sync()
    })
  }

  /** Commits what waits. */
  async drain(): Promise<void> {
    while (this.#waiting.length > 0 || this.#isCommitting) {
      if (!this.#isCommitting) void this.#commit()
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  /** Resolves when the batch is in, by its level of acknowledgement as it was asked. */
  add(
    table: TableTail,
    batch: Waiting['batch'],
    atMs: number,
    key: JournalHeader['key'],
    ack: CommitLevel,
    onCommit?: Waiting['onCommit'],
  ): Promise<void> {
    const bytes = 'payload' in batch ? batch.payload.length : batch.parts.reduce((sum, { length }) => sum + length, 0)
    this.#waitingBytes += bytes
    return new Promise((resolve, reject) => {
      const done = (error?: unknown): void => {
        this.#waitingBytes -= bytes
        if (error === undefined) resolve()
        else reject(error)
      }
      this.#waiting.push({ table, batch, atMs, key, ack, onCommit, done })
      if (ack === 'fsync') void this.#commit()
      else this.#lazyCommit ??= setTimeout(() => void this.#commit(), 250)
    })
  }

  /** The group commit: everything that waits goes out with one write and one sync; what comes meanwhile is the next group. */
  async #commit(): Promise<void> {
    if (this.#lazyCommit) clearTimeout(this.#lazyCommit)
    this.#lazyCommit = null
    if (this.#isCommitting) return
    this.#isCommitting = true
    try {
      while (this.#waiting.length > 0) {
        await this.inTurn(async () => {
          const group = this.#waiting
          this.#waiting = []
          await this.#commitGroup(group)
        })
      }
    } finally {
      this.#isCommitting = false
    }
  }

  /** One after the other: commits, and the closing of chunks between them. */
  inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(run)
    this.#turn = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  async #commitGroup(all: Waiting[]): Promise<void> {
    const isSynced = all.some(({ ack }) => ack === 'fsync')
    const { good: group, places } = await this.#writeRaw(all, isSynced)
    if (group.length === 0) return
    const versions = new Map<TableTail, number>()
    const records = group.map((waiting) => {
      const { table, batch, atMs, key } = waiting
      const place = places.get(waiting)
      const header: JournalHeader = {
        seq: place?.seq ?? (this.seq += 1),
        table: table.name,
        rows: batch.rows,
        minUs: batch.rows > 0 ? batch.minUs : 0,
        maxUs: batch.maxUs,
        at: atMs,
      }
      if ((versions.get(table) ?? table.journaledVersion) !== table.columns.version) header.columns = table.columns.toJSON()
      versions.set(table, table.columns.version)
      if (key) header.key = key
      if (place) header.raw = place.place
      return { header, payload: 'payload' in batch ? batch.payload : NOTHING }
    })
    try {
      await this.#journal.append(records, isSynced)
    } catch (error) {
      for (const table of new Set([...places.keys()].map((waiting) => waiting.table))) table.chunks.push(...(await table.raw.giveUp()))
      const refusal = this.#writeFailed('the journal', error)
      for (const { done } of group) done(refusal)
      return
    }
    this.#failedWrites = 0
    this.#unsyncedSince = isSynced ? 0 : this.#unsyncedSince || Date.now()
    for (const [table, version] of versions) table.journaledVersion = version
    for (const [index, waiting] of group.entries()) {
      const { table, batch, atMs, key, onCommit, done } = waiting
      const header = records[index]?.header
      const seq = header?.seq ?? 0
      if (key) this.#keys.put(table.name, key.key, { digest: key.digest, accepted: batch.rows, quarantined: key.quarantined, at: atMs })
      if (!('payload' in batch)) {
        table.isGone = false
        if (header?.raw) table.raw.accept(batch, header.raw, seq)
      } else if (batch.rows > 0) {
        this.#onVisible(table, batch, seq, atMs)
      }
      onCommit?.(seq)
      done()
    }
  }

  /**
   * Writes the raw batches of a group into their chunks and syncs these: before the journal says where they are, so that whatever
   * it says is there. Batches for which that fails are told so; the rest of the group goes on.
   */
  async #writeRaw(
    group: Waiting[],
    isSynced: boolean,
  ): Promise<{ good: Waiting[]; places: Map<Waiting, { place: RawPlace; seq: number }> }> {
    const places = new Map<Waiting, { place: RawPlace; seq: number }>()
    const failed = new Map<TableTail, unknown>()
    const raw = group.filter(({ batch }) => !('payload' in batch))
    const now = Date.now()
    for (const table of new Set(raw.map((waiting) => waiting.table))) table.chunks.push(...(await table.raw.beginGroup(now)))
    for (const waiting of raw) {
      const { table, batch, atMs } = waiting
      if ('payload' in batch || failed.has(table)) continue
      const seq = (this.seq += 1)
      try {
        places.set(waiting, { place: await table.raw.write(batch, seq, atMs), seq })
      } catch (error) {
        failed.set(table, error)
      }
    }
    for (const table of isSynced ? new Set(raw.map((waiting) => waiting.table)) : [])
      if (!failed.has(table)) await table.raw.sync().catch((error: unknown) => failed.set(table, error))
    const refusals = new Map<TableTail, MusterError>()
    for (const [table, error] of failed) {
      refusals.set(table, this.#writeFailed('a chunk', error))
      table.chunks.push(...(await table.raw.giveUp()))
    }
    const good = group.filter((waiting) => {
      if ('payload' in waiting.batch || !failed.has(waiting.table)) return true
      places.delete(waiting)
      waiting.done(refusals.get(waiting.table))
      return false
    })
    return { good, places }
  }

  /** What to say to senders whose rows could not be written. After a second failure in a row nothing is written any more. */
  #writeFailed(what: string, error: unknown): MusterError {
    if (isDiskFull(error)) return diskFull(error)
    this.#failedWrites += 1
    this.#isReadOnly ||= this.#failedWrites > 1
    this.#log.error('rows could not be written', { what, error: String(error), isReadOnly: this.#isReadOnly })
    return refuse('SCUBA_DOWN', `${what} could not be written: ${(error as Error).message}`, { cause: error })
  }
}

export function busy(why: string, retryAfterMs: number): MusterError {
  return refuse('SCUBA_BUSY', `${why}; send again in ${Math.ceil(retryAfterMs / 1000)} s`, { details: { retryAfterMs } })
}

export function diskFull(cause?: unknown): MusterError {
  return refuse('SCUBA_DISK_FULL', 'the disk of the store is full; the rows were not accepted', { cause })
}
