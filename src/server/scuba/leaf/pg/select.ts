import { isRefusal } from '../../../../core/kernel/errors.ts'
import { LIMITS } from '../../../../core/scuba/limits.ts'
import type { EngineStatement } from '../../../../core/scuba/engine-protocol.ts'
import { columnNames } from '../../../../core/scuba/pgwire/column-names.ts'
import { listParameters, parameterLiteral } from '../../../../core/scuba/pgwire/parameters.ts'
import { pgRefusalOf, SQLSTATE_PARTIAL, type PgRefusal } from '../../../../core/scuba/pgwire/problem.ts'
import { CATALOGUE_NAMES, rewriteSql, type RewriteSession } from '../../../../core/scuba/pgwire/rewrite.ts'
import { PG_TYPES, pgTypeOf, type PgType } from '../../../../core/scuba/pgwire/types.ts'
import type { PgField } from '../../../../core/scuba/pgwire/writer.ts'
import { readNames } from '../../../../core/scuba/sql/expression.ts'
import { checkSql } from '../../../../core/scuba/sql/check.ts'
import { conditionsOf, equalitiesOf } from '../../../../core/scuba/sql/equalities.ts'
import { viewSql } from '../../../../core/scuba/plan/view.ts'
import { readEverywhere } from '../../aggregate/ship.ts'
import { narrowedViews, noteFilters } from '../artefacts/narrow.ts'
import type { Engines } from '../engines.ts'
import { fetchAway } from '../reading.ts'
import { reread } from '../reread.ts'
import type { Asker } from '../slots.ts'
import { overParts, planParts } from '../sql-parts/over-parts.ts'
import type { Store } from '../store.ts'
import type { CatalogueFile } from './catalogue-file.ts'

/** What answers a SELECT of PostgreSQL's protocol. */
export interface PgBackend {
  store: Store
  /** their slots are those of all other questions, too */
  engines: Engines
  catalogue: CatalogueFile
}

/** The rows of one SELECT, taken bit by bit. To be closed, whatever happened: files and engine are kept for it. */
export interface PgRows {
  fields: PgField[]
  /** in words, what is missing; empty when the answer is whole */
  missing: string[]
  /** the next rows, about half a MB of them at most; none when it is over */
  next: (rowsMax: number, deadlineMs: number, signal: AbortSignal) => Promise<(string | null)[][] | PgRefusal>
  close: () => void
}

export interface SelectOptions {
  /** what stands for `$1`, … */
  literals: readonly string[]
  /** who asks; it has a slot while the engine works, and none while a cursor waits for its client */
  asker: Asker
  deadlineMs: number
  isPartialGood: boolean
}

/** Rows of one batch from the engine. */
const BATCH_ROWS = 4096

/** Rewrites, checks and begins a SELECT. */
export async function openSelect(
  backend: PgBackend,
  session: RewriteSession,
  text: string,
  options: SelectOptions,
  signal: AbortSignal,
): Promise<PgRows | PgRefusal> {
  const { store, engines } = backend
  const { slots } = engines
  return guarded(text, session, options.literals, async (sql) => {
    const { tree, tables, catalogue } = await checked(backend, sql)
    const { names, hasStar } = readNames(tree)
    const equalities = equalitiesOf(tree, {})
    const begun = async (): Promise<PgRows | PgRefusal> => {
      const deadlineAtMs = Date.now() + options.deadlineMs
      const needed = { columns: hasStar ? null : names, conditions: conditionsOf(tree), params: {}, signal }
      const wanted = { ...needed, equalities, deadlineMs: options.deadlineMs, mayBeLater: true }
      const reading = await readEverywhere(store, tables, {}, wanted)
      try {
        const { missing } = reading.coverage
        if (missing.length > 0 && !options.isPartialGood) {
          reading.end()
          return partialRefusal(missing)
        }
        const isAlone = store.peers?.isAlone !== false
        const asked = { engines, tree, reading, range: {}, equalities, params: {}, deadlineAtMs, signal, isAlone }
        const parts = await planParts(asked)
        await fetchAway(store, reading, { ...needed, deadlineAtMs })
        const cursor = await slots.use(options.asker, deadlineAtMs - Date.now(), signal, async () => {
          const left = (): number => Math.max(1, deadlineAtMs - Date.now())
          const ofParts = typeof parts === 'string' ? null : await overParts(asked, parts, { isWhole: false, hits: 0, misses: 0 })
          if (ofParts) {
            const { sql: whole, views } = ofParts
            return engines.idlest.open({ sql: whole, views }, { deadlineMs: left(), rowsMax: BATCH_ROWS }, signal)
          }
          const narrow = await narrowedViews(engines, reading, equalities, signal)
          const started = performance.now()
          const statement = { sql, views: narrow ?? reading.views, catalogue }
          const opened = await engines.idlest.open(statement, { deadlineMs: left(), rowsMax: BATCH_ROWS }, signal)
          if (narrow === null) noteFilters(engines, reading, equalities, performance.now() - started)
          return opened
        })
        let { rows, isDone } = cursor.first
        return {
          fields: fieldsOf(tree, cursor.columns),
          missing,
          next: (rowsMax, deadlineMs, stop) =>
            guarded(text, session, options.literals, async () => {
              if (rows.length === 0 && !isDone) {
                const more = await slots.use(options.asker, deadlineMs, stop, () => cursor.fetch({ deadlineMs, rowsMax: BATCH_ROWS }, stop))
                rows = more.rows
                isDone = more.isDone
              }
              const given = rows.slice(0, rowsMax)
              rows = rows.slice(given.length)
              return given
            }),
          close: () => {
            cursor.close()
            reading.end()
          },
        }
      } catch (error) {
        reading.end()
        throw error
      }
    }
    return reread(store, tables, begun, signal)
  })
}

