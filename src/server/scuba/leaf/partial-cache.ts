import { partialBytes, type Partial } from '../../../core/scuba/merge/partial.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'

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
  #bytes = 0
  readonly #plans = new Map<string, Set<CachedPartial>>()

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

  use(cached: CachedPartial, nowMs: number): void {
    this.hits += 1
    this.savedMs += cached.costMs
    cached.uses += 1
    cached.usedAtMs = nowMs
  }

  put(plan: string, made: Pick<CachedPartial, 'files' | 'clip' | 'partial' | 'costMs'>, nowMs: number): void {
    this.misses += 1
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
    this.#bytes -= cached.bytes
    if (held.size === 0) this.#plans.delete(plan)
  }

  /** Forgets what was computed from files that are gone. */
  dropFiles(paths: readonly string[]): void {
    const gone = new Set(paths)
    for (const [plan, held] of this.#plans) {
      for (const cached of held) if (cached.files.some(({ path }) => gone.has(path))) this.drop(plan, cached)
    }
  }

  clear(): void {
    this.#plans.clear()
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
