import type { ColumnType, ColumnTypes } from '../rows/columns.ts'
import type { Declaration } from './declaration.ts'
import type { RowRule } from './rules.ts'

/** From harmless to harmful. `breaking`: rows that were taken before would be refused, or would mean something else. */
const VERDICTS = ['same', 'new', 'compatible', 'widening', 'breaking'] as const
export type Verdict = (typeof VERDICTS)[number]

export interface SchemaChange {
  /** null: of the table as a whole */
  column: string | null
  verdict: Verdict
  /** `status: BIGINT becomes VARCHAR` */
  text: string
}

/** What is known of a table before a declaration is put. */
export interface KnownTable {
  /** the declaration in force */
  declaration: Declaration | null
  /** columns seen or declared, with the type they have */
  columns: ColumnTypes
}

export interface Compatibility {
  verdict: Verdict
  changes: SchemaChange[]
}

/** What a declaration changes of a table, and how bad the worst of it is. */
export function compatibility(before: KnownTable, after: Declaration): Compatibility {
  const changes = [...ofColumns(before, after), ...ofRules(before, after), ...ofTable(before, after)]
  const isNew = before.declaration === null && Object.keys(before.columns).length === 0
  if (isNew) return { verdict: 'new', changes: [] }
  return { verdict: changes.map(({ verdict }) => verdict).reduce(worse, 'same'), changes }
}

const worse = (a: Verdict, b: Verdict): Verdict => (VERDICTS.indexOf(a) >= VERDICTS.indexOf(b) ? a : b)

/** The verdict on a column that gets another type. */
export function typeChange(from: ColumnType, to: ColumnType): Verdict {
  if (from === to) return 'same'
  return from === 'BIGINT' && to === 'DOUBLE' ? 'widening' : 'breaking'
}

function ofColumns({ declaration, columns }: KnownTable, after: Declaration): SchemaChange[] {
  const changes: SchemaChange[] = []
  const known = new Map(Object.entries(columns).map(([name, type]) => [name.toLowerCase(), { name, type }]))
  for (const [column, { type }] of Object.entries(after.columns)) {
    const before = known.get(column.toLowerCase())
    if (before === undefined) {
      changes.push({ column, verdict: 'compatible', text: `${column}: new column, ${type}` })
      continue
    }
    if (before.name !== column)
      changes.push({ column, verdict: 'breaking', text: `${column}: is spelled ${before.name} in the rows there are` })
    const verdict = typeChange(before.type, type)
    if (verdict !== 'same') changes.push({ column, verdict, text: `${column}: ${before.type} becomes ${type}` })
  }
  const kept = new Set(Object.keys(after.columns).map((name) => name.toLowerCase()))
  for (const column of Object.keys(declaration?.columns ?? {})) {
    if (kept.has(column.toLowerCase())) continue
    // The column stays known, with the type it has.
    changes.push({ column, verdict: 'compatible', text: `${column}: no longer declared; its values are taken as they come` })
  }
  return changes
}

function ofRules({ declaration }: KnownTable, after: Declaration): SchemaChange[] {
  const changes: SchemaChange[] = []
  for (const column of new Set([...Object.keys(declaration?.columns ?? {}), ...Object.keys(after.columns)])) {
    const was = declaration?.columns[column]
    const is = after.columns[column]
    const tighter = is === undefined ? [] : tightened(was, is)
    for (const what of tighter) changes.push({ column, verdict: 'breaking', text: `${column}: ${what}` })
    if (tighter.length === 0 && was !== undefined && JSON.stringify(ruleOf(was)) !== JSON.stringify(ruleOf(is)))
      changes.push({ column, verdict: 'compatible', text: `${column}: its rules become looser` })
  }
  return changes
}

const ruleOf = (rule: RowRule | undefined): unknown[] => [
  rule?.required === true,
  rule?.enum ?? null,
  rule?.range ?? null,
  rule?.regex ?? null,
  rule?.on_fail ?? null,
]

/** What of a rule refuses rows that the one before took. A rule that only warns refuses none. */
function tightened(before: RowRule | undefined, after: RowRule): string[] {
  if (after.on_fail === 'warn') return []
  const was = before?.on_fail === 'quarantine' ? before : undefined
  const tighter: string[] = []
  if (after.required && was?.required !== true) tighter.push('is required now')
  const { enum: allowed } = after
  if (allowed !== undefined && (was?.enum === undefined || was.enum.some((value) => !allowed.includes(value))))
    tighter.push('fewer values are allowed')
  if (after.range !== undefined && !isWithin(was?.range, after.range)) tighter.push('its range is narrower')
  if (after.regex !== undefined && was?.regex !== after.regex) tighter.push('it has another regular expression to match')
  return tighter
}

type Range = NonNullable<RowRule['range']>

/** Whether every value of the first range is in the second. */
function isWithin(inner: Range | undefined, [min, max]: Range): boolean {
  if (inner === undefined) return false
  const isAbove = min === null || (inner[0] !== null && inner[0] >= min)
  const isBelow = max === null || (inner[1] !== null && inner[1] <= max)
  return isAbove && isBelow
}

const STRICTNESS = { open: 0, closed: 1, strict: 2 } as const

function ofTable({ declaration, columns }: KnownTable, after: Declaration): SchemaChange[] {
  const changes: SchemaChange[] = []
  const push = (verdict: Verdict, text: string): number => changes.push({ column: null, verdict, text })
  const mode = declaration?.mode ?? 'open'
  if (mode !== after.mode) {
    const isStricter = STRICTNESS[after.mode] > STRICTNESS[mode]
    push(isStricter ? 'breaking' : 'compatible', `mode ${mode} becomes ${after.mode}`)
  }
  if (declaration?.time_field !== after.time_field)
    push('breaking', `the time of a row comes from ${after.time_field ?? 'time, ts, timestamp or @timestamp'}`)
  if ((declaration?.coerce ?? false) !== after.coerce)
    push(after.coerce ? 'breaking' : 'compatible', after.coerce ? 'values are brought into their type unchecked' : 'values are checked')
  const spare = after.columns_max ?? Infinity
  if (spare < Math.min(declaration?.columns_max ?? Infinity, Object.keys(columns).length))
    push('breaking', `only ${spare} columns are allowed, and there are ${Object.keys(columns).length}`)
  for (const key of ['keys', 'timezone'] as const) {
    const was = declaration?.[key] ?? { keys: 'all', timezone: 'UTC' }[key]
    if (was !== after[key]) push('compatible', `${key} ${was} becomes ${after[key]}`)
  }
  if ((declaration?.replicas ?? 1) !== after.replicas)
    push('compatible', `each row is on ${after.replicas === 1 ? 'one leaf' : `${after.replicas} leaves`}`)
  if ((declaration?.sort ?? []).join() !== after.sort.join()) push('compatible', `sorted by ${after.sort.join(', ') || 'service, time'}`)
  return changes
}
