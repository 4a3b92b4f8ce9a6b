import { basename } from 'node:path'
import { partialBytes, type Partial } from '../../../core/scuba/merge/partial.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'
import type { PartialFiles } from './partial-files.ts'

/** The part of a file's rows that a partial is about; open where the file lies within the range. */
export interface Clip {
  sinceMs?: number
  untilMs?: number
}

export interface CachedPartial {
  files: readonly ViewFile[]
  clip: Clip
  partial: Partial
  bytes: number
  /** of the engine, ms; what a hit saves */
  costMs: number
  /** name of its file on the disk */
  stored: string | null
  uses: number
  usedAtMs: number
}

/**
 * Partials of files by what was computed. Files never change, so no partial is ever stale; what is worth least (time saved
 * by use and byte, halved each hour without use) goes first.
 */
export class PartialCache {
  hits = 0
  misses = 0
  evicted = 0
  savedMs = 0
  /** what survives a restart */
  #disk: PartialFiles | null = null
  #opening: Promise<void> | null = null
  #bytes = 0
  readonly #plans = new Map<string, Set<CachedPartial>>()
  /** of the disk: names of those that are here, too, and what reads a plan's */
  readonly #recalled = new Set<string>()
  readonly #recalling = new Map<string, Promise<void>>()

  get disk(): PartialFiles | null {
    return this.#disk
  }

  /** Takes what an earlier process left; questions wait for it. Without it nothing is kept on the disk. */
  open(files: Promise<PartialFiles | null>): void {
    this.#opening = files.then((disk) => {
      this.#disk = disk
      this.#opening = null
    })
  }

  get bytes(): number {
    return this.#bytes
  }

  get entries(): number {
    let count = 0
    for (const held of this.#plans.values()) count += held.size
    return count
  }

  of(plan: string): Iterable<CachedPartial> {
    return this.#plans.get(plan) ?? []
  }

  /**
   * Brings what the disk has of a plan. Call it before {@link of}.
   * @param files of the table: what was computed from others is of no use
   */
  async recall(plan: string, files: readonly ViewFile[]): Promise<void> {
    if (this.#opening !== null) await this.#opening
    if (this.#disk?.has(plan) !== true) return
    const recalling = this.#recalling.get(plan) ?? this.#recall(plan, files).finally(() => this.#recalling.delete(plan))
    this.#recalling.set(plan, recalling)
    await recalling
  }

  async #recall(plan: string, files: readonly ViewFile[]): Promise<void> {
    const disk = this.#disk
    const missing = disk?.filesOf(plan).filter((file) => !this.#recalled.has(file)) ?? []
    if (disk === null || missing.length === 0) return
    const byName = new Map(files.filter(({ kind }) => kind === 'segment').map((file) => [basename(file.path), file]))
    for (const file of missing) {
      const kept = await disk.read(file, Date.now())
      const found = kept?.segments.map((segment) => byName.get(segment)) ?? []
      if (!kept || !found.every((segment) => segment !== undefined)) continue
      this.#recalled.add(file)
      this.#add(plan, { files: found, clip: {}, partial: kept.partial, costMs: kept.costMs, stored: file }, Date.now())
    }
  }

  use(cached: CachedPartial, nowMs: number): void {
    this.hits += 1
    this.savedMs += cached.costMs
    cached.uses += 1
    cached.usedAtMs = nowMs
  }

  put(plan: string, made: Pick<CachedPartial, 'files' | 'clip' | 'partial' | 'costMs'>, nowMs: number): void {
    this.misses += 1
    const { files, clip, partial, costMs } = made
    const isLasting = files.every(({ kind }) => kind === 'segment') && clip.sinceMs === undefined && clip.untilMs === undefined
    const stored = isLasting ? (this.#disk?.put(plan, files, partial, costMs, nowMs) ?? null) : null
    if (stored !== null) this.#recalled.add(stored)
    this.#add(plan, { ...made, stored }, nowMs)
  }

  #add(plan: string, made: Omit<CachedPartial, 'bytes' | 'uses' | 'usedAtMs'>, nowMs: number): void {
    const bytes = partialBytes(made.partial) + made.files.length * 200
    if (bytes > LIMITS.partialCacheBytesMax / 8) return
    let held = this.#plans.get(plan)
    if (!held) this.#plans.set(plan, (held = new Set()))
    held.add({ ...made, bytes, uses: 0, usedAtMs: nowMs })
    this.#bytes += bytes
    if (this.#bytes > LIMITS.partialCacheBytesMax) this.#evict(nowMs)
  }

  drop(plan: string, cached: CachedPartial): void {
    const held = this.#plans.get(plan)
    if (!held?.delete(cached)) return
    if (cached.stored !== null) this.#recalled.delete(cached.stored)
    this.#bytes -= cached.bytes
    if (held.size === 0) this.#plans.delete(plan)
  }

  /** Forgets what was computed from files that are gone. */
  dropFiles(paths: readonly string[]): void {
    this.#disk?.dropFiles(paths)
    const gone = new Set(paths)
    for (const [plan, held] of this.#plans) {
      for (const cached of held) if (cached.files.some(({ path }) => gone.has(path))) this.drop(plan, cached)
    }
  }

  /** Forgets what is in memory. */
  clear(): void {
    this.#plans.clear()
    this.#recalled.clear()
    this.#bytes = 0
  }

  #evict(nowMs: number): void {
    const worth = ({ costMs, uses, bytes, usedAtMs }: CachedPartial): number =>
      ((costMs * (uses + 1)) / bytes) * 0.5 ** ((nowMs - usedAtMs) / 3_600_000)
    const all = [...this.#plans].flatMap(([plan, held]) => [...held].map((cached) => ({ plan, cached, worth: worth(cached) })))
    all.sort((a, b) => a.worth - b.worth)
    for (const { plan, cached } of all) {
      if (this.#bytes <= LIMITS.partialCacheBytesMax * 0.8) return
      this.drop(plan, cached)
      this.evicted += 1
    }
  }
}
