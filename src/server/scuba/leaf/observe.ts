import type { Observed } from '../../../core/scuba/observed.ts'
import type { DerivedColumns } from './derived.ts'
import type { Store } from './store.ts'
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_MS = 50
const WAIT_MS_MAX = 30_000

/** What the server concludes entries from; with a mark it has already, as soon as there is another, or after that time. */
export async function observeAfter(
  parts: { store: Store; derived: DerivedColumns; name: string },
  after: string | null,
  waitMs: number,
  signal: AbortSignal,
): Promise<Observed> {
  const until = performance.now() + Math.min(WAIT_MS_MAX, waitMs)
  while (markOf(parts.store, parts.derived) === after && performance.now() < until && !signal.aborted) await sleep(LOOK_MS)
  return observe(parts.store, parts.derived, parts.name)
}

/** Changes with every table, column, note and lost segment, and with each start. */
function markOf(store: Store, derived: DerivedColumns): string {
  const tails = store.tails()
  const columns = tails.reduce((sum, tail) => sum + tail.columns.version, 0)
  const lost = tails.reduce((sum, { name }) => sum + (store.manifest.tables.get(name)?.lost.size ?? 0), 0)
  const notes = store.manifest.notes.at(-1)?.number ?? 0
  return [process.pid, store.registry.current.version, tails.length, columns, lost, notes, derived.broken().length, store.diskLevel].join(
    '.',
  )
}

function observe(store: Store, derived: DerivedColumns, leaf: string): Observed {
  const tables = store.tables()
  return {
    leaf,
    mark: markOf(store, derived),
    registryVersion: store.registry.current.version,
    disk: store.diskLevel,
    tables: Object.fromEntries(tables.map(({ name, columns, rows, bytes, segments }) => [name, { columns, rows, bytes, segments }])),
    lost: tables.flatMap(({ name: table }) =>
      store.lostSegments(table).map(({ segment: { file, rows }, reason }) => ({ table, file, rows, reason })),
    ),
    notes: store.manifest.notes,
    broken: derived.broken(),
  }
}
