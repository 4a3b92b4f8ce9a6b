import { sortSql } from '../../../core/scuba/compaction/order.ts'
import { planCompaction, SMALL_COUNT } from '../../../core/scuba/compaction/plan.ts'
import { viewSql } from '../../../core/scuba/plan/view.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import type { Engine } from './engine.ts'
import { writeSegment } from './segment-writer.ts'
import type { Store } from './store.ts'

export interface CompactionDone {
  /** segments there were, and are instead */
  before: number
  after: number
  rows: number
}

/** Makes one of small segments that belong together, as `planCompaction` says. */
export class Compactor {
  readonly #store: Store
  readonly #engine: Engine

  constructor(store: Store, engine: Engine) {
    this.#store = store
    this.#engine = engine
  }

  /** @param countMin how many small segments it takes; 2 when a person asks */
  async compact(table: string, nowMs: number, countMin: number = SMALL_COUNT): Promise<CompactionDone> {
    const done: CompactionDone = { before: 0, after: 0, rows: 0 }
    for (const group of planCompaction(this.#store.ownSegments(table), nowMs, countMin)) {
      const segment = await this.#merge(table, group)
      done.before += group.length
      done.after += 1
      done.rows += segment.rows
    }
    return done
  }

  async #merge(table: string, group: readonly Segment[]): Promise<Segment> {
    const store = this.#store
    const columns = store.tail(table).columns.toJSON()
    const files = group.map((segment) => store.viewFile(segment))
    const { retyped = [], sort } = store.registry.current.tables[table] ?? {}
    const { sql: select } = viewSql({ columns, files, retyped })
    const order = sortSql(sort, columns)
    const thinned = group[0]?.thinned
    const segment = await writeSegment(store, this.#engine, {
      ...{ table, select, columns, order, from: files },
      ...(thinned === undefined ? {} : { thinned }),
    })
    if (segment === null) throw new Error(`compaction of ${table} gave no rows`)
    await store.manifest.append({ kind: 'segment', segment, throughSeq: 0, replaces: group.map(({ file }) => file), columns })
    store.discard(files.map(({ path }) => path))
    return segment
  }
}
