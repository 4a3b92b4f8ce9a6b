import type { z } from 'zod'
import { toBase64 } from '../../../core/kernel/base64.ts'
import { HyperLogLog, REGISTERS_MANY, registerSql } from '../../../core/scuba/merge/hyperloglog.ts'
import { quoteName, quoteText } from '../../../core/scuba/names.ts'
import type { scubaColumnList } from '../../../core/scuba/operations/tables.ts'
import { viewSql } from '../../../core/scuba/plan/view.ts'
import { RESERVED } from '../../../core/scuba/rows/columns.ts'
import type { Parts } from './deeds.ts'
import type { Store } from './store.ts'
import type { Engine } from './engine.ts'

/** Distinct values are counted in the newest files, up to so many rows. */
const ROWS_MAX = 1_000_000
const DEADLINE_MS = 20_000

type Answer = z.input<typeof scubaColumnList.output>

/** Each column with its type, where it comes from, and what it costs. */
export async function showColumns({ store, engine, derived }: Parts, { table }: { table: string }): Promise<Answer> {
  const tail = store.tail(table)
  const types = tail.columns.toJSON()
  const config = store.registry.current.tables[table]
  const computed = await derived.of(table)
  const broken = new Map(
    derived
      .broken()
      .filter((each) => each.table === table)
      .map(({ column, reason }) => [column, reason]),
  )
  await tail.roll()
  const bytes = await bytesOf(store, engine, table)
  const { sinceMs, counts } = await countsOf({ store, engine }, table, Object.keys(types))
  const isCounted = sinceMs !== null && isOneOfSeveral(store)
  const own = Object.entries(types).map(([name, type]) => ({
    ...{ name, type, sql: null, broken: null },
    origin: name in RESERVED ? ('reserved' as const) : config && name in config.columns ? ('declared' as const) : ('observed' as const),
    conflicts: types[`${name}$str`] === undefined ? 0 : (counts.get(`${name}$str`)?.present ?? null),
    distinct: counts.get(name)?.distinct ?? null,
    distinctMax: null,
    bytes: bytes.get(name) ?? null,
    ...(counts.get(name)?.registers === undefined ? {} : { registers: counts.get(name)?.registers }),
  }))
  const virtual = Object.entries(store.registry.current.derived[table] ?? {}).map(([name, { sql }]) => ({
    ...{ name, sql, origin: 'derived' as const, conflicts: null, distinct: null, distinctMax: null, bytes: null },
    type: computed.find((each) => each.name === name)?.type ?? '',
    broken: broken.get(name) ?? null,
  }))
  const { caps, max: columnsMax } = tail.columns
  return {
    table,
    version: config?.version ?? 0,
    columns: [...own, ...virtual],
    columnsMax,
    capped: { ...caps.counts },
    sinceMs,
    ...(isCounted ? { hashedBy: await engine.version() } : {}),
  }
}

/** A leaf of a node knows of the others by their shards alone. */
const isOneOfSeveral = ({ registry }: Store): boolean => registry.current.shards.length > 1

/** Column → compressed bytes in segments, from their footers. */
async function bytesOf(store: Store, engine: Engine, table: string): Promise<Map<string, number>> {
  const paths = store.ownSegments(table).map(({ file }) => quoteText(store.segmentPath(file)))
  if (paths.length === 0) return new Map()
  const sql = `SELECT path_in_schema, sum(total_compressed_size) FROM parquet_metadata([${paths.join(', ')}]) GROUP BY 1`
  const { rows } = await engine.run({ sql, views: [], params: {}, deadlineMs: DEADLINE_MS })
  return new Map(rows.map(([name, bytes]) => [String(name), Number(bytes)]))
}

async function countsOf(
  { store, engine }: Pick<Parts, 'store' | 'engine'>,
  table: string,
  names: readonly string[],
): Promise<{ sinceMs: number | null; counts: Map<string, { distinct: number; present: number; registers: string | undefined }> }> {
  const tail = store.tail(table)
  let rows = 0
  const files = [...store.ownSegments(table).map((segment) => store.viewFile(segment)), ...tail.chunks]
    .sort((a, b) => b.maxUs - a.maxUs)
    .filter((file) => {
      const isTaken = rows === 0 || rows + file.rows <= ROWS_MAX
      if (isTaken) rows += file.rows
      return isTaken
    })
  if (files.length === 0) return { sinceMs: null, counts: new Map() }
  const retyped = store.registry.current.tables[table]?.retyped ?? []
  const views = [{ name: table, sql: viewSql({ columns: tail.columns.toJSON(), files, retyped }).sql }]
  const list = names.map((name) => `approx_count_distinct(${quoteName(name)}), count(${quoteName(name)})`).join(', ')
  const answer = await engine.run({ sql: `SELECT ${list} FROM ${quoteName(table)}`, views, params: {}, deadlineMs: DEADLINE_MS })
  const row = answer.rows[0] ?? []
  // Whoever adds leaves up merges them; of one leaf alone the estimate is enough.
  const registers = isOneOfSeveral(store) ? await registersOf(engine, views, table, names) : []
  return {
    sinceMs: Math.floor(Math.min(...files.map(({ minUs }) => minUs)) / 1000),
    counts: new Map(
      names.map((name, index) => [
        name,
        { distinct: Number(row[index * 2]), present: Number(row[index * 2 + 1]), registers: registers[index] },
      ]),
    ),
  }
}

/** Of each column, its values as text: the registers of a HyperLogLog, base64. */
async function registersOf(
  engine: Engine,
  views: { name: string; sql: string }[],
  table: string,
  names: readonly string[],
): Promise<string[]> {
  const { register, least, code } = registerSql('v', REGISTERS_MANY)
  const of = (name: string, at: number): string =>
    `SELECT ${at} AS c, string_agg(${code('r', 'l')}, ' ') AS codes FROM (SELECT ${register} AS r, ${least} AS l FROM (SELECT ${quoteName(name)}::VARCHAR AS v FROM ${quoteName(table)}) GROUP BY 1) WHERE r IS NOT NULL`
  const { rows } = await engine.run({ sql: names.map(of).join(' UNION ALL '), views, params: {}, deadlineMs: DEADLINE_MS })
  const codes = new Map(rows.map(([at, text]) => [Number(at), text === null ? [] : String(text).split(' ').map(Number)]))
  return names.map((_, at) => {
    const sketch = new HyperLogLog(REGISTERS_MANY)
    for (const one of codes.get(at) ?? []) sketch.add(one)
    return toBase64(sketch.ranks)
  })
}
