import type { Part, Sketch } from '../plan/parts.ts'
import { ALL, ROW } from '../plan/sources.ts'
import type { PlainValue } from '../wire-types.ts'

/** A number of a partial; whole ones beyond 2^53 as bigint. */
export type Amount = number | bigint | null

/** One group of a partial, in one step. */
export interface PartialRow {
  key: readonly PlainValue[]
  /** `key` as text, to find it by */
  id: string
  step: number | null
  parts: Amount[]
  /** per sketch of the plan, when the group has values for it: codes, and for histograms their weights */
  sketches: ({ codes: readonly number[]; weights: readonly number[] | null } | null)[]
}

/** What one source gave: immutable, so it stays true as long as its files do. */
export interface Partial {
  rows: PartialRow[]
  /** rows there were before any were left out; more than those there are: cut */
  count: number
  isCut: boolean
  /** parts of all groups together, when asked for */
  all: Amount[] | null
  /** of a cut one that was merged from several: what a group it left out may have at most; without it, the least that it sent */
  missing?: number
}

/** The engine's rows of a `partialSql`, per source. */
export function partialsOf(
  rows: readonly PlainValue[][],
  shape: { sources: number; keys: number; parts: readonly Part[]; sketches: readonly Sketch[] },
): Partial[] {
  const partials = Array.from({ length: shape.sources }, (): Partial => ({ rows: [], count: 0, isCut: false, all: null }))
  const known = partials.map(() => new Map<string, PartialRow>())
  const firstPart = ROW.keys + shape.keys
  const codesAt = firstPart + shape.parts.length
  for (const row of rows) {
    const source = Number(row[ROW.source])
    const kind = Number(row[ROW.kind])
    const partial = partials[source]
    if (!partial) continue
    const parts = (): Amount[] => shape.parts.map((_, at) => amountOf(row[firstPart + at]))
    if (kind === ALL) {
      partial.count = Number(row[ROW.count])
      partial.all = parts()
      continue
    }
    const key = row.slice(ROW.keys, firstPart)
    const step = row[ROW.step] === null ? null : Number(row[ROW.step])
    const id = JSON.stringify(key)
    const place = `${step ?? ''} ${id}`
    let group = known[source]?.get(place)
    if (!group) {
      group = { key, id, step, parts: parts(), sketches: shape.sketches.map(() => null) }
      known[source]?.set(place, group)
      partial.rows.push(group)
    }
    const codes = row[codesAt]
    if (Array.isArray(codes)) group.sketches[kind] = { codes: codes as number[], weights: row[codesAt + 1] as number[] | null }
  }
  for (const partial of partials) {
    if (partial.all === null) partial.count = partial.rows.length
    partial.isCut = partial.count > partial.rows.length
  }
  return partials
}

/** The engine's whole numbers beyond 2^53 come as text. */
function amountOf(value: PlainValue | undefined): Amount {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return BigInt(value)
  return Number(value)
}

export function mergeAmounts({ merge, isWhole }: Part, a: Amount, b: Amount): Amount {
  if (a === null) return b
  if (b === null) return a
  switch (merge) {
    case 'min':
      return a < b ? a : b
    case 'max':
      return a > b ? a : b
    case 'add': {
      if (!isWhole) return Number(a) + Number(b)
      const sum = Number(a) + Number(b)
      return Number.isSafeInteger(sum) && typeof a === 'number' && typeof b === 'number' ? sum : BigInt(a) + BigInt(b)
    }
  }
}

/** About how many bytes of memory a partial takes. */
export function partialBytes({ rows, all }: Partial): number {
  let bytes = 64 + (all?.length ?? 0) * 8
  for (const { key, id, parts, sketches } of rows) {
    bytes += 160 + id.length * 2 + parts.length * 8
    for (const value of key) bytes += 8 + (typeof value === 'string' ? value.length * 2 : 0)
    for (const sketch of sketches) if (sketch) bytes += 64 + sketch.codes.length * 8 + (sketch.weights?.length ?? 0) * 8
  }
  return bytes
}
