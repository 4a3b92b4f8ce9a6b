import { rm } from 'node:fs/promises'
import { placeOf } from '../../../core/scuba/clickhouse/place.ts'
import type { Partial } from '../../../core/scuba/merge/partial.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import type { Matching, PartialsAsked, Rewriting, RowsAsked, Sealing, SegmentStore } from '../leaf/segment-store.ts'
import type { ClickHouseStore } from './store.ts'

/**
 * A leaf's sealed rows on one ClickHouse server or on several, which know nothing of each other: seals go to those that answer in turn, and a
 * question is asked of all at once. Asking each is better than `remote()` of one of them: a server that is away costs its own rows
 * and no others', and no password stands in a statement.
 */
export class SpreadStore implements SegmentStore {
  readonly #stores: readonly ClickHouseStore[]
  #turn = 0

  /** @param stores in the order of their numbers */
  constructor(stores: readonly ClickHouseStore[]) {
    this.#stores = stores
  }

  get where(): string {
    return this.#stores.map(({ where }) => where).join(', ')
  }

  get away(): string | null {
    return this.#stores.some(({ away }) => away === null) ? null : this.trouble
  }

  get trouble(): string | null {
    const isOne = this.#stores.length === 1
    const reasons = this.#stores.flatMap(({ where, away }) => (away === null ? [] : [isOne ? away : `${where}: ${away}`]))
    return reasons.length === 0 ? null : reasons.join('; ')
  }

  whyAway(file: string): string | null {
    const server = placeOf(file)?.server ?? 0
    const store = this.#stores[server - 1]
    return store === undefined ? `the leaf was not told of its server ${server}` : store.away
  }

  async tick(isNamed: (file: string) => boolean): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.tick(isNamed)))
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()))
  }

  seal(sealing: Sealing): Promise<Segment | null> {
    const there = this.#stores.filter(({ away }) => away === null)
    const from = there.length === 0 ? this.#stores : there
    const store = from[(this.#turn += 1) % from.length]
    if (store === undefined) throw new Error('there is no server to seal to')
    return store.seal(sealing)
  }

  async settle(table: string, file: string, rows: number): Promise<Segment | null> {
    const store = this.#of(file)
    // Its rows are sealed again elsewhere; what it may have of them never counts.
    if (store.away !== null && this.away === null) return null
    return store.settle(table, file, rows)
  }

  async partials(asked: PartialsAsked): Promise<Partial[] | null> {
    const made = new Map<PartialsAsked['sources'][number], Partial>()
    const answers = await Promise.all(
      this.#divide(asked.sources, ({ files }) => files[0]?.path ?? '').map(async ({ store, of: sources }) => {
        const partials = await store.partials({ ...asked, sources })
        sources.forEach((source, at) => partials?.[at] && made.set(source, partials[at]))
        return partials !== null
      }),
    )
    return answers.every(Boolean) ? asked.sources.flatMap((source) => made.get(source) ?? []) : null
  }

  async rows(asked: RowsAsked): Promise<ViewFile[]> {
    const parts = this.#divide(asked.files, ({ path }) => path)
    const fetched = await Promise.allSettled(parts.map(({ store, of: files }) => store.rows({ ...asked, files })))
    const files = fetched.flatMap((part) => (part.status === 'fulfilled' ? [part.value] : []))
    const failed = fetched.find((part) => part.status === 'rejected')
    if (!failed) return files
    for (const { path } of files) await rm(path, { force: true })
    throw failed.reason as Error
  }

  async matches(files: readonly string[], matching: Matching): Promise<Map<string, number> | null> {
    const found: [string, number][] = []
    for (const { store, of } of this.#divide(files, (file) => file)) {
      const counts = await store.matches(of, matching)
      if (counts === null) return null
      found.push(...counts)
    }
    return new Map(found)
  }

  rewrite(rewriting: Rewriting): Promise<boolean> {
    return this.#of(rewriting.segment.file).rewrite(rewriting)
  }

  async drop(files: readonly string[]): Promise<void> {
    const dropped = await Promise.allSettled(this.#divide(files, (file) => file).map(({ store, of }) => store.drop(of)))
    for (const one of dropped) if (one.status === 'rejected') throw one.reason
  }

  async describe(files: readonly string[]): ReturnType<SegmentStore['describe']> {
    const described = await Promise.all(this.#divide(files, (file) => file).map(({ store, of }) => store.describe(of)))
    return new Map(described.flatMap((found) => [...found]))
  }

  #of(file: string): ClickHouseStore {
    const store = this.#stores[(placeOf(file)?.server ?? 0) - 1]
    if (store === undefined) throw new Error(`${file} is on none of the servers that the leaf was told of`)
    return store
  }

  /** What is asked of each server that has any of it. */
  #divide<T>(all: readonly T[], fileOf: (one: T) => string): { store: ClickHouseStore; of: T[] }[] {
    const parts = new Map<ClickHouseStore, T[]>()
    for (const one of all) {
      const store = this.#of(fileOf(one))
      parts.set(store, [...(parts.get(store) ?? []), one])
    }
    return [...parts].map(([store, of]) => ({ store, of }))
  }
}
