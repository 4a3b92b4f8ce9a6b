import type { ColumnType } from '../rows/columns.ts'

/** Stands in no name a row can bring. */
const VARIANT = '\u007f'

/** Text as a literal. ClickHouse knows `\` escapes, also where the standard does not. */
export const literal = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\0', '\\0')}'`

/** A name in quotes. */
export const identifier = (name: string): string => `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``

/** A name of ours within a statement, which no column has. */
export const own = (name: string): string => identifier(`${VARIANT}${name}`)

/** The number of the seal that wrote a row; only those that the manifest names count. */
export const SEG = '_seg'

/** Names longer than this would make names of files that no file system takes: each of their bytes may become three. */
const FILE_NAME_MAX = 180
const encoder = new TextEncoder()

/**
 * The column of a ClickHouse table that keeps a column's values of one type. The first type a name has there gets the plain name; a
 * later one gets a column of its own, because changing a type would write the table anew and break what other leaves' queries read.
 */
export function storedName(name: string, type: ColumnType, existing: Readonly<Record<string, string>>): string {
  const plain = plainName(name)
  const has = existing[plain]
  return name === 'time' || has === undefined || has === TYPES[type] ? plain : `${plain}${VARIANT}${type.toLowerCase()}`
}

/** All columns that keep values of a name, the plain one first. */
export function storedNames(name: string, existing: Readonly<Record<string, string>>): { stored: string; type: ColumnType }[] {
  const plain = plainName(name)
  const types = Object.keys(TYPES) as ColumnType[]
  const first = types.find((type) => TYPES[type] === existing[plain])
  const variants = types.map((type) => ({ stored: `${plain}${VARIANT}${type.toLowerCase()}`, type }))
  return [...(first === undefined ? [] : [{ stored: plain, type: first }]), ...variants.filter(({ stored }) => stored in existing)]
}

/** `time` is in every row; all else may be missing. Times are µs in 64 bit: 18.16 has no type for them. */
export const TYPES: Readonly<Record<ColumnType, string>> = {
  BOOLEAN: 'Nullable(UInt8)',
  BIGINT: 'Nullable(Int64)',
  DOUBLE: 'Nullable(Float64)',
  VARCHAR: 'Nullable(String)',
  TIMESTAMP: 'Nullable(Int64)',
}

function plainName(name: string): string {
  if (name === SEG) return `${VARIANT}${SEG}`
  const bytes = encoder.encode(name)
  let length = 0
  for (const byte of bytes) length += isWordByte(byte) ? 1 : 3
  if (length <= FILE_NAME_MAX) return name
  return `${name.replaceAll(/\W/g, '').slice(0, 40)}${VARIANT}${fnv1a(bytes)}`
}

const isWordByte = (byte: number): boolean =>
  (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122) || byte === 95

/** Fowler, Noll, Vo: 64 bit, as hex. */
function fnv1a(bytes: Uint8Array): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash.toString(16).padStart(16, '0')
}
