import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { ArtefactsStatus } from '../../../../core/scuba/operations/asking.ts'
import { quoteText } from '../../../../core/scuba/names.ts'
import { codedSql } from '../../../../core/scuba/plan/codes.ts'
import { viewSql, type ViewFile } from '../../../../core/scuba/plan/view.ts'
import type { Engines } from '../engines.ts'
import type { ReadTable } from '../reading.ts'
import type { Store } from '../store.ts'

/** A copy is made of what came in for so long; younger rows are few. */
const EVERY_MS = 4000
const ROWS_MIN = 1000
/** … once reading the rows as they came cost about as much as the copy does */
const READS_MIN = 3

interface Copy {
  table: string
  file: ViewFile
  buildMs: number
  uses: number
  /** chunks whose rows it has */
  of: readonly string[]
}

interface Tail {
  builtAtMs: number
  /** read as they came since then */
  rowsRead: number
}

let files = 0

/**
 * Copies in columns of rows that are not sealed yet. A board of a busy table looks at its newest rows again and again, and as text they
 * cost ten times what they do in columns. A copy goes with its first chunk, which is when that is sealed: within a minute or so.
 */
export class TailCopies {
  readonly #store: Store
  readonly #engines: Engines
  readonly #dir: string
  /** path of a chunk → the copy that has its rows */
  readonly #of = new Map<string, Copy>()
  readonly #tails = new Map<string, Tail>()
  #isBusy = false

  constructor(store: Store, engines: Engines, dir: string) {
    this.#store = store
    this.#engines = engines
    this.#dir = dir
  }

  /** All of a table as one. */
  status(): ArtefactsStatus['artefacts'] {
    const tables = Map.groupBy(new Set(this.#of.values()), ({ table }) => table)
    const sum = (copies: readonly Copy[], of: (copy: Copy) => number): number => copies.reduce((all, copy) => all + of(copy), 0)
    return [...tables].map(([table, copies]) => ({
      ...{ table, kind: 'tail copy', of: 'unsealed rows', segments: copies.length, heatMs: 0, savedMs: 0 },
      bytes: sum(copies, ({ file }) => statSync(file.path, { throwIfNoEntry: false })?.size ?? 0),
      rows: sum(copies, ({ file }) => file.rows),
      buildMs: sum(copies, ({ buildMs }) => buildMs),
      uses: sum(copies, ({ uses }) => uses),
    }))
  }

  /** The same rows, with copies in place of chunks where all chunks of a copy are among the files. */
  standIn(files: readonly ViewFile[]): ViewFile[] {
    if (this.#of.size === 0) return [...files]
    const paths = new Set(files.map(({ path }) => path))
    const used = new Set<Copy>()
    const rest = files.filter(({ path }) => {
      const copy = this.#of.get(path)
      if (!copy?.of.every((one) => paths.has(one))) return true
      used.add(copy)
      return false
    })
    for (const copy of used) copy.uses += 1
    return [...rest, ...[...used].map(({ file }) => file)]
  }

  /** These files of a table were read. Makes a copy of those that were not yet, behind it, if that pays. */
  note({ name, view }: Pick<ReadTable, 'name' | 'view'>, read: readonly ViewFile[], nowMs = Date.now()): Promise<void> | null {
    const chunks = read.filter(({ kind, path }) => (kind === 'chunk' || kind === 'raw') && !this.#of.has(path))
    // A column that was retyped is fitted when it is read, and only once.
    if (chunks.length === 0 || (view.retyped ?? []).length > 0) return null
    const tail = this.#tails.get(name) ?? { builtAtMs: nowMs, rowsRead: 0 }
    this.#tails.set(name, tail)
    const rows = chunks.reduce((sum, file) => sum + file.rows, 0)
    tail.rowsRead += rows
    const isDue = nowMs - tail.builtAtMs >= EVERY_MS && rows >= ROWS_MIN && tail.rowsRead >= READS_MIN * rows
    if (!isDue || this.#isBusy) return null
    this.#tails.set(name, { builtAtMs: nowMs, rowsRead: 0 })
    return this.#build(name, view, chunks, rows)
  }

  /** Forgets the copies of chunks that are gone. */
  forget(paths: readonly string[]): void {
    const gone = new Set(paths.flatMap((path) => this.#of.get(path) ?? []))
    if (gone.size === 0) return
    for (const { of } of gone) for (const path of of) this.#of.delete(path)
    this.#store.discard([...gone].map(({ file }) => file.path))
  }

  async #build(table: string, { columns }: ReadTable['view'], chunks: readonly ViewFile[], rows: number): Promise<void> {
    this.#isBusy = true
    // The chunks stay until it is done.
    const end = this.#store.hold()
    const startedMs = performance.now()
    const path = join(this.#dir, `${table}-tail-${Date.now().toString(36)}-${(files += 1)}`)
    try {
      const { sql, codes } = codedSql(viewSql({ columns, files: chunks }).sql, columns)
      const written = await this.#engines.first.export(
        `COPY (${sql}) TO ${quoteText(path)} (FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE 40960)`,
      )
      const still = new Set(this.#store.ownTail(table).chunks.map((chunk) => chunk.path))
      const of = chunks.map((chunk) => chunk.path)
      if (written !== rows || !of.every((one) => still.has(one))) return this.#store.discard([path])
      const minUs = Math.min(...chunks.map((chunk) => chunk.minUs))
      const maxUs = Math.max(...chunks.map((chunk) => chunk.maxUs))
      const buildMs = Math.round(performance.now() - startedMs)
      const copy: Copy = { table, file: { path, kind: 'segment', minUs, maxUs, rows, codes }, of, buildMs, uses: 0 }
      for (const one of of) this.#of.set(one, copy)
    } catch (error) {
      // Their rows are read as they came; what is wrong with them is seen there.
      this.#store.log.warn('unsealed rows could not be copied', { table, error: String(error) })
      this.#store.discard([path])
    } finally {
      end()
      this.#isBusy = false
    }
  }
}
