import { addCaps } from '../rows/caps.ts'
import type { TableInfo } from '../wire-types.ts'

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
