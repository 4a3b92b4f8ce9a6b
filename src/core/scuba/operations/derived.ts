import { z } from 'zod'
import { defineAction, defineCommand, defineQuery } from '../../contracts/operation.ts'
import { refuse } from '../../kernel/errors.ts'
import { DerivedRemoved, DerivedSet } from '../entries/derived.ts'
import { nearNames } from '../names.ts'
import { storedDerived, type StoredDerived } from '../registry-state.ts'
import { RESERVED } from '../rows/columns.ts'
import { isTable, knownColumns, unknownTable } from './tables.ts'

const DERIVED_MAX = 200

const derived = z.object({
  table: z.string(),
  name: z.string(),
  sql: z.string(),
  version: z.number(),
  setAtMs: z.number(),
  setBy: z.string(),
})

export const scubaDerivedPut = defineCommand({
  name: 'scuba.derived.put',
  summary: 'Put a derived column: an SQL expression over the columns of a table, computed when it is asked for.',
  input: z.object({
    table: z.string(),
    name: z.string().regex(/^[A-Za-z][A-Za-z0-9_.]{0,62}$/, 'must be letters, digits, "_" or ".", beginning with a letter'),
    sql: z.string().min(1).max(10_000),
  }),
  output: derived,
  decide: (db, { table, name, sql }, { soft }) => {
    if (!isTable(db, table, soft)) return unknownTable(db, table, soft)
    const taken = Object.keys({ ...RESERVED, ...knownColumns(db, table, soft) }).find(
      (column) => column.toLowerCase() === name.toLowerCase(),
    )
    if (taken !== undefined) return refuse('SCUBA_SCHEMA_INVALID', `${table} has a column ${taken} of its own`)
    const others = storedDerived(db, table)
    const twin = others.find((other) => other.name !== name && other.name.toLowerCase() === name.toLowerCase())
    if (twin) return refuse('SCUBA_SCHEMA_INVALID', `${table} has a derived column ${twin.name}: names are compared without case`)
    if (others.length >= DERIVED_MAX && !others.some((other) => other.name === name))
      return refuse('SCUBA_TOO_LARGE', `${table} has ${DERIVED_MAX} derived columns already`)
    return {
      entries: [DerivedSet.of({ table, name, sql })],
      reply: (after) => storedDerived(after, table).find((each) => each.name === name) as StoredDerived,
    }
  },
})

export const scubaDerivedCheck = defineAction({
  name: 'scuba.derived.check',
  summary: 'Say which type an SQL expression over the columns of a table has, or what is wrong with it.',
  isMutation: false,
  input: z.object({ table: z.string(), sql: z.string().min(1).max(10_000) }),
  output: z.object({ type: z.string() }),
})

export const scubaDerivedList = defineQuery({
  name: 'scuba.derived.list',
  summary: 'List derived columns with their expressions.',
  input: z.object({ table: z.string().optional() }),
  output: z.object({ derived: z.array(derived) }),
  answer: (db, { table }) => ({ derived: storedDerived(db, table) }),
})

export const scubaDerivedRm = defineCommand({
  name: 'scuba.derived.rm',
  summary: 'Remove a derived column; queries that name it fail from then on.',
  danger: 'medium',
  input: z.object({ table: z.string(), name: z.string() }),
  output: z.object({ table: z.string(), name: z.string() }),
  decide: (db, { table, name }) => {
    const names = storedDerived(db, table).map((each) => each.name)
    if (!names.includes(name)) {
      const near = nearNames(name, names)
      return refuse('NOT_FOUND', `${table} has no derived column ${name}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`, {
        hint: 'List them with `muster scuba derive list`.',
        details: { near },
      })
    }
    return { entries: [DerivedRemoved.of({ table, name })], reply: () => ({ table, name }) }
  },
})
