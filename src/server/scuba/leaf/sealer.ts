import { LIMITS } from '../../../core/scuba/limits.ts'
import { viewSql } from '../../../core/scuba/plan/view.ts'
import type { Engine } from './engine.ts'
import { writeSegment } from './segment-writer.ts'
import type { Store } from './store.ts'
import type { TableTail } from './table.ts'

/** Turns chunks into segments. */
export class Sealer {
  readonly #store: Store
  readonly #engine: Engine
  #isBusy = false

  constructor(store: Store, engine: Engine) {
    this.#store = store
    this.#engine = engine
  }

  /** One round over all tables; a failure is logged and tried again in the next. Called each second. */
  async tick(nowMs: number): Promise<void> {
    if (this.#isBusy || !this.#engine.isReady) return
    this.#isBusy = true
    let hasSealed = false
    try {
      for (const tail of this.#store.tails()) {
        const isDue = tail.chunkBytes >= LIMITS.sealBytes || nowMs - tail.oldestMs >= LIMITS.sealAgeMs
        if (isDue) hasSealed = (await this.seal(tail)) || hasSealed
      }
      if (hasSealed) await this.#trimJournal()
    } catch (error) {
      this.#store.log.warn('sealing failed; it is tried again', { error: String(error) })
    } finally {
      this.#isBusy = false
    }
  }

  /** Seals a table at once, as asked from outside, and gives up the journal it no longer needs. */
  async sealNow(tail: TableTail): Promise<boolean> {
    const hasSealed = await this.seal(tail)
    if (hasSealed) await this.#trimJournal()
    return hasSealed
  }

  /** Seals everything a table has unsealed. Gives whether there was something. */
  async seal(tail: TableTail): Promise<boolean> {
    if (tail.isSealing) return false
    tail.isSealing = true
    try {
      await tail.roll()
      const chunks = [...tail.chunks]
      const last = chunks.at(-1)
      if (!last) return false
      const columns = tail.columns.toJSON()
      const retyped = this.#store.registry.current.tables[tail.name]?.retyped ?? []
      const { sql: select } = viewSql({ columns, files: chunks, retyped })
      const segment = await writeSegment(this.#store, this.#engine, { table: tail.name, select, order: '"time"', from: chunks })
      if (segment === null) throw new Error(`sealing ${tail.name} gave no rows`)
      await this.#store.manifest.append({ kind: 'segment', segment, throughSeq: last.throughSeq, replaces: [], columns }, () => {
        tail.chunks.splice(0, chunks.length)
      })
      this.#store.discard(chunks.map(({ path }) => path))
      return true
    } finally {
      tail.isSealing = false
    }
  }

  async #trimJournal(): Promise<void> {
    await this.#store.journal.roll()
    await this.#store.keys.save()
    await this.#store.journal.trim((table, seq) => seq <= (this.#store.manifest.tables.get(table)?.throughSeq ?? 0))
  }
}
