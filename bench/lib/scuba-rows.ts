import { createHash } from 'node:crypto'
import type { DuckDBConnection } from '@duckdb/node-api'
import type { ColumnTypes } from '../../src/core/scuba/rows/columns.ts'

/*
 * The rows of scuba's benchmarks: requests of a fleet, 20 columns, 421 bytes a row as JSON. A row is a function of its number and the
 * seed, so any part of them can be made anywhere, again, and known without being kept. The engine makes them: as a SELECT for
 * tables and segments, as NDJSON for senders.
 */

export const ROW_TYPES: ColumnTypes = {
  time: 'TIMESTAMP',
  service: 'VARCHAR',
  route: 'VARCHAR',
  method: 'VARCHAR',
  status: 'BIGINT',
  latency_ms: 'DOUBLE',
  region: 'VARCHAR',
  host: 'VARCHAR',
  release: 'VARCHAR',
  arm: 'VARCHAR',
  user_id: 'VARCHAR',
  country: 'VARCHAR',
  trace_id: 'VARCHAR',
  span_id: 'VARCHAR',
  bytes_in: 'BIGINT',
  bytes_out: 'BIGINT',
  sample_rate: 'BIGINT',
  cache_hit: 'BOOLEAN',
  timed_out: 'BOOLEAN',
  message: 'VARCHAR',
}

export interface RowRange {
  /** number of the first row; default 0 */
  first?: number
  rows: number
  /** default 1 */
  seed?: number
  /** time of row 0, ms */
  fromMs: number
  /** from one row to the next, µs; a fraction is allowed */
  everyUs: number
}

export const SERVICES = [
  'news-feed',
  'login',
  'messaging',
  'search',
  'photos',
  'ads',
  'notifications',
  'profile',
  'groups',
  'video',
  'events',
  'payments',
]
export const REGIONS = ['eu-north', 'eu-west', 'us-east', 'us-west', 'ap-south', 'sa-east']
const NOUNS = ['items', 'sessions', 'threads', 'queries', 'albums', 'slots', 'devices', 'people', 'members', 'streams', 'invites', 'cards']
const VERBS = ['list', 'get', 'create', 'rank']
const COUNTRIES = ['US', 'IN', 'BR', 'ID', 'MX', 'PH', 'VN', 'TH', 'EG', 'BD', 'GB', 'TR', 'FR', 'DE', 'IT', 'AR', 'CO', 'SE', 'PL', 'ES']

/** The trace id of a row: three rows have it, 40,000 rows apart. */
export const traceId = (row: number, seed = 1): string =>
  createHash('md5')
    .update(String(Math.floor(row / 120_000) * 40_000 + (row % 40_000) + seed * 1_000_000_000_000))
    .digest('hex')

const traceSql = (seed: number): string => `md5((i // 120000 * 40000 + i % 40000 + ${seed * 1_000_000_000_000})::VARCHAR)`

/** A SELECT of the rows, its columns those of {@link ROW_TYPES}; times rise with the numbers. */
export function rowsSql({ first = 0, rows, seed = 1, fromMs, everyUs }: RowRange): string {
  // Four hashes of the number are enough: each share in [0, 1) is 16 or 32 bits of one.
  const hashed = (salt: number): string => `hash(i * 4 + ${seed * 4_000_000_000_000 + salt})`
  const share = (hash: string, from: number, bits = 16): string => `((${hash} >> ${from}) & ${2 ** bits - 1}) / ${2 ** bits}.0::DOUBLE`
  const pick = (list: readonly string[], of: string): string =>
    `[${list.map((text) => `'${text}'`).join(', ')}][1 + floor(${list.length} * ${of})::INTEGER]`
  return `SELECT time, service, '/v1/' || service || '/' || noun || '/' || verb AS route,
      CASE verb WHEN 'create' THEN 'POST' WHEN 'rank' THEN 'PUT' ELSE 'GET' END AS method,
      status, round(latency, 2) AS latency_ms, region, service || '-' || host::VARCHAR AS host, release, arm, user_id, country, trace_id, span_id,
      bytes_in, bytes_out, CASE WHEN status < 400 THEN 10 ELSE 1 END::BIGINT AS sample_rate, cache_hit, latency > 900 AS timed_out,
      CASE WHEN status >= 500 THEN 'upstream failed: ' || CASE WHEN latency > 60 THEN 'connection reset by peer' ELSE 'no healthy backend' END
           WHEN status >= 400 THEN 'refused to ' || verb || ' ' || noun
           WHEN cache_hit THEN 'cached' ELSE 'from the store' END AS message
    FROM (SELECT make_timestamp((${Math.round(fromMs * 1000)} + i * ${everyUs}::DOUBLE)::BIGINT) AS time,
      ${pick(SERVICES, `pow(${share('a', 0)}, 2)`)} AS service,
      ${pick(NOUNS, `pow(${share('a', 16)}, 2)`)} AS noun,
      ${pick(VERBS, share('a', 32))} AS verb,
      CASE WHEN ${share('a', 48)} < 0.985 THEN 200 WHEN ${share('b', 0)} < 0.6 THEN 404 WHEN ${share('b', 0)} < 0.8 THEN 403 WHEN ${share('b', 0)} < 0.95 THEN 500 ELSE 503 END::BIGINT AS status,
      (20 + 8 * pow(${share('a', 0)} * 4, 2)) * exp(0.8 * sqrt(-2 * ln(1 - ${share('b', 16)})) * cos(2 * pi() * ${share('b', 32)})) AS latency,
      ${pick(REGIONS, `pow(${share('b', 48)}, 1.5)`)} AS region,
      floor(400 * ${share('c', 0)})::INTEGER + 100 AS host,
      CASE WHEN ${share('c', 16)} < 0.02 THEN '2026.48.2' ELSE '2026.48.1' END AS release,
      CASE WHEN ${share('c', 16)} < 0.02 THEN 'canary' WHEN ${share('c', 16)} < 0.04 THEN 'control' ELSE 'primary' END AS arm,
      'u' || floor(3e6 * pow(${share('c', 32, 32)}, 3))::BIGINT AS user_id,
      ${pick(COUNTRIES, `pow(${share('d', 0)}, 2)`)} AS country,
      ${traceSql(seed)} AS trace_id, lower(lpad(hex(b), 16, '0')) AS span_id,
      floor(200 * exp(2 * ${share('d', 16)}))::BIGINT AS bytes_in,
      floor(900 * exp(4 * ${share('d', 32)}))::BIGINT AS bytes_out,
      ${share('d', 48)} < 0.7 AS cache_hit
    FROM (SELECT i, ${['a', 'b', 'c', 'd'].map((name, salt) => `${hashed(salt)} AS ${name}`).join(', ')} FROM range(${first}, ${first + rows}) r(i)))`
}

/** The rows as NDJSON, `time` in whole ms, made by the engine behind the connection. */
export async function ndjson(connection: DuckDBConnection, range: RowRange): Promise<Buffer> {
  const rows = `SELECT * REPLACE (epoch_ms(time) AS time) FROM (${rowsSql(range)})`
  const reader = await connection.runAndReadAll(`SELECT string_agg(to_json(r)::VARCHAR, chr(10)) || chr(10) FROM (${rows}) r`)
  return Buffer.from(String(reader.value(0, 0) ?? ''))
}
