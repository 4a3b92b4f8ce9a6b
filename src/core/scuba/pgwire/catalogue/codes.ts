/** Types of catalogue columns: the engine's, and PostgreSQL's oid of it. */
export const COLUMN_CODES = {
  '': { engine: 'VARCHAR', oid: 25 },
  b: { engine: 'BOOLEAN', oid: 16 },
  s: { engine: 'SMALLINT', oid: 21 },
  i: { engine: 'INTEGER', oid: 23 },
  l: { engine: 'BIGINT', oid: 20 },
  o: { engine: 'UINTEGER', oid: 26 },
  f: { engine: 'FLOAT', oid: 700 },
  d: { engine: 'DOUBLE', oid: 701 },
  t: { engine: 'TIMESTAMP', oid: 1184 },
  '[]': { engine: 'VARCHAR[]', oid: 1009 },
  's[]': { engine: 'SMALLINT[]', oid: 1005 },
  'o[]': { engine: 'UINTEGER[]', oid: 1028 },
  'f[]': { engine: 'FLOAT[]', oid: 1021 },
  'd[]': { engine: 'DOUBLE[]', oid: 1022 },
} as const

export type ColumnCode = keyof typeof COLUMN_CODES
