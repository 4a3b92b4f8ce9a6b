import type { ColumnTypes } from '../rows/columns.ts'
import { identifier, literal, own, SEG } from './names.ts'
import { booleanText, columnSql, columnTextSql, type StoredColumns } from './table.ts'

/** Seals of one ClickHouse table, and what of their rows is meant; µs, the end is not included. */
export interface Seals {
  segs: readonly number[]
  sinceUs?: number | undefined
  untilUs?: number | undefined
}

/** Only what the manifest names is read: a seal that was broken off may have left rows. */
export function sealsSql({ segs, sinceUs, untilUs }: Seals): string {
  return [
    `${identifier(SEG)} IN (${segs.join(', ')})`,
    ...(sinceUs === undefined ? [] : [`\`time\` >= ${Math.round(sinceUs)}`]),
    ...(untilUs === undefined ? [] : [`\`time\` < ${Math.round(untilUs)}`]),
  ].join(' AND ')
}

/**
 * Rows as the lines of a chunk: flat JSON objects, times as µs, every value of its column's type.
 * @param retyped columns that are to come as text, whatever they were
 * @param conditions only rows for which all are true
 */
export function rowsSql(
  table: string,
  columns: ColumnTypes,
  retyped: ReadonlySet<string>,
  existing: StoredColumns,
  seals: Seals,
  conditions: readonly string[],
): string {
  const values = Object.entries(columns).map(([name, type]) => {
    if (retyped.has(name)) return columnTextSql(name, existing)
    const value = columnSql(name, type, existing)
    return type === 'BOOLEAN' ? booleanText(value) : value
  })
  const where = [sealsSql(seals), ...conditions.map((condition) => `(${condition})`)].join(' AND ')
  // In two steps: within one, a column's name in WHERE would mean what is selected under that name.
  const inner = `SELECT ${values.map((sql, at) => `${sql} AS ${own(`c${at}`)}`).join(', ')} FROM ${identifier(table)} WHERE ${where}`
  return `SELECT ${Object.keys(columns)
    .map((name, at) => `${own(`c${at}`)} AS ${identifier(name)}`)
    .join(', ')} FROM (${inner})`
}

export const statsSql = (table: string, segs: readonly number[]): string =>
  `SELECT ${identifier(SEG)}, count(), min(\`time\`), max(\`time\`) FROM ${identifier(table)} WHERE ${sealsSql({ segs })} GROUP BY ${identifier(SEG)}`

export const sizeSql = (database: string, table: string): string =>
  `SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE database = ${literal(database)} AND table = ${literal(table)} AND active`
