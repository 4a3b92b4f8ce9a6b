import type { Observed } from '../../../core/scuba/observed.ts'
import type { DerivedColumns } from './derived.ts'
import type { Copies } from '../replica/copies.ts'
import type { HeldCopies } from '../replica/held-copies.ts'
import { asideRows } from '../replica/stand-down.ts'
import type { Store } from './store.ts'
import { setTimeout as sleep } from 'node:timers/promises'

interface Observing {
  store: Store
  derived: DerivedColumns
  copies: Copies
  held: HeldCopies
  name: string
}

const LOOK_MS = 50
const WAIT_MS_MAX = 30_000

/** What the server concludes entries from; with a mark it has already, as soon as there is another, or after that time. */
export async function observeAfter(parts: Observing, after: string | null, waitMs: number, signal: AbortSignal): Promise<Observed> {
  const until = performance.now() + Math.min(WAIT_MS_MAX, waitMs)
  while (markOf(parts) === after && performance.now() < until && !signal.aborted) await sleep(LOOK_MS)
  return observe(parts)
}

/** Changes with every table, column, note and lost segment, with whose rows are where, and with each start. */
function markOf({ store, derived, copies, held }: Observing): string {
  const tails = store.tails()
  const columns = tails.reduce((sum, tail) => sum + tail.columns.version, 0)
  const lost = tails.reduce((sum, { name }) => sum + (store.manifest.tables.get(name)?.lost.size ?? 0), 0)
  const notes = store.manifest.notes.at(-1)?.number ?? 0
  const copied = JSON.stringify([
    copies.state().map(({ leaf, state }) => [leaf, state]),
    held.observed().map(({ of, epochs }) => [of, epochs]),
    held.owns(),
  ])
  const { version } = store.registry.current
  return [process.pid, version, tails.length, columns, lost, notes, derived.broken().length, store.diskLevel, copied].join('.')
}

function observe(parts: Observing): Observed {
  const { store, derived, copies, held, name: leaf } = parts
  const tables = store.tables()
  return {
    leaf,
    mark: markOf(parts),
    registryVersion: store.registry.current.version,
    disk: store.diskLevel,
    tables: Object.fromEntries(tables.map(({ name, columns, rows, bytes, segments }) => [name, { columns, rows, bytes, segments }])),
    lost: tables.flatMap(({ name: table }) =>
      store.lostSegments(table).map(({ segment: { file, rows }, reason }) => ({ table, file, rows, reason })),
    ),
    notes: store.manifest.notes,
    broken: derived.broken(),
    copies: copies.state(),
    holds: held.observed(),
    owns: held.owns(),
    asideRows: asideRows(store.dir),
  }
}
