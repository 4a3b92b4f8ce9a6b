import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { refuse } from '../../../core/kernel/errors.ts'
import { BOUNDS, LIMITS, type Bounds } from '../../../core/scuba/limits.ts'
import { LiveAggregate, liveEvent, type LiveEvent } from '../../../core/scuba/live/aggregate.ts'
import { TaskAggregates } from '../../../core/scuba/live/by-task.ts'
import { shapeOf } from '../../../core/scuba/declared/shape.ts'
import { SAMPLES_TABLE } from '../../../core/scuba/decode/rows.ts'
import { isOwnTable, isTableName, LIVE_TABLE, nearNames } from '../../../core/scuba/names.ts'
import { viewFileAt, type ViewFile } from '../../../core/scuba/plan/view.ts'
import { QUARANTINE_TABLE } from '../../../core/scuba/quarantine.ts'
import type { ColumnTypes } from '../../../core/scuba/rows/columns.ts'
import { Senders } from '../../../core/scuba/rows/senders.ts'
import { retentionDefault, type RetentionPolicy } from '../../../core/scuba/retention/policy.ts'
import { mayBeAway, placeOf } from '../../../core/scuba/clickhouse/place.ts'
import { diskLevel, isFullForOwn, type DiskLevel } from '../../../core/scuba/seal/pressure.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import type { JournalHeader, JournalRecord } from '../../../core/scuba/wal/record.ts'
import type { AckLevel, CommitLevel, Receipt, TableInfo } from '../../../core/scuba/wire-types.ts'
import { sideOf } from '../../../core/scuba/plan/retyped.ts'
import { isReplicated } from '../../../core/scuba/registry.ts'
import type { Peers } from '../aggregate/peers.ts'
import type { Copies } from '../replica/copies.ts'
import type { DerivedColumns } from './derived.ts'
import type { Logger } from '../../../platform/logger.ts'
import { parseBatch, type Batch } from './batch.ts'
import { busy, Commits, diskFull, type ParsedBatch } from './commits.ts'
import { IngestCounts } from './ingest-counts.ts'
import { Journal } from './journal.ts'
import { rawBatch, type Stored } from './raw-batch.ts'
import { sampleLines } from './recent-samples.ts'
import { Quotas } from './quotas.ts'
import { RawRecovery } from './raw-recovery.ts'
import { Keys } from './keys.ts'
import { ManifestFile } from './manifest-file.ts'
import { badLines, duplicateReceipt } from './receipts.ts'
import { RegistryFile } from './registry-file.ts'
import type { SegmentStore } from './segment-store.ts'
import { TableTail } from './table.ts'
import { Trash } from './trash.ts'

/** Known from the first line on, so that a question may name them. */
const QUARANTINE_COLUMNS: ColumnTypes = {
  id: 'VARCHAR',
  table: 'VARCHAR',
  line: 'BIGINT',
  reason: 'VARCHAR',
  text: 'VARCHAR',
  cut: 'BOOLEAN',
  key: 'VARCHAR',
}

const DISK_WORDS: Record<DiskLevel, string> = {
  ok: 'disk has room again',
  warn: 'disk is 80 % full',
  evict: 'disk is 90 % full: the oldest rows go early',
  full: 'disk is full: rows are refused',
}

const ALL_GOOD: Pick<Batch, 'quarantined' | 'quarantinedCount' | 'warned' | 'warnings'> = {
  quarantined: [],
  quarantinedCount: 0,
  warned: 0,
  warnings: [],
}

/**
 * The store of one leaf: what came in (journal, open rows, chunks), what is sealed (segments, by the manifest), and the
 * order in which they change. Never touches the engine; see `sealer.ts` for that.
 */
