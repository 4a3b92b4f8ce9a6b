import type { Segment } from '../wal/manifest.ts'
import { isHeld } from './plan.ts'
import type { Hold } from './policy.ts'

export type EvictedSegment = Pick<Segment, 'file' | 'rows' | 'bytes' | 'minUs' | 'maxUs'>

export interface EvictableTable {
  table: string
  /** muster's own, which goes last: it is small, and tells what happened */
  isOwn: boolean
  segments: readonly EvictedSegment[]
  /** of this table, or of all */
  holds: readonly Hold[]
}

/** Rows of the last hour stay: alerts, objectives and rollouts stand on them, and a disk that others fill is not emptied for it. */
const YOUNG_MS = 3_600_000

/**
 * What goes before its time because the disk is filling up: the oldest segments of all tables, whatever their policies say, until so
 * many bytes are free. What a hold touches stays.
 * @returns table → its segments, oldest first
 */
export function planEviction(tables: readonly EvictableTable[], bytesWanted: number, nowMs: number): Map<string, EvictedSegment[]> {
  const candidates = tables
    .flatMap(({ table, isOwn, segments, holds }) =>
      segments
        .filter((segment) => segment.maxUs / 1000 < nowMs - YOUNG_MS && !isHeld(segment, holds))
        .map((segment) => ({ table, isOwn, segment })),
    )
    .sort((a, b) => Number(a.isOwn) - Number(b.isOwn) || a.segment.maxUs - b.segment.maxUs || (a.segment.file < b.segment.file ? -1 : 1))
  const going = new Map<string, EvictedSegment[]>()
  let bytes = 0
  for (const { table, segment } of candidates) {
    if (bytes >= bytesWanted) break
    bytes += segment.bytes
    going.set(table, [...(going.get(table) ?? []), segment])
  }
  return going
}
