/** PostgreSQL's types as far as answers and parameters have them, and the engine's types they stand for. */

export interface PgType {
  oid: number
  /** bytes; −1: of any length */
  size: number
  name: string
  /** of the array of it */
  arrayOid: number
  /** the engine's type of a parameter of it; null: its text is left to the engine to understand */
  engine: string | null
}

const type = (name: string, oid: number, size: number, arrayOid: number, engine: string | null): PgType => ({
  name,
  oid,
  size,
  arrayOid,
  engine,
})

export const PG_TYPES = {
  bool: type('bool', 16, 1, 1000, 'BOOLEAN'),
  bytea: type('bytea', 17, -1, 1001, 'BLOB'),
  int8: type('int8', 20, 8, 1016, 'BIGINT'),
  int2: type('int2', 21, 2, 1005, 'SMALLINT'),
  int4: type('int4', 23, 4, 1007, 'INTEGER'),
  text: type('text', 25, -1, 1009, null),
  oid: type('oid', 26, 4, 1028, 'UINTEGER'),
  json: type('json', 114, -1, 199, null),
  float4: type('float4', 700, 4, 1021, 'FLOAT'),
  float8: type('float8', 701, 8, 1022, 'DOUBLE'),
  varchar: type('varchar', 1043, -1, 1015, null),
  date: type('date', 1082, 4, 1182, 'DATE'),
  time: type('time', 1083, 8, 1183, 'TIME'),
  // An event's time is a point in time, kept in UTC: with `timestamp` clients would read it as one of their own zone.
  timestamptz: type('timestamptz', 1184, 8, 1185, 'TIMESTAMP'),
  timestamp: type('timestamp', 1114, 8, 1115, 'TIMESTAMP'),
  interval: type('interval', 1186, 16, 1187, 'INTERVAL'),
  numeric: type('numeric', 1700, -1, 1231, 'DOUBLE'),
  uuid: type('uuid', 2950, 16, 2951, 'UUID'),
} as const satisfies Record<string, PgType>

/** The engine's name of a type, without what stands in its brackets → PostgreSQL's. */
const OF_ENGINE: Record<string, PgType> = {
  BOOLEAN: PG_TYPES.bool,
  TINYINT: PG_TYPES.int2,
  SMALLINT: PG_TYPES.int2,
  INTEGER: PG_TYPES.int4,
  BIGINT: PG_TYPES.int8,
  UTINYINT: PG_TYPES.int2,
  USMALLINT: PG_TYPES.int4,
  // The catalogue's oids; nothing else has this type unless it is cast to it.
  UINTEGER: PG_TYPES.oid,
  UBIGINT: PG_TYPES.numeric,
  HUGEINT: PG_TYPES.numeric,
  UHUGEINT: PG_TYPES.numeric,
  DECIMAL: PG_TYPES.numeric,
  FLOAT: PG_TYPES.float4,
  DOUBLE: PG_TYPES.float8,
  VARCHAR: PG_TYPES.text,
  ENUM: PG_TYPES.text,
  BLOB: PG_TYPES.bytea,
  DATE: PG_TYPES.date,
  TIME: PG_TYPES.time,
  TIMESTAMP: PG_TYPES.timestamptz,
  TIMESTAMP_S: PG_TYPES.timestamptz,
  TIMESTAMP_MS: PG_TYPES.timestamptz,
  TIMESTAMP_NS: PG_TYPES.timestamptz,
  'TIMESTAMP WITH TIME ZONE': PG_TYPES.timestamptz,
  INTERVAL: PG_TYPES.interval,
  UUID: PG_TYPES.uuid,
  JSON: PG_TYPES.json,
  STRUCT: PG_TYPES.json,
  MAP: PG_TYPES.json,
  UNION: PG_TYPES.json,
}

/** The type in which the engine's values of a type are sent; text for those that PostgreSQL has not. */
export function pgTypeOf(engineType: string): PgType {
  const element = /^(.*)\[\d*\]$/s.exec(engineType)?.[1]
  if (element !== undefined) {
    const of = pgTypeOf(element)
    if (/\[\d*\]$/.test(element) || of.oid === PG_TYPES.json.oid) return PG_TYPES.json
    return type(`_${of.name}`, of.arrayOid, -1, 0, of.engine === null ? 'VARCHAR[]' : `${of.engine}[]`)
  }
  return OF_ENGINE[/^[^(]*/.exec(engineType)?.[0].trim() ?? ''] ?? PG_TYPES.text
}

const BY_OID = new Map<number, PgType>(Object.values(PG_TYPES).map((one) => [one.oid, one]))
const ELEMENT_BY_ARRAY = new Map<number, PgType>(Object.values(PG_TYPES).map((one) => [one.arrayOid, one]))

/** undefined: not one of those that are known here */
export const pgTypeByOid = (oid: number): PgType | undefined => BY_OID.get(oid)
/** The type of the elements of an array type. */
export const elementOfArray = (oid: number): PgType | undefined => ELEMENT_BY_ARRAY.get(oid)
