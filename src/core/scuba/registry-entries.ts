import { DerivedRemoved, DerivedSet } from './entries/derived.ts'
import { LeafDiskMoved, LeafDraining, LeafJoined, LeafLeaving, LeafLeft, LeafLost, SegmentLost, SegmentSettled } from './entries/leaves.ts'
import { QuotaRemoved, QuotaSet } from './entries/quotas.ts'
import { HoldReleased, HoldSet, RetentionApplied, RetentionSet, RowsErased } from './entries/retention.ts'
import { ShardMoved } from './entries/shards.ts'
import { ColumnsObserved, TableDeclared, TableDropped, TableRenamed } from './entries/tables.ts'

/** Entries that change what the leaf is told. */
const TOLD = [
  TableDeclared,
  TableDropped,
  TableRenamed,
  RetentionSet,
  HoldSet,
  HoldReleased,
  QuotaSet,
  QuotaRemoved,
  DerivedSet,
  DerivedRemoved,
  LeafJoined,
  LeafLost,
  LeafLeaving,
  LeafDraining,
  LeafLeft,
  ShardMoved,
] as const

export const registryEntries = [...TOLD, ColumnsObserved, RetentionApplied, RowsErased, LeafDiskMoved, SegmentLost, SegmentSettled] as const

const TOLD_TYPES: ReadonlySet<string> = new Set(TOLD.map(({ type }) => type))

/** Whether an entry of this type makes another registry for the leaf. */
export function isRegistryEntry(type: string): boolean {
  return TOLD_TYPES.has(type)
}
