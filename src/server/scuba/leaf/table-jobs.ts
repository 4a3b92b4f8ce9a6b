import type { TableJob } from '../../../core/scuba/registry.ts'
import type { Sealer } from './sealer.ts'
import { RecentSamples } from './recent-samples.ts'
import type { Store } from './store.ts'
import { filesOf } from './table.ts'

/**
 * Drops and renames tables as the log says, each once: the manifest remembers the entry's position with the deed. Rows that
 * come in while it goes on belong to the table that begins under the name.
 */
export class TableJobs {
  readonly #store: Store
  readonly #sealer: Sealer
  #running: Promise<void> = Promise.resolve()

  constructor(store: Store, sealer: Sealer) {
    this.#store = store
    this.#sealer = sealer
  }

  /** Does what is not done yet, one after the other. */
  run(): Promise<void> {
    const done = this.#running.then(async () => {
      for (const job of this.#store.registry.jobs) if (!this.#store.manifest.isGone(job.id)) await this.#do(job)
    })
    this.#running = done.catch(() => undefined)
    return done
  }

  /** The table's rows are no longer this leaf's; rows that come in from now on are. */
  clear(table: string): Promise<void> {
    const done = this.#running.then(() => this.#do({ id: 0, table, to: null }))
    this.#running = done.catch(() => undefined)
    return done
  }

  async #do({ id, table, to }: TableJob): Promise<void> {
    const store = this.#store
    const tail = store.tails().find(({ name }) => name === table)
    if (to !== null && tail) await this.#sealer.seal(tail)
    await tail?.roll()
    const chunks = to === null ? [...(tail?.chunks ?? [])] : []
    const before = store.manifest.tables.get(table)
    const paths = [...filesOf(chunks), ...(to === null ? store.allFiles(table) : [])]
    const throughSeq = Math.max(before?.throughSeq ?? 0, ...chunks.map((chunk) => chunk.throughSeq))
    await store.manifest.append({ kind: 'gone', table, throughSeq, id, to }, () => {
      if (to !== null) store.adopt(to)
      tail?.chunks.splice(0, chunks.length)
      // What is gone and sent again is no twin.
      if (tail) tail.samples = new RecentSamples()
      if (!tail || tail.chunks.length > 0 || tail.openRows > 0) return
      tail.isGone = true
      tail.columns.reset()
    })
    store.discard(paths)
    if (to !== null) await store.keys.rename(table, to)
    if (id > 0) store.log.info(to === null ? 'a table was dropped' : 'a table was renamed', { table, to })
  }
}
