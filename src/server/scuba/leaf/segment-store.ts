import type { Partial } from '../../../core/scuba/merge/partial.ts'
import type { PartList } from '../../../core/scuba/plan/parts.ts'
import type { PartialPlan } from '../../../core/scuba/plan/sources.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'
import type { ColumnTypes } from '../../../core/scuba/rows/columns.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import type { PlainValue } from '../../../core/scuba/wire-types.ts'
import type { Clip } from './partial-cache.ts'

/** Rows that are to become a segment. */
export interface Sealing {
  table: string
  columns: ColumnTypes
  /** SELECT for the engine that gives them */
  select: string
  /** how many there are, and whether fewer may come out of it */
  rows: number
  mayShrink: boolean
  /** told the segment's name and its rows before anything is written */
  note: (file: string, rows: number) => Promise<void>
}

export interface PartialsAsked {
  plan: PartialPlan
  list: PartList
  registers: number
  isPortable: boolean
  types: ColumnTypes
  /** each becomes one partial; what a source has is on one server */
  sources: readonly { files: readonly ViewFile[]; clip: Clip }[]
  params: Readonly<Record<string, PlainValue>>
  /** conditions of the plan, and of each its node of the engine's parse tree */
  trees: ReadonlyMap<string, unknown>
  deadlineAtMs: number
  signal: AbortSignal | undefined
}

export interface RowsAsked {
  files: readonly ViewFile[]
  clip: Clip
  /** those that are wanted, with `time` */
  columns: ColumnTypes
  /** columns that come as text, whatever their types were */
  retyped: readonly string[]
  /** nodes of the engine's parse trees, conditions that all rows asked for fulfil; any may be left aside */
  conditions: readonly unknown[]
  params: Readonly<Record<string, PlainValue>>
  deadlineAtMs: number
  signal: AbortSignal | undefined
}

/** A condition on rows of one table, as the engine parsed it. */
export interface Matching {
  /** those of the table, without derived ones */
  columns: ColumnTypes
  retyped: readonly string[]
  /** node of the engine's parse tree */
  condition: unknown
}

export interface Rewriting {
  segment: Segment
  columns: ColumnTypes
  /** a condition: without the rows it is true for; else one of so many that there were at first, with their weights */
  how: Matching | { thinTo: number }
  /** told the segment that stands in its place, null when it has no rows; what is written counts from then on */
  accept: (after: Segment | null) => Promise<void>
}

/**
 * A place for a leaf's sealed rows other than files of its own. Journal, acknowledgement, deduplication, manifest, caches and alerts
 * are the leaf's in any case: what is written here counts once the manifest says so, and no longer than that. Everything fails with
 * SCUBA_DOWN while the place cannot be reached.
 */
export interface SegmentStore {
  /** for people: where it is, without secrets */
  readonly where: string
  /** why nothing can be written there now, in words; null: it can */
  readonly away: string | null
  /** what of it cannot be reached, and why, in words; null: all can */
  readonly trouble: string | null
  /** why a segment cannot be read now, in words; null: it can */
  whyAway: (file: string) => string | null
  /** Writes rows and sees that they are there, all of them. @returns null when there were none */
  seal: (sealing: Sealing) => Promise<Segment | null>
  /** A seal whose end was not seen: the segment, or null if it is not whole and has to be written again under another name. */
  settle: (table: string, file: string, rows: number) => Promise<Segment | null>
  /** Null where it has no words for what is asked: the engine then does it with {@link rows}. */
  partials: (asked: PartialsAsked) => Promise<Partial[] | null>
  /** The rows as chunks in the leaf's folder, which the caller removes. @throws SCUBA_TOO_LARGE */
  rows: (asked: RowsAsked) => Promise<ViewFile[]>
  /** Of segments of a table, how many rows a condition is true for; null where it has no words for it. */
  matches: (files: readonly string[], matching: Matching) => Promise<Map<string, number> | null>
  /** Writes a segment's rows anew, there, under another name. @returns false where it has no words for what is asked: nothing was done */
  rewrite: (rewriting: Rewriting) => Promise<boolean>
  /** Erases segments; those that cannot be now are swept up later, for nothing names them any more. */
  drop: (files: readonly string[]) => Promise<void>
  /** What is there of segments: rows, and their bounds, µs. */
  describe: (files: readonly string[]) => Promise<Map<string, { rows: number; minUs: number; maxUs: number }>>
}
