import { MusterError } from '../../../../core/kernel/errors.ts'
import type { EngineStatement } from '../../../../core/scuba/engine-protocol.ts'
import type { Partial, PartialRow } from '../../../../core/scuba/merge/partial.ts'
import { copiesIn, viewSql } from '../../../../core/scuba/plan/view.ts'
import { GROUPS, SOURCE } from '../../../../core/scuba/sql/divide.ts'
import type { Equality } from '../../../../core/scuba/sql/equalities.ts'
import type { CacheUse, Params, PlainValue } from '../../../../core/scuba/wire-types.ts'
import { overCopies, questionOf, type Swap } from '../artefacts/native-copies.ts'
import type { Engines } from '../engines.ts'
import { partsOf, rowsIn, type PartsAsked, type PartSource, type Range } from '../known-parts.ts'
import type { Reading } from '../reading.ts'
import { rangeOf } from './bounds.ts'
import { divided, groupsSql, only, type DividedSql } from './divided.ts'

/** A statement over one table whose answer may be put together from what is known of its files. */
export interface AskedOfParts {
  engines: Engines
  tree: unknown
  reading: Reading
  /** of the question */
  range: { sinceMs?: number | undefined; untilMs?: number | undefined }
  /** values that its rows have */
  equalities: readonly Equality[]
  params: Params
  deadlineAtMs: number
  signal: AbortSignal | undefined
  /** all rows are on this leaf */
  isAlone: boolean
}

export interface PlannedParts extends PartsAsked {
  sql: DividedSql
}

/** Groups of all files together that are sent to the engine once more, and characters of their values. */
const GROUPS_MAX = 20_000
const CHARS_MAX = 2_000_000

/** How a statement's answer is put together from parts of files. @returns why it is not, in words */
export async function planParts({
  engines,
  tree,
  reading,
  range,
  equalities,
  params,
  isAlone,
}: AskedOfParts): Promise<PlannedParts | string> {
  const [table] = reading.tables
  if (!table || reading.tables.length !== 1) return 'it does not read one table'
  if (!isAlone) return 'rows of other leaves travel to this one'
  if (table.files.some(({ kind }) => kind === 'away')) return 'rows are in ClickHouse'
  if (engines.artefacts?.hasFilter(table, equalities) === true) return 'a filter leaves out most rows'
  const found = await divided(engines, tree, table)
  if (typeof found === 'string') return found
  const { sql, bounds } = found
  const key = JSON.stringify(['sql', sql.partSql, sql.columns, only(sql.params.part, params)])
  if (engines.manyGroups.has(key)) return 'it has too many groups'
  const asked = { sinceUs: (range.sinceMs ?? -Infinity) * 1000, untilUs: (range.untilMs ?? Infinity) * 1000 }
  const within = await rangeOf(engines, tree, bounds, params, asked).catch((error: unknown) => {
    if (isOfStatement(error)) return null
    throw error
  })
  if (within === null) return 'a bound of time is no moment'
  const files = table.files.filter(({ minUs, maxUs }) => maxUs >= within.sinceUs && minUs < within.untilUs)
  return { sql, key, range: within, files }
}

/**
 * A statement over the groups of all files, which gives the answer of the one that was asked. Null: it has too many groups, or a value
 * that does not fit, and is left to all rows together.
 */
export async function overParts(
  asked: AskedOfParts,
  plan: PlannedParts,
  use: CacheUse,
): Promise<(EngineStatement & { params: Params }) | null> {
  const { engines, params } = asked
  const { sql, key, range } = plan
  const rows: (string | null)[][] = []
  const add = (partial: Partial): void => void rows.push(...partial.rows.map((row) => row.key as (string | null)[]))
  const files = asked.reading.tables[0]?.view.files ?? []
  try {
    for await (const parts of partsOf(engines.partials, plan, files, use, (round) => compute(asked, sql, range, use, round))) {
      for (const partial of parts) add(partial)
      if (rows.length > GROUPS_MAX) return tooMany(engines, key)
    }
  } catch (error) {
    if (error instanceof MusterError && error.code === 'SCUBA_TOO_LARGE') return tooMany(engines, key)
    if (isOfStatement(error)) return null
    throw error
  }
  const view = groupsSql(sql, rows)
  if (view.length > CHARS_MAX) return tooMany(engines, key)
  return { sql: sql.wholeSql, views: [{ name: GROUPS, sql: view }], params: only(sql.params.whole, params) }
}

function tooMany({ manyGroups }: Engines, key: string): null {
  manyGroups.add(key)
  return null
}

/** The groups of some sources, in one statement; every value as text. */
async function compute(
  { engines, reading, params, deadlineAtMs, signal }: AskedOfParts,
  { partSql, columns, groups, params: named, key }: DividedSql,
  range: Range,
  use: CacheUse,
  sources: readonly PartSource[],
): Promise<(PartSource & { partial: Partial; costMs: number })[]> {
  const started = performance.now()
  const [table] = reading.tables
  if (!table) throw new Error('parts are of one table')
  const run = async (swap: Swap): Promise<PlainValue[][]> => {
    const asked = sources.map(({ files, isWhole }, at) => {
      const view = viewSql({ columns, files: swap(files) }).sql
      const from = isWhole ? view : `SELECT * FROM (${view}) WHERE ${within(range)}`
      return `SELECT ${at} AS muster_at, * FROM (WITH ${SOURCE} AS (${from}) ${partSql})`
    })
    const { rows } = await engines.run(
      {
        sql: `SELECT muster_at, ${groups.map(({ name }) => `"${name}"::VARCHAR`).join(', ')} FROM (${asked.join('\nUNION ALL\n')})`,
        views: [],
        copies: copiesIn(swap(sources.flatMap(({ files }) => files))),
        params: only(named.part, params),
        deadlineMs: Math.max(1, deadlineAtMs - Date.now()),
        rowsMax: GROUPS_MAX,
        isCollected: true,
      },
      signal,
    )
    return rows
  }
  const files = sources.flatMap((source) => source.files)
  // Whether the time is read is not known here.
  const names = Object.keys(columns).filter((name) => name !== 'time')
  const question = questionOf(table, new Set(names.map((name) => name.toLowerCase())))
  const { answer: rows, copies } = await overCopies(engines.artefacts, { table, question, files, key, isWanted: true }, run)
  if (copies > 0) use.artefacts = (use.artefacts ?? 0) + copies
  const tookMs = performance.now() - started
  const all = rowsIn(sources)
  const made = sources.map((): PartialRow[] => [])
  for (const [source, ...group] of rows) made[Number(source)]?.push({ key: group, id: '', step: null, parts: [], sketches: [] })
  return sources.map((source, at) => {
    const own = made[at] ?? []
    const partial: Partial = { rows: own, count: own.length, isCut: false, all: null }
    return { ...source, partial, costMs: (tookMs * rowsIn([source])) / Math.max(1, all) }
  })
}

const within = ({ sinceUs, untilUs }: Range): string =>
  [
    ...(Number.isFinite(sinceUs) ? [`"time" >= make_timestamp(${sinceUs})`] : []),
    ...(Number.isFinite(untilUs) ? [`"time" < make_timestamp(${untilUs})`] : []),
  ].join(' AND ')

/** What is wrong with a statement is told by the statement itself, over all rows. */
const isOfStatement = (error: unknown): boolean =>
  error instanceof MusterError && (error.code === 'SCUBA_SQL' || error.code === 'SCUBA_COLUMN_UNKNOWN')
