import { isRefusal } from '../../../core/kernel/errors.ts'
import { groupsToWire } from '../../../core/scuba/merge/wire.ts'
import { rankPart, planPanel } from '../../../core/scuba/plan/panel.ts'
import { sideOf } from '../../../core/scuba/plan/retyped.ts'
import { columnsOf } from '../../../core/scuba/plan/view.ts'
import { coverageOfLeaves } from '../../../core/scuba/shards/coverage.ts'
import type { CacheUse } from '../../../core/scuba/wire-types.ts'
import { deadlineOf } from '../leaf/answering.ts'
import type { HeldCopies } from '../replica/held-copies.ts'
import type { Engines } from '../leaf/engines.ts'
import { gather } from '../leaf/gather.ts'
import type { Asker } from '../leaf/slots.ts'
import { readTables, type ReadTable } from '../leaf/reading.ts'
import type { Store } from '../leaf/store.ts'
import type { Peers } from './peers.ts'
import type { PartialsAnswer, PartialsRequest } from './wire.ts'

export interface Answering {
  store: Store
  engines: Engines
  peers: Peers
  held: HeldCopies
}

/** Answers `POST …/partials`: what this leaf's rows give, or those of its copy of another's, and, when it stands for others, theirs with it. */
export async function ownPartials(
  { store, engines, peers, held }: Answering,
  asked: PartialsRequest,
  signal: AbortSignal,
  asker: Asker,
): Promise<PartialsAnswer> {
  const { request, view, what, under, copy } = asked
  const deadlineMs = deadlineOf(request)
  const deadlineAtMs = Date.now() + deadlineMs
  const plan = planPanel(request, columnsOf(view), Date.now(), asked.isPortable)
  if (isRefusal(plan)) throw plan
  const others = under.length === 0 ? null : peers.merged(under, asked, { deadlineMs, signal }, ({ id }) => peers.rowsOf(id, request.table))
  const reading = copy
    ? await held.read(copy, request.table, plan)
    : await readTables(store, hasTable(store, request.table) ? [request.table] : [], plan, 'later')
  try {
    const use: CacheUse = { isWhole: false, hits: 0, misses: 0 }
    const own = reading.tables[0] ?? { name: request.table, files: [], basis: [], view: { columns: {}, files: [] } }
    const table = inWordsOf(view, own)
    const merged = await engines.slots.use(asker, deadlineAtMs - Date.now(), signal, () =>
      gather(
        {
          engines,
          plan,
          table,
          columns: asked.columns,
          params: request.params ?? {},
          deadlineAtMs,
          signal,
          use,
          // What is kept of answers is kept of this leaf's own files.
          isRaw: request.raw === true || copy !== undefined,
        },
        what,
      ),
    )
    const mine = { coverage: reading.coverage, rowsScanned: reading.rowsScanned }
    if (others === null) return { groups: groupsToWire(plan.list, merged), cache: use, ...mine }
    const { partials, answered, missing } = await others
    for (const partial of partials) merged.add(partial, null, rankPart(plan))
    return { groups: groupsToWire(plan.list, merged), cache: use, ...coverageOfLeaves([mine, ...answered], missing) }
  } finally {
    reading.end()
  }
}

export const hasTable = (store: Store, name: string): boolean => store.tableNames().has(name)

/** A table of this leaf under the columns and types of the one that asks. */
export function inWordsOf(view: PartialsRequest['view'], table: ReadTable): ReadTable {
  const retyped = [...new Set([...view.retyped, ...conflicting(view.columns, table.view.columns)])]
  return { ...table, view: { ...table.view, columns: view.columns, derived: view.derived, retyped } }
}

/** Columns whose values a leaf holds in another type than the one that asks: read as text, and fitted. */
function conflicting(asked: Readonly<Record<string, string>>, own: Readonly<Record<string, string>>): string[] {
  return Object.entries(asked).flatMap(([name, type]) => {
    const mine = own[name]
    const isWider = mine === 'BIGINT' && type === 'DOUBLE'
    return mine === undefined || mine === type || isWider || !(sideOf(name) in asked) ? [] : [name]
  })
}
