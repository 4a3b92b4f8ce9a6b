import { z } from 'zod'
import { defineAction, defineCommand } from '../../contracts/operation.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { compatibility } from '../declared/compatibility.ts'
import { declarationSchema, type Declaration } from '../declared/declaration.ts'
import { ColumnsObserved, TableDeclared, TableDropped, TableRenamed } from '../entries/tables.ts'
import { isOwnTable, isTableName, nearNames } from '../names.ts'
import type { ObservedTable, RegistrySoft } from '../observed.ts'
import { missingLeaves } from './missing.ts'
import { columnTypes, storedColumns, storedHolds, storedTable, storedTables } from '../registry-state.ts'
import { holdsOf } from '../retention/plan.ts'
import { tooFewHolders } from '../shards/holders.ts'
import { RESERVED, type ColumnTypes } from '../rows/columns.ts'
import { capCountsSchema } from '../schema.ts'

const softOf = (soft: unknown): RegistrySoft | undefined => soft as RegistrySoft | undefined

/** What each leaf that has rows of a table has seen of it. */
const seenOf = (soft: unknown, name: string): ObservedTable[] =>
  [softOf(soft), ...(softOf(soft)?.peers ?? [])].flatMap((seen) => seen?.observed?.tables[name] ?? [])

/** Whether rows came in for a table or it is declared. */
export function isTable(db: ReadDb, name: string, soft: unknown): boolean {
  return storedTable(db, name) !== null || seenOf(soft, name).length > 0
}

/** SCUBA_TABLE_UNKNOWN with near names. */
export function unknownTable(db: ReadDb, name: string, soft: unknown): MusterError {
  const names = new Set([...storedTables(db).map((table) => table.name), ...Object.keys(softOf(soft)?.observed?.tables ?? {})])
  const near = nearNames(name, names)
  return refuse('SCUBA_TABLE_UNKNOWN', `there is no table ${name}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`, {
    details: { table: name, near },
  })
}

/** What is known of a table's columns: from the log, and what the leaf has seen since. */
export function knownColumns(db: ReadDb, table: string, soft: unknown): ColumnTypes {
  const seen = Object.fromEntries(
    seenOf(soft, table)
      .toReversed()
      .flatMap(({ columns }) => Object.entries(columns)),
  )
  const columns = { ...seen, ...columnTypes(storedColumns(db, table)) }
  return Object.fromEntries(Object.entries(columns).filter(([name]) => !(name in RESERVED)))
}

const change = z.object({
  column: z.string().nullable(),
  verdict: z.enum(['same', 'new', 'compatible', 'widening', 'breaking']),
  text: z.string(),
})

export const scubaTablePut = defineCommand({
  name: 'scuba.table.put',
  summary: 'Declare a table: its columns, their types and rules, and what becomes of rows that are otherwise.',
  input: z.object({
    declaration: declarationSchema,
    /** also when rows that were taken before would be refused or mean something else */
    newVersion: z.boolean().default(false),
  }),
  output: z.object({ table: z.string(), version: z.number(), verdict: change.shape.verdict, changes: z.array(change) }),
  decide: (db, { declaration, newVersion }, { soft }) => {
    const { table } = declaration
    const before = storedTable(db, table)
    const columns = knownColumns(db, table, soft)
    const impossible = timeChange(columns, declaration)
    if (impossible !== null) return impossible
    const { verdict, changes } = compatibility({ declaration: before?.declaration ?? null, columns }, declaration)
    if (verdict === 'breaking' && !newVersion) {
      const breaking = changes.filter((each) => each.verdict === 'breaking').map(({ text }) => text)
      return refuse('SCUBA_SCHEMA_BREAKING', `the declaration of ${table} breaks what is there: ${breaking.join('; ')}`, {
        details: { changes },
      })
    }
    const version = before?.version ?? 0
    if (verdict === 'same' && version > 0) return { entries: [], reply: () => ({ table, version, verdict, changes }) }
    // Everything the rows brought stays known: a declared table has more columns than its declaration says.
    return {
      entries: [...unlogged(db, table, columns), TableDeclared.of({ declaration, version: version + 1 })],
      reply: () => ({ table, version: version + 1, verdict, changes }),
      warnings: [...warningsOf(declaration), ...[tooFewHolders(db, declaration.replicas)].filter((warning) => warning !== null)],
    }
  },
})

/** What the leaf has seen and the log does not know yet: a type that changes has to be known as it was. */
function unlogged(db: ReadDb, table: string, columns: ColumnTypes): Proposal[] {
  const known = columnTypes(storedColumns(db, table))
  const fresh = Object.fromEntries(Object.entries(columns).filter(([name]) => known[name] === undefined))
  return Object.keys(fresh).length === 0 ? [] : [ColumnsObserved.of({ table, columns: fresh })]
}

