import { z } from 'zod'
import type { ActionDef } from '../../../core/contracts/operation.ts'
import { scubaLeafAside, scubaLeafAsideSettle } from '../../../core/scuba/operations/aside.ts'
import { scubaArtefactList, scubaCache } from '../../../core/scuba/operations/asking.ts'
import { scubaQuarantineDrop, scubaQuarantineReplay } from '../../../core/scuba/operations/quarantine.ts'
import { scubaReceiptList } from '../../../core/scuba/operations/receipts.ts'
import { scubaErase, scubaRetentionShow } from '../../../core/scuba/operations/retention.ts'
import { scubaCompact, scubaSegmentList, scubaVerify } from '../../../core/scuba/operations/segments.ts'
import { scubaColumnList } from '../../../core/scuba/operations/tables.ts'
import { cacheInfo } from './cache-info.ts'
import { showColumns } from './column-stats.ts'
import type { Compactor } from './compactor.ts'
import type { DerivedColumns } from './derived.ts'
import type { Engine } from './engine.ts'
import type { Engines } from './engines.ts'
import { erase } from './erase.ts'
import { dropQuarantined, replayQuarantined } from './quarantine.ts'
import { showRetention } from './retention-view.ts'
import type { Retainer } from './retainer.ts'
import type { Scrubber } from './scrubber.ts'
import type { Sealer } from './sealer.ts'
import { listSegments } from './segment-list.ts'
import { dropAllAside, listAside, mergeAside } from '../replica/merge-aside.ts'
import type { Leaf } from './http.ts'
import type { Store } from './store.ts'
import type { TableJobs } from './table-jobs.ts'

export interface Parts {
  store: Store
  engine: Engine
  /** what answers queries */
  engines: Engines
  /** seals, and puts segments in order */
  sealEngine: Engine
  sealer: Sealer
  compactor: Compactor
  retainer: Retainer
  scrubber: Scrubber
  derived: DerivedColumns
  jobs: TableJobs
}

/** How a deed is asked for. */
export interface Asked {
  /** look what would be done, and do nothing */
  isPlan: boolean
  /** who asks */
  by: string
  signal: AbortSignal
}

const askedSchema = z.object({ isPlan: z.boolean().default(false), by: z.string().default('') })

interface Deed {
  /** @throws ZodError when the body is not the operation's input */
  run: (leaf: Leaf, body: unknown, signal: AbortSignal) => Promise<unknown>
}

function deed<Def extends ActionDef>(
  operation: Def,
  run: (leaf: Leaf, input: z.output<Def['input']>, asked: Asked) => Promise<z.input<Def['output']>>,
): [string, Deed] {
  return [
    operation.name,
    {
      run: (leaf, body, signal) => run(leaf, operation.input.parse(body) as z.output<Def['input']>, { ...askedSchema.parse(body), signal }),
    },
  ]
}

/** Operations that the leaf carries out as they are asked of the server: `POST /v1/scuba/do/<operation>` with its input. */
export const DEEDS: ReadonlyMap<string, Deed> = new Map([
  deed(scubaColumnList, showColumns),
  deed(scubaRetentionShow, async ({ store, retainer }, { table }) => showRetention(store, retainer, table)),
  deed(scubaArtefactList, async ({ engines }) => engines.artefacts?.status() ?? { artefacts: [], checked: 0, differences: 0 }),
  deed(scubaCache, async ({ engines }) => cacheInfo(engines)),
  deed(scubaErase, erase),
  deed(scubaQuarantineReplay, replayQuarantined),
  deed(scubaQuarantineDrop, dropQuarantined),
  deed(scubaSegmentList, async ({ store, scrubber }, { table }) => listSegments(store, scrubber, table)),
  deed(scubaReceiptList, async ({ store }, asked) => ({ receipts: store.keys.find(asked) })),
  deed(scubaVerify, ({ scrubber }, { table, rate }, { signal }) => scrubber.verify(table, rate, signal)),
  // The node is the leaf's name by now.
  deed(scubaLeafAside, (leaf, { node }) => listAside(leaf, node)),
  deed(scubaLeafAsideSettle, (leaf, { node, what }, { isPlan }) =>
    what === 'drop' ? dropAllAside(leaf, node, isPlan) : mergeAside(leaf, node, { isPlan, isSure: false }),
  ),
  deed(scubaCompact, async ({ store, sealer, compactor }, { table }) => {
    await sealer.sealNow(store.tail(table))
    return { table, ...(await compactor.compact(table, Date.now(), 2)) }
  }),
])
