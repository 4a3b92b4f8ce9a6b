import { isOwnTable } from '../names.ts'

/** Segments in ClickHouse have names of this form in place of a file's: which server, which table, and the number of the seal. */
const PLACE = /^clickhouse(\d*):([a-z][a-z0-9_]*):(\d+)$/

export interface Place {
  /** which of those a leaf was told of, from 1 */
  server: number
  /** of ClickHouse; the table's name when it was sealed, whatever it was renamed to since */
  table: string
  seg: number
}

/** The first server's number is not written. */
export const placeName = ({ server, table, seg }: Place): string => `clickhouse${server === 1 ? '' : server}:${table}:${seg}`

/** Null: it is a file. */
export function placeOf(file: string): Place | null {
  const match = PLACE.exec(file)
  return match ? { server: Number(match[1] || 1), table: match[2] ?? '', seg: Number(match[3]) } : null
}

/** Muster's own tables stay with the leaf: they are small, and are looked at when something else is away. */
export const mayBeAway = (table: string): boolean => !isOwnTable(table)
