import { withoutCodes } from '../plan/codes.ts'
import type { ColumnTypes } from '../rows/columns.ts'

/** What an artefact holds of a segment. Two with the same text hold the same. */
export type ArtefactSpec = { kind: 'bloom'; column: string } | ({ kind: 'rollup' } & RollupSpec) | NativeSpec

/** All rows of a segment, but only these columns, in the engine's own form. Keys are in order. */
export interface NativeSpec {
  kind: 'native'
  /** as the table has them, and codes (`plan/codes.ts`): with another type it is another copy */
  columns: ColumnTypes
}

/** Groups of a segment by minute and dimensions, and by the codes of one sketch. */
export interface RollupSpec {
  dims: ColumnTypes
  /** as the plan's parts are: aggregates over rows, and how groups of them become one */
  parts: { sql: string; merge: 'add' | 'min' | 'max'; isWhole: boolean }[]
  sketch: { kind: 'histogram' | 'distinct'; codeSql: string; weightSql: string } | null
  /** types of all columns that are read: with another type it is another rollup */
  types: ColumnTypes
}

/** A droppable file that makes a segment faster to ask; made anew from it at any time. */
export interface Artefact {
  /** its file's name */
  file: string
  table: string
  /** file name of the segment */
  segment: string
  spec: ArtefactSpec
  bytes: number
  /** of a native copy, compared when it is taken over and now and then */
  sha256?: string
  /** groups, rows or keys in it */
  rows: number
  builtAtMs: number
  /** engine time it took, ms */
  buildMs: number
}

export const specText = (spec: ArtefactSpec): string => JSON.stringify(spec)

/** In a few words, for people. */
export function specWords(spec: ArtefactSpec): string {
  switch (spec.kind) {
    case 'bloom':
      return spec.column
    case 'native':
      return Object.keys(withoutCodes(spec.columns)).join(', ')
    case 'rollup': {
      const dims = Object.keys(spec.dims)
      const sketch = spec.sketch === null ? [] : [spec.sketch.kind]
      return `minute${dims.map((name) => ` × ${name}`).join('')}: ${[...spec.parts.map(({ sql }) => sql.replaceAll('\n', '')), ...sketch].join(', ')}`
    }
  }
}
