import type { NativeHead } from '../engine-protocol.ts'
import { quoteName } from '../names.ts'
import type { ColumnType, ColumnTypes } from '../rows/columns.ts'
import { identifier, SEG, storedName, storedNames, TYPES } from './names.ts'

/** Columns of a ClickHouse table and their types, as `system.columns` has them. */
export type StoredColumns = Readonly<Record<string, string>>

/** Seals of so many µs are one partition: merged into few files, and given back to the disk when the last of them is gone. */
const PARTITION_US = 4 * 3_600_000_000

/** Rows of a seal lie together, by time: what is asked of few seals and a range reads little else. */
export function createTableSql(table: string): string {
  return [
    `CREATE TABLE IF NOT EXISTS ${identifier(table)} (${identifier(SEG)} Int64, \`time\` Int64)`,
    `ENGINE = MergeTree PARTITION BY intDiv(${identifier(SEG)}, ${PARTITION_US}) ORDER BY (${identifier(SEG)}, \`time\`)`,
  ].join(' ')
}

/** Settings of newer servers by which they sync what was inserted, and its folder, before they say that it is there. */
export const DURABLE = ['fsync_after_insert', 'fsync_part_directory'] as const

export const durableSql = (table: string): string =>
  `ALTER TABLE ${identifier(table)} MODIFY SETTING ${DURABLE.map((name) => `${name} = 1`).join(', ')}`

export const partitionOf = (seg: number): number => Math.floor(seg / PARTITION_US)

/** The seals that have rows in some partitions. */
export function partitionsSql(table: string, partitions: readonly number[]): string {
  const seg = identifier(SEG)
  return `SELECT DISTINCT ${seg} FROM ${identifier(table)} WHERE intDiv(${seg}, ${PARTITION_US}) IN (${partitions.join(', ')})`
}

export const columnsSql = (database: string, table: string): string =>
  `SELECT name, type FROM system.columns WHERE database = ${database} AND table = ${table}`

/** One statement for each column the table has not. */
export function addColumnsSql(table: string, columns: ColumnTypes, existing: StoredColumns): string[] {
  const missing = Object.entries(columns)
    .map(([name, type]) => ({ stored: storedName(name, type, existing), type }))
    .filter(({ stored }) => !(stored in existing))
  return missing.map(({ stored, type }) => `ALTER TABLE ${identifier(table)} ADD COLUMN ${identifier(stored)} ${TYPES[type]}`)
}

/**
 * What is written into ClickHouse: the SELECT for the engine that gives the rows of a seal, and its columns as the table has them. A time
 * is µs in the engine's memory, too.
 */
export function exportSql(view: string, columns: ColumnTypes, seg: number): string {
  const values = Object.entries(columns).map(([name, type]) => `${quoteName(name)}::${type} AS ${quoteName(name)}`)
  return `SELECT ${seg}::BIGINT AS "${SEG}\u007f", ${values.join(', ')} FROM (${view})`
}

export function exportHead(columns: ColumnTypes, existing: StoredColumns): NativeHead[] {
  const head = Object.entries(columns).map(([name, type]) => ({ name: storedName(name, type, existing), type: TYPES[type] }))
  return [{ name: SEG, type: 'Int64' }, ...head.map((column) => (column.name === 'time' ? { ...column, type: 'Int64' } : column))]
}

/** The head of the INSERT; rows follow in the format Native. */
export function insertSql(table: string, head: readonly NativeHead[]): string {
  return `INSERT INTO ${identifier(table)} (${head.map(({ name }) => identifier(name)).join(', ')}) FORMAT Native`
}

/** A column's value as its type of now, where it was only widened since; the table may not have it yet. */
export function columnSql(name: string, type: ColumnType, existing: StoredColumns): string {
  if (name === 'time') return '`time`'
  const values = storedNames(name, existing).map((found) => {
    const column = identifier(found.stored)
    if (type === 'DOUBLE' && found.type === 'BIGINT') return { rank: 1, sql: `toFloat64(${column})` }
    // BIGINT and TIMESTAMP are kept alike.
    return TYPES[found.type] === TYPES[type] ? { rank: 0, sql: column } : null
  })
  const fitting = values.filter((value) => value !== null).sort((a, b) => a.rank - b.rank)
  if (fitting.length === 0) return `CAST(NULL, '${TYPES[type]}')`
  return fitting.length === 1 ? (fitting[0]?.sql ?? '') : `coalesce(${fitting.map(({ sql }) => sql).join(', ')})`
}

/** A column's values of all types it ever had, as text. */
export function columnTextSql(name: string, existing: StoredColumns): string {
  const values = storedNames(name, existing).map(({ stored, type }) => {
    const column = identifier(stored)
    return type === 'BOOLEAN' ? booleanText(column) : `toString(${column})`
  })
  if (values.length === 0) return "CAST(NULL, 'Nullable(String)')"
  return values.length === 1 ? (values[0] ?? '') : `coalesce(${values.join(', ')})`
}

export const booleanText = (column: string): string => `multiIf(isNull(${column}), NULL, ${column} = 1, 'true', 'false')`
