import { traceColumn } from '../retention/thin.ts'
import type { ColumnTypes } from '../rows/columns.ts'
import { identifier, SEG, storedName } from './names.ts'
import { columnSql, columnTextSql, type StoredColumns } from './table.ts'

/** A seal whose rows are to be written again, under another number. */
export interface Rewritten {
  table: string
  existing: StoredColumns
  seg: number
  newSeg: number
}

/** All rows but those a condition is true for. @param condition SQL that is 1 where it is true and 0 otherwise */
export const withoutSql = (rewritten: Rewritten, condition: string): string => copySql(rewritten, `NOT (${condition})`, {})

/**
 * What `thinSql` is for files: one in `to` of rows of which one in `from` is there already, with `to / from` times the weight. The
 * same traces stay as there. Rows without a trace have no place of their own here, so they are numbered as they come.
 * @param existing with a column for weights
 */
export function thinnedSql(rewritten: Rewritten, columns: ColumnTypes, from: number, to: number): string {
  const { existing, seg } = rewritten
  const factor = to / from
  const byPlace = `cityHash64(${seg}, rowNumberInAllBlocks()) % ${factor} = 0`
  const trace = traceColumn(columns)
  const text = trace === undefined ? null : `ifNull(${columnTextSql(trace, existing)}, '')`
  // Of the MD5 the half that the engine's md5_number_lower is.
  const byTrace = `reinterpretAsUInt64(substring(toString(MD5(${text})), 9, 8)) % ${to} = 0`
  const keep = text === null ? byPlace : `if(${text} = '', ${byPlace}, ${byTrace})`
  const type = columns['sample_rate'] ?? 'BIGINT'
  const one = type === 'DOUBLE' ? 'toFloat64(1)' : 'toInt64(1)'
  const weight = `ifNull(${columnSql('sample_rate', type, existing)}, ${one}) * ${factor}`
  return copySql(rewritten, keep, { [storedName('sample_rate', type, existing)]: weight })
}

/** @param values those of columns that change */
function copySql({ table, existing, seg, newSeg }: Rewritten, keep: string, values: Readonly<Record<string, string>>): string {
  const names = Object.keys(existing).filter((name) => name !== SEG)
  const from = names.map((name) => values[name] ?? identifier(name))
  return [
    `INSERT INTO ${identifier(table)} (${[SEG, ...names].map(identifier).join(', ')})`,
    `SELECT ${[`toInt64(${newSeg})`, ...from].join(', ')} FROM ${identifier(table)} WHERE ${identifier(SEG)} = ${seg} AND ${keep}`,
  ].join(' ')
}

/** Of each seal, how many rows a condition is true for. */
export const matchesSql = (table: string, segs: readonly number[], condition: string): string =>
  `SELECT ${identifier(SEG)}, sum(${condition}) FROM ${identifier(table)} WHERE ${identifier(SEG)} IN (${segs.join(', ')}) GROUP BY ${identifier(SEG)}`
