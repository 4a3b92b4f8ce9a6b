import type { Observed } from '../../../core/scuba/observed.ts'
import type { DerivedColumns } from './derived.ts'
import type { Store } from './store.ts'

/** What the server concludes entries from. */
export function observe(store: Store, derived: DerivedColumns, leaf: string): Observed {
  const tables = store.tables()
  return {
    leaf,
    registryVersion: store.registry.current.version,
    tables: Object.fromEntries(tables.map(({ name, columns, rows, bytes, segments }) => [name, { columns, rows, bytes, segments }])),
    lost: tables.flatMap(({ name: table }) =>
      store.lostSegments(table).map(({ segment: { file, rows }, reason }) => ({ table, file, rows, reason })),
    ),
    notes: store.manifest.notes,
    broken: derived.broken(),
  }
}
