import { MusterError } from '../../../../core/kernel/errors.ts'
import { viewSql } from '../../../../core/scuba/plan/view.ts'
import type { ColumnTypes } from '../../../../core/scuba/rows/columns.ts'
import { divide, GROUPS, SOURCE, type Division } from '../../../../core/scuba/sql/divide.ts'
import { hasNode, placeless, type Node } from '../../../../core/scuba/sql/nodes.ts'
import type { Bound } from '../../../../core/scuba/sql/time-bounds.ts'
import type { Params } from '../../../../core/scuba/wire-types.ts'
import type { Engines } from '../engines.ts'
import type { ReadTable } from '../reading.ts'

/** A statement as two: over the rows of some files, and over the groups of all of them. */
export interface DividedSql {
  /** of table {@link SOURCE} */
  partSql: string
  /** of table {@link GROUPS} */
  wholeSql: string
  /** columns that are read, with `time` */
  columns: ColumnTypes
  /** of the groups */
  groups: { name: string; type: string }[]
  /** names of its parameters, by statement */
  params: { part: string[]; whole: string[] }
  /** what it is known by */
  key: string
}

const KNOWN_MAX = 500
const DESCRIBE_MS = 5000

/** Types whose text says all of a value. */
const EXACT = /^(BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL\(\d+,\d+\)|VARCHAR|DATE|TIMESTAMP|DOUBLE)$/

/**
 * How a statement is divided, with its bounds of time, which are no part of what is known of it.
 * @returns why it is not, in words
 */
export async function divided(engines: Engines, tree: unknown, table: ReadTable): Promise<{ sql: DividedSql; bounds: Bound[] } | string> {
  const { view } = table
  const division = divide(tree, Object.keys(view.columns))
  if (typeof division === 'string') return division
  const retyped = division.columns.find((name) => (view.retyped ?? []).includes(name))
  if (retyped !== undefined) return `${retyped} had another type when some rows came in`
  const columns = Object.fromEntries(['time', ...division.columns].map((name) => [name, view.columns[name] ?? 'VARCHAR']))
  const key = JSON.stringify([division.part, division.whole, columns], placeless)
  let sql = engines.divided.get(key)
  if (sql === undefined) {
    sql = await textsOf(engines, division, table.name, columns, key).catch((error: unknown) => {
      // What is wrong with the statement is told by the statement itself.
      if (error instanceof MusterError && /^SCUBA_(SQL|COLUMN_UNKNOWN)$/.test(error.code)) return error.message
      throw error
    })
    if (engines.divided.size >= KNOWN_MAX) engines.divided.delete(engines.divided.keys().next().value ?? '')
    engines.divided.set(key, sql)
  }
  return typeof sql === 'string' ? sql : { sql, bounds: division.bounds }
}

async function textsOf(
  engines: Engines,
  { plain, part, whole, sums }: Division,
  table: string,
  columns: ColumnTypes,
  key: string,
): Promise<DividedSql | string> {
  const rows = viewSql({ columns, files: [] }).sql
  const describe = async (sql: string, name: string, view: string): Promise<{ name: string; type: string }[]> =>
    (await engines.idlest.describe({ sql, views: [{ name, sql: view }] })).columns
  const expected = await describe(await sqlOf(engines, plain), table, rows)
  const partSql = await sqlOf(engines, part)
  const groups = await describe(partSql, SOURCE, rows)
  const inexact = groups.find(({ type }) => !EXACT.test(type))
  if (inexact) return `a value is a ${inexact.type}, which is not sent as text`
  if (groups.some(({ name, type }) => sums.includes(name) && type === 'DOUBLE'))
    return 'a sum of fractions depends on the order of its rows'
  const wholeSql = await sqlOf(engines, named(whole, expected))
  const made = await describe(wholeSql, GROUPS, groupsSql({ groups }, []))
  if (JSON.stringify(made) !== JSON.stringify(expected)) return 'its types would be others'
  return { partSql, wholeSql, columns, groups, params: { part: paramsIn(part), whole: paramsIn(whole) }, key }
}

/** With the names that the statement itself gives its columns. */
function named(whole: Node, columns: readonly { name: string }[]): Node {
  const statements = (whole['statements'] as { node: Node }[]).map((statement) => {
    const list = statement.node['select_list'] as Node[]
    const select_list = list.map((node, at) => ({ ...node, alias: columns[at]?.name ?? '' }))
    return { ...statement, node: { ...statement.node, select_list } }
  })
  return { ...whole, statements }
}

/** A parse tree as text again. */
export async function sqlOf(engines: Engines, tree: unknown): Promise<string> {
  const { rows } = await engines.idlest.run({
    sql: 'SELECT json_deserialize_sql($tree::JSON)',
    views: [],
    params: { tree: JSON.stringify(tree, placeless) },
    deadlineMs: DESCRIBE_MS,
  })
  return String(rows[0]?.[0])
}

/** A view over groups whose values are texts. */
export function groupsSql({ groups }: Pick<DividedSql, 'groups'>, rows: readonly (readonly (string | null)[])[]): string {
  const columns = groups.map(({ name, type }, at) => `r[${at + 1}]::${type} AS "${name}"`).join(', ')
  return `SELECT ${columns} FROM (SELECT unnest(from_json('${JSON.stringify(rows).replaceAll("'", "''")}', '[["VARCHAR"]]')) AS r)`
}

/** Names of the parameters in a parse tree. */
export function paramsIn(tree: Node): string[] {
  const names = new Set<string>()
  hasNode(tree, (node) => {
    if (node['class'] === 'PARAMETER') names.add(String(node['identifier']))
    return false
  })
  return [...names]
}

/** The engine takes no parameter that a statement does not have. */
export const only = (names: readonly string[], params: Params): Params =>
  Object.fromEntries(Object.entries(params).filter(([name]) => names.includes(name)))