export class Store {
  readonly dir: string
  readonly log: Logger
  bounds: Bounds = BOUNDS
  readonly live = new LiveAggregate()
  readonly liveTasks = new TaskAggregates()
  /** a journal file was broken in its middle: rows may be missing */
  hasDamage = false
  /** how long senders are to wait because of what is not sealed, ms; the sealer says it */
  backlogWaitMs: () => number = () => 0
  /** told of files that are no longer part of any table */
  onDiscard: (paths: readonly string[]) => void = () => undefined
  readonly journal: Journal
  readonly keys: Keys
  /** whose clocks are off */
  readonly senders = new Senders()
  /** what the server declared */
  readonly registry: RegistryFile
  /** as it was last looked at; null: not since files went */
  disk: { totalBytes: number; freeBytes: number } | null = null
  readonly quotas = new Quotas(() => this.registry.current.quotas)
  /** columns computed from others; null: there is no engine to check them with */
  derived: DerivedColumns | null = null
  /** where sealed rows go instead of into files; null: nowhere */
  away: SegmentStore | null = null
  /** the other leaves; null: there are none to be asked */
  peers: Peers | null = null
  /** copies of its rows on other leaves; null: there are none */
  copies: Copies | null = null
  /** whether a table's rows are not to be sealed now: they may be another leaf's by a map that this one was not told */
  staysInBatches: (table: string) => boolean = () => false
  /** rows of a table that are this leaf's by the map, and not among its own yet */
  pendingRows: (table: string) => number = () => 0
  readonly #tails = new Map<string, TableTail>()
  #manifest: ManifestFile | null = null
  readonly #commits: Commits
  #inFlightKeys = new Map<string, Promise<void>>()
  readonly #trash: Trash
  /** lots of files that were removed */
  #emptied = 0
  #diskLevel: DiskLevel = 'ok'
  #isFullForOwn = false
  readonly #counts = new IngestCounts()
  readonly #listeners = new Map<string, Set<(lines: Uint8Array) => void>>()