/** A time that is kept as a number of µs would be read as that number. */
function timeChange(columns: ColumnTypes, { columns: declared }: Declaration): MusterError | null {
  for (const [name, { type }] of Object.entries(declared)) {
    if (columns[name] === 'TIMESTAMP' && type !== 'TIMESTAMP')
      return refuse('SCUBA_SCHEMA_INVALID', `${name} is a TIMESTAMP and cannot become ${type}`, {
        hint: 'Declare a column of another name.',
      })
  }
  return null
}

function warningsOf({ coerce, keys, mode, columns }: Declaration): string[] {
  const hasRules = Object.values(columns).some((rule) => rule.required || rule.enum || rule.range || rule.regex !== undefined)
  const isChecked = hasRules || mode === 'strict'
  return coerce && keys === 'sampled' && isChecked
    ? ['rules and mode strict are checked row by row, so this table is not taken in at the full rate although it is coerced and sampled']
    : []
}

export const scubaTableDrop = defineCommand({
  name: 'scuba.table.drop',
  summary: 'Drop a table with all of its rows.',
  danger: 'high',
  confirmName: ({ table }) => table,
  input: z.object({ table: z.string() }),
  output: z.object({ table: z.string() }),
  decide: (db, { table }, { soft }) => {
    if (!isTable(db, table, soft)) return unknownTable(db, table, soft)
    const held = heldBy(db, table)
    if (held !== null) return held
    const seen = seenOf(soft, table)
    const sum = (of: 'rows' | 'segments'): number => seen.reduce((total, its) => total + its[of], 0)
    const warnings = seen.length === 0 ? [] : [`${sum('rows')} rows in ${sum('segments')} segments go`]
    return { entries: [TableDropped.of({ table })], reply: () => ({ table }), warnings }
  },
})

/** SCUBA_HELD when there is a hold of this table or of all; null else. */
function heldBy(db: ReadDb, table: string): MusterError | null {
  const holds = holdsOf(table, storedHolds(db))
  const first = holds[0]
  if (!first) return null
  return refuse('SCUBA_HELD', `rows of ${table} are held (hold ${holds.map(({ id }) => id).join(', ')}: ${first.reason})`)
}

export const scubaTableRename = defineCommand({
  name: 'scuba.table.rename',
  summary: 'Give a table another name; rows that are sent under the old one begin a new table.',
  danger: 'medium',
  input: z.object({ table: z.string(), to: z.string() }),
  output: z.object({ table: z.string(), to: z.string() }),
  decide: (db, { table, to }, { soft }) => {
    if (!isTable(db, table, soft)) return unknownTable(db, table, soft)
    if (!isTableName(to) || isOwnTable(to))
      return refuse('USAGE', `${JSON.stringify(to)} is no table name`, {
        hint: 'Use lower-case letters, digits and _, beginning with a letter, at most 63; muster_ is for tables of muster itself.',
      })
    if (isOwnTable(table)) return refuse('USAGE', `${table} is a table of muster itself and keeps its name`)
    if (isTable(db, to, soft)) return refuse('SCUBA_TABLE_EXISTS', `there is a table ${to} already`)
    return { entries: [TableRenamed.of({ table, to })], reply: () => ({ table, to }) }
  },
})

export const scubaColumnList = defineAction({
  name: 'scuba.column.list',
  summary: 'List the columns of a table: type, origin, conflicts, distinct values and size.',
  isMutation: false,
  input: z.object({ table: z.string() }),
  output: z.object({
    table: z.string(),
    version: z.number(),
    columns: z.array(
      z.object({
        name: z.string(),
        type: z.string(),
        origin: z.enum(['reserved', 'declared', 'observed', 'derived']),
        /** of a derived column */
        sql: z.string().nullable(),
        /** why the engine does not take a derived column */
        broken: z.string().nullable(),
        /** rows whose value did not fit, kept in `<column>$str` */
        conflicts: z.number().nullable(),
        /** estimated; of several leaves that count in two ways the most that one has */
        distinct: z.number().nullable(),
        /** of several leaves that count in two ways: with no value on two of them it would be so many */
        distinctMax: z.number().nullable().default(null),
        /** of one leaf among several, for who adds them up: its HyperLogLog's registers, base64 */
        registers: z.string().optional(),
        /** compressed, in segments */
        bytes: z.number().nullable(),
      }),
    ),
    /** columns the table may have */
    columnsMax: z.number(),
    /** how often its rows met a bound, since the leaf started */
    capped: capCountsSchema,
    /** distinct values and conflicts were counted in rows from then on, ms */
    sinceMs: z.number().nullable(),
    /** what hashed the values in registers: those of two are never merged */
    hashedBy: z.string().optional(),
    missing: missingLeaves,
  }),
})
