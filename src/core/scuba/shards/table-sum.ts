import { addCaps } from '../rows/caps.ts'
import type { TableInfo } from '../wire-types.ts'

/** How many rows a table is thought to have within a range of ms: they are taken to be spread evenly over its time. */
export function rowsWithin(info: TableInfo | undefined, sinceMs: number, untilMs: number): number {
  if (!info || info.fromMs === null || info.toMs === null) return 0
  const span = Math.max(1, info.toMs - info.fromMs)
  const inside = Math.min(info.toMs + 1, untilMs) - Math.max(info.fromMs, sinceMs)
  return inside <= 0 ? 0 : Math.ceil(info.rows * Math.min(1, inside / span))
}

/** What two leaves hold of a table, added up. */
export function sumOfTables(a: TableInfo, b: TableInfo): TableInfo {
  const pick = (of: 'fromMs' | 'toMs', choose: (x: number, y: number) => number): number | null => {
    const [x, y] = [a[of], b[of]]
    return x === null || y === null ? (x ?? y) : choose(x, y)
  }
  return {
    ...a,
    rows: a.rows + b.rows,
    bytes: a.bytes + b.bytes,
    segments: a.segments + b.segments,
    chunks: a.chunks + b.chunks,
    columns: { ...b.columns, ...a.columns },
    fromMs: pick('fromMs', Math.min),
    toMs: pick('toMs', Math.max),
    capped: a.capped && b.capped ? addCaps(a.capped, b.capped) : (a.capped ?? b.capped),
  }
}