  constructor(dir: string, log: Logger) {
    this.dir = dir
    this.log = log
    for (const folder of ['', 'chunks', 'raw', 'segments', 'tmp']) mkdirSync(join(dir, folder), { recursive: true, mode: 0o700 })
    this.journal = new Journal(join(dir, 'journal'), log)
    this.keys = new Keys(join(dir, 'keys.ndjson'))
    this.registry = new RegistryFile(dir, log)
    this.#commits = new Commits(this.journal, this.keys, log, (table, batch, seq, atMs) => this.#makeVisible(table, batch, seq, atMs))
    this.#trash = new Trash({
      log,
      dropAway: (paths) => this.away?.drop(paths),
      onEmptied: () => {
        this.#emptied += 1
        this.disk = null
      },
    })
  }

  get manifest(): ManifestFile {
    if (!this.#manifest) throw new Error('store is not open')
    return this.#manifest
  }

  /** Reads manifest and journal; whatever no record names is removed. Afterwards every acknowledged row is there once. */
  async open(): Promise<void> {
    this.#manifest = await ManifestFile.open(join(this.dir, 'manifest'))
    await this.#settle()
    const now = Date.now()
    this.keys.load(now)
    for (const folder of ['chunks', 'tmp']) {
      for (const name of readdirSync(join(this.dir, folder))) rmSync(join(this.dir, folder, name), { recursive: true, force: true })
    }
    const segments = new Set<string>()
    for (const [name, { columns, segments: files, throughSeq, isGone }] of this.manifest.tables) {
      this.#commits.seq = Math.max(this.#commits.seq, throughSeq)
      if (isGone) continue
      const tail = this.ownTail(name)
      tail.columns.merge(columns)
      tail.journaledVersion = tail.columns.version
      for (const [file, segment] of files) {
        if (placeOf(file)) continue
        segments.add(file)
        const size = statSync(this.segmentPath(file), { throwIfNoEntry: false })?.size
        if (size === undefined) await this.lose(segment, 'the file is not there')
        else if (size !== segment.bytes) await this.lose(segment, `the file has ${size} bytes instead of ${segment.bytes}`)
      }
    }
    for (const name of readdirSync(join(this.dir, 'segments'))) {
      if (!segments.has(name)) rmSync(join(this.dir, 'segments', name), { force: true })
    }
    const raw = new RawRecovery(join(this.dir, 'raw'))
    const damaged = this.journal.replay((record) => this.#recover(record, raw))
    const { chunks, lostRows } = raw.finish()
    for (const { table, chunk } of chunks) this.ownTail(table).chunks.push(chunk)
    if (lostRows > 0) this.log.warn('rows of raw chunks are not there; those acknowledged from memory only can be lost', { rows: lostRows })
    // What is sealed is not in the journal: until `seedLive` has read it back, the live aggregate begins after it.
    const sealedToUs = Math.max(0, ...this.segments(LIVE_TABLE).map(({ maxUs }) => maxUs))
    if (sealedToUs > 0) this.live.markIncompleteBefore(Math.floor(sealedToUs / 1_000_000) * 1000 + 1000)
    if (damaged > 0) this.live.markIncompleteBefore(now)
    this.hasDamage = damaged > 0
    this.applyRegistry()
    for (const tail of this.#tails.values()) if (tail.openRows > 0) await tail.roll()
    await this.keys.compact(now)
  }

  /**
   * Takes a batch in. With `fsync` it resolves once the rows are on disk, with `memory` at once. A strict one comes in whole or not at all.
   * @throws SCUBA_ROWS_INVALID, SCUBA_LINES_INVALID (details.lines), SCUBA_KEY_REUSED, SCUBA_TOO_LARGE, SCUBA_DISK_FULL, SCUBA_BUSY (details.retryAfterMs), SCUBA_READ_ONLY
   */
  async ingest(
    name: string,
    came: Buffer,
    options: {
      key: string | null
      ack: AckLevel
      stored?: Stored
      isStrict?: boolean
      /** whose clock its rows tell of */
      sender?: string | undefined
      /** when it was received, if not now */
      atMs?: number
      /** of the bytes it came with first, if they were others */
      digest?: string
    },
  ): Promise<Receipt> {
    if (!isTableName(name))
      throw refuse('USAGE', `${JSON.stringify(name)} is no table name`, {
        hint: 'Use lower-case letters, digits and _, beginning with a letter, at most 63.',
      })
    const { key, ack } = options
    const digest = key === null ? '' : (options.digest ?? createHash('sha256').update(came).digest('hex').slice(0, 32))
    const lines = this.#collapses(name, options) ? sampleLines(came) : []
    const inFlight = (): Promise<unknown> | null | undefined =>
      (key === null ? undefined : this.#inFlightKeys.get(`${name}\0${key}`)) ?? this.#tails.get(name)?.samples.pending(lines)
    for (let first = inFlight(); first; first = inFlight()) await first.catch(() => undefined)
    if (key !== null) {
      const known = this.keys.get(name, key)
      if (known) {
        const receipt = duplicateReceipt(name, key, ack, known, digest)
        // Its batch may not have been on all of them when its sender was last answered.
        if (ack === 'replicas') await this.#copiesOf(name).confirmed(this.#commits.seq)
        return receipt
      }
    }
    if (ack === 'replicas') this.#copiesOf(name).check()
    if (isOwnTable(name) ? this.#isFullForOwn : this.#diskLevel === 'full') throw diskFull()
    if (this.#commits.isReadOnly)
      throw refuse('SCUBA_READ_ONLY', 'two writes in a row failed: the store takes no rows until the leaf is started anew')
    this.#commits.checkRoom(came.length, isOwnTable(name))
    const waitMs = isOwnTable(name) ? 0 : this.backlogWaitMs()
    if (waitMs > 0) throw busy('too many rows are waiting to be sealed', waitMs)
    if (!this.#tails.has(name) && this.#tails.size >= LIMITS.tablesMax)
      throw refuse('SCUBA_TOO_LARGE', `there are ${LIMITS.tablesMax} tables already`)
    const tail = this.ownTail(name)
    const { atMs = Date.now() } = options
    const { body, samples } = tail.samples.fresh(came, lines)
    const { stored: given = { encoding: 'none', bytes: came } } = options
    const stored: Stored = body === came ? given : { encoding: 'none', bytes: body }
    const config = this.registry.current.tables[name]
    const raw = this.#canBeRaw(name, body) ? rawBatch(body, stored, tail, config, atMs, options.isStrict === true) : null
    const batch = raw ?? parseBatch(body, tail.columns, atMs, name === LIVE_TABLE, shapeOf(config))
    const { quarantined, quarantinedCount, warned, warnings } = 'payload' in batch ? batch : ALL_GOOD
    if (options.isStrict === true && quarantinedCount > 0) throw badLines(quarantined, quarantinedCount)
    this.#counts.add(name, batch.rows, quarantinedCount, came.length)
    const claimedUs = 'claimedUs' in batch ? batch.claimedUs : batch.maxUs
    if (options.sender !== undefined && claimedUs !== null && !isOwnTable(name))
      this.senders.saw(options.sender, claimedUs / 1000, atMs, batch.rows)
    const receipt: Receipt = {
      table: name,
      accepted: batch.rows,
      quarantined: quarantinedCount,
      firstErrors: quarantined.slice(0, 10).map(({ line, reason }) => ({ line, reason })),
      duplicate: false,
      key,
      dedupeUntilMs: key === null ? null : atMs + LIMITS.dedupeMs,
      ack,
      ...(warned > 0 ? { warned, warnings } : {}),
    }
    const commits: Promise<void>[] = []
    const level = ack === 'memory' ? 'memory' : 'fsync'
    let copied = 0
    if (batch.rows > 0 || key !== null) {
      const keyed = key === null ? undefined : { key, digest, quarantined: quarantinedCount }
      const offer = (seq: number): void => {
        copied = seq
        this.copies?.offer({ table: name, seq, rows: batch.rows, atMs, key: keyed, stored })
      }
      commits.push(this.#commits.add(tail, batch, atMs, keyed, level, this.copies?.isCopied(name) === true ? offer : undefined))
    }
    if (quarantined.length > 0) commits.push(this.#quarantine(name, key, quarantined, atMs, level))
    const done = Promise.all(commits).then(() => undefined)
    tail.samples.follow(samples, done, performance.now())
    if (key !== null) {
      const id = `${name}\0${key}`
      this.#inFlightKeys.set(id, done)
      const forget = (): boolean => this.#inFlightKeys.delete(id)
      void done.then(forget, forget)
    }
    if (ack !== 'memory') await done
    else
      void done.catch((error: unknown) =>
        this.log.warn('rows acknowledged from memory were lost', { table: name, rows: batch.rows, error: String(error) }),
      )
    if (ack === 'replicas') await this.#copiesOf(name).confirmed(copied)
    return receipt
  }

  /** When rows of a table are acknowledged if their sender does not say: when all that are to have them do. */
  ackOf(name: string): AckLevel {
    return isReplicated(this.registry.current.tables[name]) ? 'replicas' : 'fsync'
  }

  /** Number of the newest batch. */
  get seq(): number {
    return this.#commits.seq
  }

  /** Runs between two commits: each batch that has a number by then is in its table. */
  between<T>(run: () => T): Promise<T> {
    return this.#commits.inTurn(async () => run())
  }

  /** @throws USAGE when a table asks for no copies, SCUBA_DOWN when it has none */
  #copiesOf(name: string): { check: () => void; confirmed: (seq: number) => Promise<void> } {
    const config = this.registry.current.tables[name]
    if (!config || !isReplicated(config))
      throw refuse('USAGE', `table ${name} asks for no copies on other leaves`, {
        hint: 'Declare it with `replicas: 2`, or have rows acknowledged by fsync.',
      })
    const { copies } = this
    if (copies === null) throw refuse('SCUBA_DOWN', 'this leaf has no others to hold copies', { details: { retryAfterMs: 1000 } })
    return { check: () => copies.check(config.replicas - 1), confirmed: (seq) => copies.confirmed(seq, config.replicas - 1) }
  }

  /** Whether a sample that is here is not added again. What is only in memory, or a copy for another leaf, is no reason not to. */
  #collapses(name: string, { ack, atMs }: { ack: AckLevel; atMs?: number }): boolean {
    return name === SAMPLES_TABLE && ack !== 'memory' && atMs === undefined && !isReplicated(this.registry.current.tables[name])
  }

  /** Puts lines that came in earlier into the quarantine, under a key of its own: once, however often it is called. */
  async quarantineOnce(table: string, key: string, quarantined: Batch['quarantined']): Promise<void> {
    if (quarantined.length === 0 || this.keys.get(QUARANTINE_TABLE, key)) return
    await this.#quarantine(table, null, quarantined, Date.now(), 'fsync', { key, digest: '', quarantined: 0 })
  }

  /** Why a segment that is away cannot be read now, in words; null: it can, or is a file. */
  whyAway(file: string): string | null {
    if (placeOf(file) === null) return null
    return this.away === null ? 'the leaf was started without it' : this.away.whyAway(file)
  }

  /** Whether a table's rows are to be sealed away. */
  isSealedAway(name: string): boolean {
    // Copies are of files.
    return this.away !== null && mayBeAway(name) && !isReplicated(this.registry.current.tables[name])
  }

  /** Whether rows of a table may be away, so that what is known of the others has to fit. */
  isPortable(name: string): boolean {
    return this.isSealedAway(name) || this.segments(name).some(({ file }) => placeOf(file) !== null)
  }

  /** Whether the manifest names a segment, or a seal that is under way. */
  isNamed(file: string): boolean {
    return (
      [...this.manifest.tables.values()].some(({ segments, sealing }) => segments.has(file) || sealing?.file === file) ||
      this.#trash.has(file)
    )
  }

  /** Segments of a table that are files of this store, and can be read. */
  ownSegments(name: string): Segment[] {
    return this.segments(name).filter(({ file }) => placeOf(file) === null)
  }

  /** Columns of a table as they are asked for. */
  columnTypes(name: string): ColumnTypes {
    return { ...this.tail(name).columns.toJSON(), ...this.derived?.types(name) }
  }

  /** Segments of a table that can be read. */
  segments(name: string): Segment[] {
    const table = this.manifest.tables.get(name)
    return table === undefined ? [] : [...table.segments.values()].filter(({ file }) => !table.lost.has(file))
  }

  /** Paths of all of a table's segments, also of those that are not read. */
  allFiles(name: string): string[] {
    return [...(this.manifest.tables.get(name)?.segments.keys() ?? [])].map((file) => this.segmentPath(file))
  }

  /** The manifest gave a table what another one had: it knows its columns from now on. */
  adopt(name: string): void {
    const tail = this.ownTail(name)
    tail.isGone = false
    tail.columns.merge(this.manifest.tables.get(name)?.columns ?? {})
  }

  /** Another leaf has such a table: its columns are this one's, too, and what it holds in another type stands beside them. */
  learnColumns(name: string, types: ColumnTypes): void {
    const { columns } = this.ownTail(name)
    columns.merge(types)
    for (const [column, type] of Object.entries(types)) {
      const own = columns.find(column)
      if (own && own.type !== type && !(own.type === 'DOUBLE' && type === 'BIGINT')) columns.merge({ [sideOf(own.name)]: 'VARCHAR' })
    }
  }

  /** Segments whose file is not what was written: never read, and missing in every answer. */
  lostSegments(name: string): { segment: Segment; reason: string }[] {
    const table = this.manifest.tables.get(name)
    return [...(table?.lost ?? [])].flatMap(([file, reason]) => {
      const segment = table?.segments.get(file)
      return segment === undefined ? [] : [{ segment, reason }]
    })
  }

  /** From now on the segment is not read. */
  async lose({ table, file, rows }: Segment, reason: string): Promise<void> {
    if (this.manifest.tables.get(table)?.lost.has(file) === true) return
    this.log.error('a segment is lost', { table, file, rows, reason })
    await this.manifest.append({ kind: 'lost', table, file, reason })
  }

  segmentFiles(name: string): ViewFile[] {
    return this.segments(name).map((segment) => this.viewFile(segment))
  }

  viewFile(segment: Segment): ViewFile {
    return viewFileAt(this.segmentPath(segment.file), segment)
  }

  /** Makes what is declared known to the tables; a declared table is there before its first row. */
  applyRegistry(): void {
    for (const [name, { columns, retyped, columnsMax }] of Object.entries(this.registry.current.tables)) {
      const tail = this.ownTail(name)
      tail.isGone = false
      tail.columns.declare(columns, retyped, columnsMax)
    }
  }

  /** How long rows of a table are kept. */
  policy(name: string): RetentionPolicy {
    const before = this.manifest.tables.get(name)?.retention
    return this.registry.current.retention[name] ?? (before ? { ...before, thin: [] } : retentionDefault(name))
  }

  /** Of one that is away, its name. */
  segmentPath(file: string): string {
    return placeOf(file) ? file : join(this.dir, 'segments', file)
  }

  tables(): TableInfo[] {
    return this.tails()
      .map(({ name }) => name)
      .sort()
      .map((name) => this.table(name))
  }

  /** @throws SCUBA_TABLE_UNKNOWN with near names */
  table(name: string): TableInfo {
    const tail = this.tail(name)
    const segments = this.segments(name)
    const files = [...segments, ...tail.chunks, ...tail.open]
    const bound = (pick: (...values: number[]) => number, of: 'minUs' | 'maxUs'): number | null =>
      files.length === 0 ? null : Math.floor(pick(...files.map((file) => file[of])) / 1000)
    return {
      name,
      rows: files.reduce((sum, { rows }) => sum + rows, 0),
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      segments: segments.length,
      chunks: tail.chunks.length,
      columns: tail.columns.toJSON(),
      fromMs: bound(Math.min, 'minUs'),
      toMs: bound(Math.max, 'maxUs'),
      retention: this.policy(name),
      capped: { ...tail.columns.caps.counts },
    }
  }

  tail(name: string): TableTail {
    const tail = this.#tails.get(name)
    if (tail && !tail.isGone) return tail
    const near = nearNames(name, this.tableNames())
    throw refuse('SCUBA_TABLE_UNKNOWN', `there is no table ${name}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`, {
      details: { table: name, near },
    })
  }

  tails(): TableTail[] {
    return [...this.#tails.values()].filter(({ isGone }) => !isGone)
  }

  tableNames(): ReadonlySet<string> {
    return new Set(this.tails().map(({ name }) => name))
  }

  /** Calls with the chunk lines of every later batch of the table, once they are durable. */
  subscribe(name: string, listener: (lines: Uint8Array) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners)
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  /** Removes files once no running query can be reading them. */
  discard(paths: readonly string[]): void {
    this.onDiscard(paths)
    this.#trash.add(paths)
  }

  /** Looks at the disk, syncs what was acknowledged from memory, forgets old seconds. Called each second. */
  async tick(): Promise<void> {
    const emptied = this.#emptied
    const { bavail, blocks, bsize } = await statfs(this.dir)
    this.disk = emptied === this.#emptied ? { totalBytes: blocks * bsize, freeBytes: bavail * bsize } : null
    const level = diskLevel(blocks * bsize, bavail * bsize)
    if (level !== this.#diskLevel) this.log.warn(DISK_WORDS[level], { freeBytes: bavail * bsize })
    this.#diskLevel = level
    this.#isFullForOwn = isFullForOwn(blocks * bsize, bavail * bsize)
    await this.#commits.tick(this.#tails.values())
    this.live.trim(Date.now())
    this.liveTasks.trim(Date.now())
  }

  /** Tells what came in, one row per table. Called every 10 s. */
  async tellIngest(): Promise<void> {
    const lines = this.#counts.take(this.tails(), this.quotas, Date.now()).map((row) => JSON.stringify(row))
    if (lines.length > 0) await this.ingest('muster_metrics', Buffer.from(lines.join('\n')), { key: null, ack: 'memory' })
  }

  /** Small bodies cost little to parse, and are better one file of many than many files; the live aggregate and tails want rows. */
  #canBeRaw(name: string, body: Buffer): boolean {
    const hasReaders = name === LIVE_TABLE || isOwnTable(name) || (this.#listeners.get(name)?.size ?? 0) > 0
    return body.length >= LIMITS.rawBytesMin && !hasReaders
  }

  /** A body for the table was refused because of its size. */
  countTooLarge(name: string): void {
    this.#tails.get(name)?.columns.caps.add('bodies')
  }

  get diskLevel(): DiskLevel {
    return this.#diskLevel
  }

  get isReadOnly(): boolean {
    return this.#commits.isReadOnly
  }

  /** Counts what a request holds in memory before its rows wait; gives what ends it. @throws SCUBA_BUSY */
  reserve(table: string, bytes: number): () => void {
    return this.#commits.reserve(bytes, isOwnTable(table))
  }

  /** Commits what waits and closes. */
  async close(): Promise<void> {
    await this.#commits.drain()
    await this.#trash.settled()
    await this.journal.close()
    await this.#manifest?.close()
  }

  /** A seal whose end the manifest does not have is taken as it is, if it is whole; else its rows are sealed anew, under another name. */
  async #settle(): Promise<void> {
    for (const [table, { sealing }] of this.manifest.tables) {
      if (sealing === null) continue
      const { file, rows, throughSeq, columns } = sealing
      const segment = await this.away?.settle(table, file, rows).catch(() => null)
      if (segment) await this.manifest.append({ kind: 'sealed', table, segments: [segment], throughSeq, columns })
      else await this.manifest.append({ kind: 'unsealed', table, file })
    }
  }

  /** Files that are no longer part of any table are still there. */
  get hasTrash(): boolean {
    return this.#trash.isFull
  }

  /** Files stay until what it gives is called. */
  hold(): () => void {
    return this.#trash.hold()
  }

  /** What a table has unsealed; it is there from now on. */
  ownTail(name: string): TableTail {
    let tail = this.#tails.get(name)
    if (tail && !tail.isGone) return tail
    if (!tail) this.#tails.set(name, (tail = new TableTail(name, this.dir, (run) => this.#commits.inTurn(run))))
    if (name === QUARANTINE_TABLE) tail.columns.merge(QUARANTINE_COLUMNS)
    const config = this.registry.current.tables[name]
    if (config) tail.columns.declare(config.columns, config.retyped, config.columnsMax)
    return tail
  }

  #recover({ header, payload }: JournalRecord, raw: RawRecovery): void {
    const { seq, table, rows, minUs, maxUs, key, columns, at } = header
    this.#commits.seq = Math.max(this.#commits.seq, seq)
    const known = this.manifest.tables.get(table)
    if (key && seq > (known?.asideSeq ?? 0))
      this.keys.put(table, key.key, { digest: key.digest, accepted: rows, quarantined: key.quarantined, at })
    if (known?.isGone && seq <= known.throughSeq) return
    const tail = this.ownTail(table)
    if (columns) tail.columns.merge(columns)
    tail.journaledVersion = tail.columns.version
    if (seq <= (this.manifest.tables.get(table)?.throughSeq ?? 0) || rows === 0) return
    if (header.raw) return raw.add(header)
    // Its rows per hour are not in the record: two hours for its bounds are near enough to choose a segment's.
    const hours = new Map([minUs, maxUs].map((us) => [Math.floor(us / 3_600_000_000), rows]))
    tail.add({ payload: Buffer.from(payload), rows, minUs, maxUs, seq, atMs: at, hours })
    if (table === LIVE_TABLE) for (const event of storedEvents(payload)) this.live.add(event)
  }

  #quarantine(
    table: string,
    key: string | null,
    quarantined: Batch['quarantined'],
    atMs: number,
    ack: CommitLevel,
    own?: JournalHeader['key'],
  ): Promise<void> {
    const rows = quarantined.map(({ line, reason, text, isCut }) => {
      const id = randomBytes(9).toString('base64url')
      return JSON.stringify({
        time: atMs,
        id,
        table,
        line,
        reason,
        text,
        ...(isCut ? { cut: true } : {}),
        ...(key === null ? {} : { key }),
      })
    })
    const tail = this.ownTail(QUARANTINE_TABLE)
    return this.#commits.add(tail, parseBatch(Buffer.from(rows.join('\n')), tail.columns, atMs, false), atMs, own, ack)
  }

  #makeVisible(table: TableTail, batch: ParsedBatch, seq: number, atMs: number): void {
    const { payload, rows, minUs, maxUs, hours } = batch
    table.add({ payload, rows, minUs, maxUs, hours, seq, atMs })
    for (const event of batch.live) {
      this.live.add(event)
      this.liveTasks.add(event)
    }
    for (const listener of this.#listeners.get(table.name) ?? []) listener(batch.payload)
    if (table.isFull)
      void table.roll().catch((error: unknown) => this.log.warn('chunk could not be written', { table: table.name, error: String(error) }))
  }
}

function* storedEvents(payload: Uint8Array): Generator<LiveEvent> {
  for (const line of Buffer.from(payload).toString('utf8').split('\n')) {
    if (line === '') continue
    const row = JSON.parse(line) as Record<string, unknown>
    const event = liveEvent(row, Number(row['time']) / 1000)
    if (event) yield event
  }
}
