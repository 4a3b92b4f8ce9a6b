import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CATALOGUE_RELATIONS } from '../../../../core/scuba/pgwire/catalogue/relations.ts'
import type { CatalogueColumn } from '../../../../core/scuba/pgwire/catalogue/fill.ts'
import { pgTypeOf } from '../../../../core/scuba/pgwire/types.ts'
import type { TableInfo } from '../../../../core/scuba/wire-types.ts'
import type { Store } from '../store.ts'

/** Sizes and counts of rows in the catalogue may be this old. */
const STALE_MS = 30_000

/** The tables as PostgreSQL's catalogue shows them, in a file that engines read: one line a column. */
export class CatalogueFile {
  readonly #store: Store
  readonly #dir: string
  #known: { columns: string; atMs: number; version: string; path: string } | null = null
  #count = 0

  constructor(store: Store) {
    this.#store = store
    this.#dir = join(store.dir, 'tmp')
  }

  /** The file as it is true now. It stays as long as a query that was told of it can be running. */
  current(): { version: string; path: string } {
    const nowMs = Date.now()
    const columns = this.#store
      .tails()
      .map(({ name, columns: { version } }) => `${name} ${version}`)
      .join('\n')
    const known = this.#known
    if (known !== null && known.columns === columns && nowMs - known.atMs < STALE_MS) return known
    this.#count += 1
    const path = join(this.#dir, `catalogue-${process.pid}-${this.#count}.ndjson`)
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
    writeFileSync(path, linesOf(this.#store.tables()), { mode: 0o600 })
    if (known !== null) this.#store.discard([known.path])
    this.#known = { columns, atMs: nowMs, version: `${process.pid}-${this.#count}`, path }
    return this.#known
  }
}

function linesOf(tables: readonly TableInfo[]): string {
  const taken = new Set<number>(CATALOGUE_RELATIONS.map(({ oid }) => oid))
  return tables
    .flatMap(({ name, rows, bytes, columns }) => {
      const relid = oidOf(name, taken)
      return Object.entries(columns).map(([attname, type], index): string =>
        JSON.stringify({
          relid,
          relname: name,
          rows,
          bytes,
          attnum: index + 1,
          attname,
          typid: pgTypeOf(type).oid,
        } satisfies CatalogueColumn),
      )
    })
    .join('\n')
}

/** The same for the same name as long as no other name comes to it: clients remember oids. FNV-1a, above those of PostgreSQL itself. */
function oidOf(name: string, taken: Set<number>): number {
  let hash = 0x81_1c_9d_c5
  for (let index = 0; index < name.length; index += 1) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01_00_01_93)
  let oid = 16_385 + ((hash >>> 0) % 2_000_000_000)
  while (taken.has(oid)) oid += 1
  taken.add(oid)
  return oid
}
