import { quoteName, quoteText } from '../names.ts'

/*
 * Where in a segment a value can be: a bloom filter for each stretch of its rows, with the stretch's times. Three places, of 20
 * bits of one 64-bit hash each, set a bit in a field of their own; of 122,880 different values one in 700 others is let through.
 * The hash is the engine's, so a filter is of one engine version.
 *
 * The file, little-endian: `u32 magic · u32 stretches`, then for each `f64 minUs · f64 maxUs`, then for each FIELDS fields.
 */

/** As many as the engine puts into one row group, which is what it can leave out. */
const STRETCH_ROWS = 122_880
const FIELDS = 3
const FIELD_BITS = 20
const FIELD_BYTES = 2 ** FIELD_BITS / 8
const MAGIC = 0x4d4f_4c42
const HEAD_BYTES = 8
const BOUNDS_BYTES = 16

export interface Stretch {
  minUs: number
  maxUs: number
}

const placeSql = (at: number): string => `((h >> ${at * FIELD_BITS}) & ${2 ** FIELD_BITS - 1})::INTEGER`
const places = Array.from({ length: FIELDS }, (_, at) => placeSql(at))

/** SELECT with, for each stretch of a segment's rows: bounds of `time` in µs, about how many different values, then its fields as hex. */
export function bloomSql(path: string, column: string): string {
  const fields = places.map((place) => `hex(bitstring_agg(${place}, 0, ${2 ** FIELD_BITS - 1})::BLOB)`)
  const rows = `SELECT epoch_us("time") AS t, hash(${quoteName(column)}) AS h, file_row_number // ${STRETCH_ROWS} AS g FROM read_parquet(${quoteText(path)}, file_row_number=true) WHERE ${quoteName(column)} IS NOT NULL`
  return `SELECT min(t), max(t), approx_count_distinct(h), ${fields.join(', ')} FROM (${rows}) GROUP BY g ORDER BY g`
}

/** SELECT with the places of the text `$value`. */
export const PLACES_SQL = `SELECT ${places.join(', ')} FROM (SELECT hash($value::VARCHAR) AS h)`

/** The file of what {@link bloomSql} gave. */
export function encodeBloom(rows: readonly { minUs: number; maxUs: number; fields: readonly string[] }[]): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + rows.length * (BOUNDS_BYTES + FIELDS * FIELD_BYTES))
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, rows.length, true)
  rows.forEach(({ minUs, maxUs, fields }, stretch) => {
    view.setFloat64(HEAD_BYTES + stretch * BOUNDS_BYTES, minUs, true)
    view.setFloat64(HEAD_BYTES + stretch * BOUNDS_BYTES + 8, maxUs, true)
    fields.forEach((hex, field) => {
      const start = fieldStart(rows.length, stretch, field)
      for (let at = 0; at < FIELD_BYTES; at += 1) bytes[start + at] = Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16)
    })
  })
  return bytes
}

const fieldStart = (stretches: number, stretch: number, field: number): number =>
  HEAD_BYTES + stretches * BOUNDS_BYTES + (stretch * FIELDS + field) * FIELD_BYTES

/**
 * The stretches that can have the value with these places: few small reads.
 * @param read gives so many bytes from an offset of the file on; fewer where it ends
 * @returns null when it is no such file
 */
export function stretchesWith(places: readonly number[], read: (offset: number, bytes: number) => Uint8Array): Stretch[] | null {
  const head = dataView(read(0, HEAD_BYTES))
  if (head.byteLength < HEAD_BYTES || head.getUint32(0, true) !== MAGIC || places.length !== FIELDS) return null
  const count = head.getUint32(4, true)
  const bounds = dataView(read(HEAD_BYTES, count * BOUNDS_BYTES))
  if (bounds.byteLength < count * BOUNDS_BYTES) return null
  const found: Stretch[] = []
  for (let stretch = 0; stretch < count; stretch += 1) {
    const isThere = places.every((place, field) => {
      const byte = read(fieldStart(count, stretch, field) + (place >> 3), 1)[0]
      // A file that is too short excludes nothing. The engine puts the first place into the highest bit.
      return byte === undefined || (byte & (0x80 >> (place & 7))) !== 0
    })
    if (!isThere) continue
    found.push({ minUs: bounds.getFloat64(stretch * BOUNDS_BYTES, true), maxUs: bounds.getFloat64(stretch * BOUNDS_BYTES + 8, true) })
  }
  return found
}

const dataView = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
