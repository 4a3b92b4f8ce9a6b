import { isOwnTable } from '../names.ts'

/** Segments in ClickHouse have names of this form in place of a file's: which table, and the number of the seal. */
const PLACE = /^clickhouse:([a-z][a-z0-9_]*):(\d+)$/

export interface Place {
  /** of ClickHouse; the table's name when it was sealed, whatever it was renamed to since */
  table: string
  seg: number
}

export const placeName = ({ table, seg }: Place): string => `clickhouse:${table}:${seg}`

/** Null: it is a file. */
export function placeOf(file: string): Place | null {
  const match = PLACE.exec(file)
  return match ? { table: match[1] ?? '', seg: Number(match[2]) } : null
}

/** Muster's own tables stay with the leaf: they are small, and are looked at when something else is away. */
export const mayBeAway = (table: string): boolean => !isOwnTable(table)
