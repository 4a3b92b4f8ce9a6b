import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { placeOf } from '../../../core/scuba/clickhouse/place.ts'
import { isOwnTable } from '../../../core/scuba/names.ts'
import { bytesToEvict } from '../../../core/scuba/seal/pressure.ts'
import { retentionTime, type RetentionTime } from '../../../core/scuba/retention/clock.ts'
import { holdsOf, planRetention, type RetentionPlan, type RetentionStep } from '../../../core/scuba/retention/plan.ts'
import { planEviction, type EvictedSegment } from '../../../core/scuba/retention/evict.ts'
import { thinSql } from '../../../core/scuba/retention/thin.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import { replaceFile } from '../../../platform/files.ts'
import type { Engine } from './engine.ts'
import { writeSegment } from './segment-writer.ts'
import type { Store } from './store.ts'

const RETENTION_EVERY_MS = 15 * 60_000
const FIRST_MS = 60_000

type Drop = Extract<RetentionStep, { do: 'drop' }>

/** Drops and thins what is too old or too much, every 15 minutes and whenever the registry changes. */
export class Retainer {
  readonly #store: Store
  readonly #engine: Engine
  readonly #path: string
  #time: RetentionTime | null
  #steadyMs = performance.now()
  /** a minute after the start at the earliest: the server may have a hold to tell that was put meanwhile */
  #ranAtMs = performance.now() - RETENTION_EVERY_MS + FIRST_MS
  #registryVersion: number

  constructor(store: Store, engine: Engine) {
    this.#store = store
    this.#engine = engine
    this.#path = join(store.dir, 'retention.json')
    this.#time = readTime(this.#path)
    this.#registryVersion = store.registry.current.version
  }

  /** The time that ages are counted from, ms. */
  now(): number {
    const steadyMs = performance.now()
    this.#time = retentionTime(this.#time, Date.now(), steadyMs - this.#steadyMs)
    this.#steadyMs = steadyMs
    return this.#time.atMs
  }

  plan(table: string): RetentionPlan {
    const { current } = this.#store.registry
    return planRetention(this.#store.segments(table), this.#store.policy(table), holdsOf(table, current.holds), this.now())
  }

  /** Called often; does something when it is time. */
  async tick(): Promise<void> {
    const { version } = this.#store.registry.current
    if (performance.now() - this.#ranAtMs < RETENTION_EVERY_MS && version === this.#registryVersion) return
    this.#ranAtMs = performance.now()
    this.#registryVersion = version
    for (const { name } of this.#store.tails()) await this.apply(name)
    replaceFile(this.#path, JSON.stringify({ atMs: this.now() }))
  }

  async apply(table: string): Promise<void> {
    const { steps } = this.plan(table)
    for (const reason of ['age', 'space'] as const) {
      const dropped = steps.filter((step): step is Drop => step.do === 'drop' && step.reason === reason).map(({ segment }) => segment)
      await this.#drop(table, reason, dropped)
    }
    for (const step of steps) {
      if (step.do !== 'thin') continue
      if (placeOf(step.segment.file) === null) await this.#thin(table, step.segment.file, step.to)
      else if (this.#store.whyAway(step.segment.file) === null)
        await this.#thin(table, step.segment.file, step.to).catch((error: unknown) =>
          this.#store.log.warn('rows in ClickHouse could not be thinned; it is tried again', { table, error: String(error) }),
        )
    }
  }

  /** Drops the oldest segments before their time while the disk is 90 % full. Called often. */
  async evict(): Promise<void> {
    const { disk, registry, hasTrash } = this.#store
    // What went before is not gone from the disk yet, or was not seen to be.
    if (disk === null || hasTrash) return
    const bytes = bytesToEvict(disk.totalBytes, disk.freeBytes)
    if (bytes <= 0) return
    const tables = this.#store.tails().map(({ name: table }) => ({
      ...{ table, isOwn: isOwnTable(table), segments: this.#store.ownSegments(table), holds: holdsOf(table, registry.current.holds) },
    }))
    for (const [table, segments] of planEviction(tables, bytes, this.now())) await this.#drop(table, 'disk', segments)
  }

  async #drop(table: string, reason: Drop['reason'] | 'disk', dropped: readonly EvictedSegment[]): Promise<void> {
    if (dropped.length === 0) return
    const files = dropped.map(({ file }) => file)
    const rows = dropped.reduce((sum, segment) => sum + segment.rows, 0)
    const bytes = dropped.reduce((sum, segment) => sum + segment.bytes, 0)
    const note = { atMs: Date.now(), table, what: 'dropped' as const, reason, segments: files.length, rows, bytes }
    await this.#store.manifest.append({ kind: 'drop', table, files, reason: reason === 'age' ? 'age' : 'size', note })
    this.#store.discard(files.map((file) => this.#store.segmentPath(file)))
    this.#store.log.info('rows dropped by retention', { table, reason, segments: files.length, rows })
  }

  async #thin(table: string, file: string, to: number): Promise<void> {
    const store = this.#store
    const before = store.segments(table).find((segment) => segment.file === file)
    if (!before) return
    const tail = store.tail(table)
    tail.columns.merge({ sample_rate: 'BIGINT' })
    const columns = tail.columns.toJSON()
    if (placeOf(file) !== null) {
      const accept = (after: Segment | null): Promise<void> => rewrite(store, before, after, { what: 'thinned' })
      return void (await store.away?.rewrite({ segment: before, columns, how: { thinTo: to }, accept }))
    }
    const select = thinSql(store.segmentPath(file), columns, before.thinned ?? 1, to)
    const thin = await writeSegment(store, this.#engine, {
      // What stays of the file stays as it is, its codes, too.
      ...{ table, select, codes: before.codes ?? [], columns, order: '"time"', from: [before], mayShrink: true, thinned: to },
    })
    await rewrite(store, before, thin, { what: 'thinned' })
  }
}

/** Puts a file with fewer rows in a segment's place, with a note of what is gone. */
export async function rewrite(
  store: Store,
  before: Segment,
  after: Segment | null,
  note: { what: 'thinned' } | { what: 'erased'; predicateSha256: string; by: string },
): Promise<void> {
  const { table, file } = before
  // Its rows would be there twice.
  if (!store.segments(table).some((segment) => segment.file === file)) {
    if (after) store.discard([store.segmentPath(after.file)])
    throw new Error(`another segment was put in the place of ${file} meanwhile`)
  }
  const bytes = before.bytes - (after?.bytes ?? 0)
  await store.manifest.append({
    ...{ kind: 'rewrite', table, segments: after ? [after] : [], replaces: [file], columns: store.tail(table).columns.toJSON() },
    note: { atMs: Date.now(), table, reason: '', segments: 1, rows: before.rows - (after?.rows ?? 0), bytes, ...note },
  })
  store.discard([store.segmentPath(file)])
}

function readTime(path: string): RetentionTime | null {
  try {
    const { atMs } = JSON.parse(readFileSync(path, 'utf8')) as RetentionTime
    return Number.isFinite(atMs) ? { atMs } : null
  } catch {
    // A new leaf, or a file torn by a power cut: it begins with the machine's clock.
    return null
  }
}