export interface Described {
  fields: PgField[]
  /** oids of `$1`, …; text where nothing tells */
  parameterTypes: number[]
}

/** Columns and parameters of a SELECT, without running it: on views of no files. */
export async function describeSelect(backend: PgBackend, session: RewriteSession, text: string): Promise<Described | PgRefusal> {
  const lists = listParameters(text)
  const failures: PgRefusal[] = []
  for (const element of lists.length === 0 ? [PG_TYPES.text] : LIST_ELEMENTS) {
    const described = await describeWithLists(backend, session, text, lists, element)
    if (!('sqlState' in described)) return described
    failures.push(described)
  }
  return failures[0] ?? { sqlState: 'XX000', message: 'nothing was described' }
}

/** Types that the elements of `= ANY ($1)` may be of, in the order in which they are tried. */
const LIST_ELEMENTS: readonly PgType[] = [PG_TYPES.text, PG_TYPES.int8, PG_TYPES.float8, PG_TYPES.timestamptz, PG_TYPES.bool]

async function describeWithLists(
  backend: PgBackend,
  session: RewriteSession,
  text: string,
  lists: readonly number[],
  element: PgType,
): Promise<Described | PgRefusal> {
  const literals: string[] = []
  for (const number of lists) literals[number - 1] = parameterLiteral(element.arrayOid, '{}')
  return guarded(text, session, literals, async (sql) => {
    const { tree, tables, catalogue } = await checked(backend, sql)
    const views = tables.map((name) => ({ name, sql: viewSql({ columns: backend.store.tail(name).columns.toJSON(), files: [] }).sql }))
    const { columns, parameters } = await backend.engines.idlest.describe({ sql, views, catalogue })
    const parameterTypes = Array.from({ length: Math.max(parameters.length, ...lists) }, (_, index) => {
      const type = parameters[index] ?? null
      if (lists.includes(index + 1)) return element.arrayOid
      return type === null ? PG_TYPES.text.oid : pgTypeOf(type).oid
    })
    return { fields: fieldsOf(tree, columns), parameterTypes }
  })
}

async function checked(
  { store, engines, catalogue }: PgBackend,
  sql: string,
): Promise<{ tree: unknown; tables: string[]; catalogue: EngineStatement['catalogue'] }> {
  await store.peers?.learn()
  const tree = await engines.idlest.parse(sql)
  const checkedSql = checkSql(tree, sql, store.tableNames(), CATALOGUE_NAMES)
  if (isRefusal(checkedSql)) throw checkedSql
  return { tree, tables: checkedSql.tables, catalogue: checkedSql.hasCatalogue ? catalogue.current() : undefined }
}

/** Asks with the rewritten statement; what fails is told in places of the original one. */
async function guarded<T>(
  text: string,
  session: RewriteSession,
  literals: readonly string[],
  ask: (sql: string) => Promise<T | PgRefusal>,
): Promise<T | PgRefusal> {
  if (text.length > LIMITS.pgSqlCharsMax)
    return { sqlState: '54001', message: `a statement has at most ${LIMITS.pgSqlCharsMax} characters` }
  const rewritten = rewriteSql(text, session, literals)
  if ('sqlState' in rewritten) return rewritten
  try {
    return await ask(rewritten.sql)
  } catch (error) {
    if (!isRefusal(error)) throw error
    const refusal = pgRefusalOf(error, rewritten.sql)
    return refusal.offset === undefined ? refusal : { ...refusal, offset: rewritten.originOf(refusal.offset) }
  }
}

function fieldsOf(tree: unknown, columns: readonly { name: string; type: string }[]): PgField[] {
  const names = columnNames(
    tree,
    columns.map(({ name }) => name),
  )
  return columns.map(({ name, type }, index) => ({ name: names[index] ?? name, type: pgTypeOf(type) }))
}

const partialRefusal = (missing: readonly string[]): PgRefusal => ({
  sqlState: SQLSTATE_PARTIAL,
  message: `the answer would be incomplete: ${missing.join('; ')}`,
  hint: "SET muster.require = 'partial' to get the rows that are there.",
})
