import type { PartList } from '../plan/parts.ts'
import type { PlainValue } from '../wire-types.ts'
import type { Cell, MergedGroups } from './groups.ts'
import { Histogram } from './histogram.ts'
import type { Amount, Partial, PartialRow } from './partial.ts'

/** A leaf's groups as they travel to the leaf that merges: JSON, whole numbers beyond 2^53 as text. */
export interface WireGroups {
  rows: [key: readonly PlainValue[], step: number | null, parts: WireAmount[], sketches: WireSketch[]][]
  isCut: boolean
  /** groups there are at least */
  count: number
  /** see `MergedGroups.missing`; null: no bound */
  missing: number | null
}

type WireAmount = number | string | null
type WireSketch = readonly [codes: readonly number[], weights: readonly number[] | null] | null

export function groupsToWire(list: PartList, merged: MergedGroups): WireGroups {
  const rows: WireGroups['rows'] = []
  for (const { key, total, steps } of merged.groups.values()) {
    // The total is the sum of the steps where there are any.
    if (steps.size === 0) rows.push([key, null, ...cellToWire(list, total)])
    else for (const [step, cell] of steps) rows.push([key, step, ...cellToWire(list, cell)])
  }
  return {
    rows,
    isCut: merged.isCut,
    count: Math.max(merged.countMin, merged.groups.size),
    missing: Number.isFinite(merged.missing) ? merged.missing : null,
  }
}

function cellToWire(list: PartList, { parts, sketches }: Cell): [WireAmount[], WireSketch[]] {
  return [
    parts.map((part) => (typeof part === 'bigint' ? String(part) : part)),
    list.sketches.map((_, at) => {
      const sketch = sketches[at] ?? null
      if (sketch === null) return null
      if (sketch instanceof Histogram) return [[...sketch.counts.keys()], [...sketch.counts.values()]]
      const codes: number[] = []
      sketch.ranks.forEach((rank, register) => rank > 0 && codes.push(register * 64 + rank))
      return [codes, null]
    }),
  ]
}

/** The same as a partial, to be merged with others. */
export function partialOfWire({ rows, isCut, count, missing }: WireGroups): Partial {
  return {
    rows: rows.map(([key, step, parts, sketches]): PartialRow => ({
      key,
      id: JSON.stringify(key),
      step,
      parts: parts.map((part): Amount => (typeof part === 'string' ? BigInt(part) : part)),
      sketches: sketches.map((sketch) => sketch && { codes: sketch[0], weights: sketch[1] }),
    })),
    count,
    isCut,
    all: null,
    missing: missing ?? Infinity,
  }
}
