import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import type { scubaVerify } from '../../../core/scuba/operations/segments.ts'
import { placeOf } from '../../../core/scuba/clickhouse/place.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import { replaceFile } from '../../../platform/files.ts'
import { repair } from '../replica/repair.ts'
import { differs } from './segment-digest.ts'
import type { Store } from './store.ts'

/** Everything is compared at least this often; a day is left for what comes due at once. */
const EVERY_MS = 6 * 86_400_000
/** Bytes a second of the round in the background. */
const BACKGROUND_RATE = 20_000_000
const REPAIR_EVERY_MS = 10_000

/** `reason`: why a segment is not what was written, and is not read; null: it is, or is again. */
interface Outcome {
  reason: string | null
  isRepaired?: boolean
}
const WHOLE: Outcome = { reason: null }
const REPAIRED: Outcome = { reason: null, isRepaired: true }

/**
 * Compares segments with the checksums of the manifest. A changed byte in a page would be a wrong number and no error, so what
 * differs is not read from then on. What was lost and is whole again, put back from a copy, is read again.
 */
export class Scrubber {
  readonly #store: Store
  readonly #path: string
  /** file → when it was compared, ms */
  readonly #checked: Map<string, number>
  #isBusy = false
  #repairsAtMs = 0

  constructor(store: Store) {
    this.#store = store
    this.#path = join(store.dir, 'scrub.json')
    this.#checked = readChecked(this.#path)
  }

  checkedMs(file: string): number | null {
    return this.#checked.get(file) ?? null
  }

  /** Compares the one segment that is longest overdue, if any is. Called often. */
  async tick(nowMs: number, signal: AbortSignal): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      const due = this.#all()
        .map((segment) => ({ segment, atMs: this.#checked.get(segment.file) ?? writtenMs(segment) }))
        .filter(({ atMs }) => nowMs - atMs > EVERY_MS)
        .sort((a, b) => a.atMs - b.atMs)[0]
      if (due) await this.#check(due.segment, BACKGROUND_RATE, signal)
      if (due) this.#save()
      await this.#repairOne(nowMs, signal)
    } finally {
      this.#isBusy = false
    }
  }

  /** What was found broken when it was read is put back, too; a copy that is away is asked again later. */
  async #repairOne(nowMs: number, signal: AbortSignal): Promise<void> {
    if (nowMs < this.#repairsAtMs) return
    this.#repairsAtMs = nowMs + REPAIR_EVERY_MS
    for (const segment of this.#all()) if (this.#lost(segment)) await repair(this.#store, segment, signal)
  }

  /** Compares all segments of a table, or of all, also those that are lost. */
  async verify(table: string | undefined, rate: number, signal: AbortSignal): Promise<z.input<typeof scubaVerify.output>> {
    const started = performance.now()
    const done: z.input<typeof scubaVerify.output> & { repaired: number } = {
      checked: 0,
      bytes: 0,
      found: 0,
      repaired: 0,
      lost: [],
      elapsedMs: 0,
    }
    if (table !== undefined) this.#store.tail(table)
    for (const segment of this.#all(table)) {
      const wasLost = this.#lost(segment)
      const { reason, isRepaired = false } = await this.#check(segment, rate, signal)
      if (signal.aborted) break
      done.checked += 1
      done.bytes += segment.bytes
      if (reason !== null) done.lost.push({ table: segment.table, file: segment.file, rows: segment.rows, reason })
      else if (isRepaired) done.repaired += 1
      else if (wasLost) done.found += 1
    }
    this.#save()
    done.elapsedMs = Math.round(performance.now() - started)
    return done
  }

  #all(table?: string): Segment[] {
    const names = table === undefined ? [...this.#store.tableNames()].sort() : [table]
    return names.flatMap((name) => [...(this.#store.manifest.tables.get(name)?.segments.values() ?? [])])
  }

  #lost({ table, file }: Segment): boolean {
    return this.#store.manifest.tables.get(table)?.lost.has(file) === true
  }

  /** Whether it is what was written; tells the store, and has it put back from a copy if it is not. */
  async #check(segment: Segment, rate: number, signal: AbortSignal): Promise<Outcome> {
    const { table, file, sha256 } = segment
    const isAway = placeOf(file) !== null
    // What cannot be reached is not lost.
    if (this.#store.whyAway(file) !== null) return WHOLE
    const reason = isAway ? await this.#differsAway(segment) : await differs(this.#store.segmentPath(file), sha256, rate, signal)
    // It may have been replaced or dropped while it was read.
    if (signal.aborted || !this.#store.manifest.tables.get(table)?.segments.has(file)) return WHOLE
    this.#checked.set(file, Date.now())
    if (reason !== null) {
      await this.#store.lose(segment, reason)
      return (await repair(this.#store, segment, signal)) ? REPAIRED : { reason }
    }
    if (this.#lost(segment)) await this.#store.manifest.append({ kind: 'found', table, file })
    return WHOLE
  }

  /** ClickHouse has checksums of its own; that all rows are there is ours to see. */
  async #differsAway({ file, rows }: Segment): Promise<string | null> {
    const found = (await this.#store.away?.describe([file]))?.get(file)?.rows ?? 0
    return found === rows ? null : `ClickHouse has ${found} of its ${rows} rows`
  }

  #save(): void {
    const files = new Set(this.#all().map(({ file }) => file))
    for (const file of this.#checked.keys()) if (!files.has(file)) this.#checked.delete(file)
    replaceFile(this.#path, JSON.stringify([...this.#checked]))
  }
}

/** Names of segments hold when they were written. */
function writtenMs({ file }: Segment): number {
  const place = placeOf(file)
  if (place) return place.seg / 1000
  const at = Number.parseInt(file.split('-').at(1) ?? '', 36)
  return Number.isFinite(at) ? at : 0
}

function readChecked(path: string): Map<string, number> {
  try {
    return new Map(JSON.parse(readFileSync(path, 'utf8')) as [string, number][])
  } catch {
    // None yet, or torn by a power cut: everything is compared when it is due by its age.
    return new Map()
  }
}
