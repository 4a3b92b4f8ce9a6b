import { GAMMA } from '../merge/histogram.ts'
import type { Calc } from '../plan/calc.ts'
import type { Part, PartList } from '../plan/parts.ts'
import { ALL, type PartialPlan } from '../plan/sources.ts'
import type { ColumnType, ColumnTypes } from '../rows/columns.ts'
import type { PlainValue } from '../wire-types.ts'
import { identifier, literal, own, SEG } from './names.ts'
import { sealsSql, type Seals } from './rows.ts'
import { booleanText, columnSql, type StoredColumns } from './table.ts'

/** The partials of a panel, as ClickHouse is to be asked for them. */
export interface Asked {
  table: string
  plan: PartialPlan
  list: PartList
  registers: number
  types: ColumnTypes
  existing: StoredColumns
  sources: readonly Seals[]
  /** the plan's condition and those of ratios in ClickHouse's words; null: it has none for it */
  condition: (text: string) => string | null
}

export interface PartialQueries {
  /** one for each list of sketches, whose rows {@link engineRows} puts into the engine's form */
  groups: string[]
  /** groups a source sends at most, if it is not all; one more than that comes when there are more */
  groupsMax: number | null
  /** source and number of groups, for when a source sent as many as it may */
  count: string | null
}

/** Number of the rows of a source, and `st`, then keys, parts, codes, weights. */
const src = own('src')
const st = own('st')
const key = (at: number): string => own(`k${at}`)
const part = (at: number): string => own(`p${at}`)
const bucket = own('b')
const weight = own('w')
const named = own('named')

/** @returns null where ClickHouse cannot give what the engine would: it has to look at the rows then */
export function partialQueries(asked: Asked): PartialQueries | null {
  const { plan, list, types } = asked
  const rowWeight = weightSql(asked)
  if (rowWeight === undefined) return null
  const condition = plan.where === null ? null : asked.condition(plan.where)
  if (plan.where !== null && condition === null) return null
  const parts = list.parts.map((_, at) => partSql(asked, at, rowWeight))
  const sketches = list.sketches.map((_, at) => sketchSql(asked, at, rowWeight))
  if (parts.some((sql) => sql === null) || sketches.some((sql) => sql === null)) return null
  const keys = plan.by.map(({ name }) => keySql(name, types[name] ?? 'VARCHAR', asked.existing))
  const inner = { keys, parts: parts as string[], condition }
  const groups = (list.sketches.length === 0 ? [null] : (sketches as SketchSql[])).map((sketch) => groupsSql(asked, inner, sketch))
  const { keep } = plan
  if (keep.kind === 'all' || keep.kind === 'named')
    return { groups: groups.map((sql) => shownSql(asked, sql)), groupsMax: null, count: null }
  const groupsMax = keep.kind === 'best' ? keep.groups : keep.rows
  const rank = keep.kind === 'best' ? [`isNull(${part(keep.part)})`, `${part(keep.part)} DESC`] : []
  const order = [src, ...rank, ...keys.flatMap((_, at) => [`isNull(${key(at)})`, key(at)])].join(', ')
  const limit = ` ORDER BY ${order} LIMIT ${keep.kind === 'best' ? groupsMax : groupsMax + 1} BY ${src}`
  return {
    groups: groups.map((sql) => shownSql(asked, `SELECT * FROM (${sql})${limit}`)),
    groupsMax,
    count: keep.kind === 'best' ? `SELECT ${src}, count() FROM (${groupsSql(asked, { ...inner, parts: [] }, null)}) GROUP BY ${src}` : null,
  }
}

interface Inner {
  keys: readonly string[]
  parts: readonly string[]
  condition: string | null
}

interface SketchSql {
  code: string
  weight: string
  isDistinct: boolean
}

/** Groups of all sources with the list of one sketch. */
function groupsSql({ table, plan, sources, list }: Asked, { keys, parts, condition }: Inner, sketch: SketchSql | null): string {
  const step = plan.stepMs === null ? '0' : `intDiv(\`time\`, ${plan.stepMs * 1000}) * ${plan.stepMs}`
  const isNamed = plan.keep.kind === 'named' ? namedSql(plan, keys) : null
  const hasOther = plan.keep.kind === 'named' && plan.keep.hasOther
  const shownKeys = hasOther && isNamed !== null ? keys.map((sql) => `if(${isNamed}, ${sql}, NULL)`) : keys
  const where = [
    `(${sources.map((seals) => `(${sealsSql(seals)})`).join(' OR ')})`,
    ...(condition === null ? [] : [`(${condition})`]),
    ...(isNamed === null || hasOther ? [] : [isNamed]),
  ].join(' AND ')
  const names = [src, st, ...(isNamed === null ? [] : [named]), ...keys.map((_, at) => key(at))]
  const select = [
    `${sourceSql(sources)} AS ${src}`,
    `${step} AS ${st}`,
    ...(isNamed === null ? [] : [`${isNamed} AS ${named}`]),
    ...shownKeys.map((sql, at) => `${sql} AS ${key(at)}`),
    ...(sketch ? [`${sketch.code} AS ${bucket}`, `${sketch.weight} AS ${weight}`] : []),
    ...parts.map((sql, at) => `${sql} AS ${part(at)}`),
  ]
  const rows = `SELECT ${select.join(', ')} FROM ${identifier(table)} WHERE ${where} GROUP BY ${[...names, ...(sketch ? [bucket] : [])].join(', ')}`
  if (!sketch) return `SELECT *, emptyArrayInt64() AS ${own('codes')}, emptyArrayFloat64() AS ${own('weights')} FROM (${rows})`
  const has = `isNotNull(${bucket})`
  const code = sketch.isDistinct ? `${bucket} * 64 + ${weight}` : bucket
  const lists = [
    `groupArrayIf(toInt64(assumeNotNull(${code})), ${has}) AS ${own('codes')}`,
    `groupArrayIf(toFloat64(${sketch.isDistinct ? '0' : weight}), ${has}) AS ${own('weights')}`,
  ]
  const merged = parts.map((_, at) => `${mergeName(list.parts[at])}(${part(at)}) AS ${own(`m${at}`)}`)
  const again = parts.map((_, at) => `${own(`m${at}`)} AS ${part(at)}`)
  const grouped = `SELECT ${[...names, ...merged, ...lists].join(', ')} FROM (${rows}) GROUP BY ${names.join(', ')}`
  return `SELECT ${[...names, ...again, own('codes'), own('weights')].join(', ')} FROM (${grouped})`
}

const mergeName = (one: Part | undefined): string => (one?.merge === 'add' || one === undefined ? 'sum' : one.merge)

/** As JSON carries them whole: 128 bit as text. */
function shownSql({ plan, list }: Asked, groups: string): string {
  const parts = list.parts.map((one, at) => (one.isWhole ? `toString(${part(at)})` : part(at)))
  const names = [src, st, ...(plan.keep.kind === 'named' ? [named] : []), ...plan.by.map((_, at) => key(at))]
  return `SELECT ${[...names, ...parts, own('codes'), own('weights')].join(', ')} FROM (${groups})`
}

function sourceSql(sources: readonly Seals[]): string {
  const segs = sources.flatMap(({ segs: of }) => of)
  const places = sources.flatMap(({ segs: of }, at) => of.map(() => at))
  return `transform(${identifier(SEG)}, [${segs.join(', ')}], [${places.join(', ')}], -1)`
}

/** Whether a row is of one of the named groups; NULL is not IN anything, so it goes as a mark and a value. */
function namedSql({ keep, by }: PartialPlan, keys: readonly string[]): string {
  if (keep.kind !== 'named') return '1'
  const values = keep.keys.map((one) => {
    const parts = by.flatMap(({ type }, at) => {
      const value = one[at] ?? null
      return value === null ? ['1', emptyOf(type)] : ['0', keyLiteral(value, type)]
    })
    return `(${parts.join(', ')})`
  })
  const row = by.flatMap(({ type }, at) => [`toUInt8(isNull(${keys[at] ?? ''}))`, `ifNull(${keys[at] ?? ''}, ${emptyOf(type)})`])
  return `((${row.join(', ')}) IN (${values.join(', ')}))`
}

const emptyOf = (type: ColumnType): string =>
  ({ VARCHAR: "''", DOUBLE: 'toFloat64(0)', BOOLEAN: 'toUInt8(0)' })[type as string] ?? 'toInt64(0)'

function keyLiteral(value: PlainValue, type: ColumnType): string {
  if (type === 'VARCHAR') return literal(String(value))
  if (type === 'BOOLEAN') return `toUInt8(${value === true ? 1 : 0})`
  return type === 'DOUBLE' ? `toFloat64(${String(value)})` : `toInt64(${String(value)})`
}

const keySql = (name: string, type: ColumnType, existing: StoredColumns): string => columnSql(name, type, existing)

/** A column as a number, as `numberSql` is for the engine; null: text, which the two read in different ways. */
function numberOf(column: string, { types, existing }: Asked): string | null {
  const type = types[column] ?? 'VARCHAR'
  const value = columnSql(column, type, existing)
  if (type === 'VARCHAR') return null
  return type === 'TIMESTAMP' ? `(${value} / 1000)` : type === 'BOOLEAN' ? `toInt64(${value})` : value
}

/** Null: every row counts once. Undefined: it cannot be said. */
function weightSql(asked: Asked): string | null | undefined {
  const type = asked.types['sample_rate']
  if (type === undefined) return null
  if (type !== 'BIGINT' && type !== 'DOUBLE') return undefined
  const one = type === 'BIGINT' ? 'toInt64(1)' : 'toFloat64(1)'
  return `greatest(${one}, assumeNotNull(ifNull(${columnSql('sample_rate', type, asked.existing)}, ${one})))`
}

/** What a part of the plan's list is, found by the calculations that are made of it. */
function partSql(asked: Asked, at: number, rowWeight: string | null): string | null {
  const isWhole = asked.list.parts[at]?.isWhole === true
  const counted = (condition: string | null): string => {
    if (rowWeight === null) return condition === null ? 'count()' : `countIf(${condition})`
    return condition === null ? `sum(${rowWeight})` : `sumIf(${rowWeight}, ${condition})`
  }
  // The count of all rows always is the first.
  if (at === 0) return counted(null)
  for (const { calc, parts } of asked.list.calcs) {
    const role = parts.indexOf(at)
    if (role >= 0) return roleSql(asked, calc, role, isWhole, rowWeight, counted)
  }
  return null
}

function roleSql(
  asked: Asked,
  calc: Calc,
  role: number,
  isWhole: boolean,
  rowWeight: string | null,
  counted: (condition: string | null) => string,
): string | null {
  if (calc.kind === 'ratio') {
    const condition = asked.condition(calc.condition)
    return condition === null ? null : counted(role === 0 ? condition : null)
  }
  if (!('column' in calc)) return counted(null)
  const number = numberOf(calc.column, asked)
  if (number === null) return null
  if (calc.kind === 'min' || calc.kind === 'max') return `${calc.kind}(${number})`
  if (calc.kind !== 'sum' && calc.kind !== 'avg') return null
  if (role === 2) return counted(`isNull(${number})`)
  // 64 bit would begin anew beyond their end, without a word.
  if (isWhole) return `sum(toDecimal128(${number}, 0)${rowWeight === null ? '' : ` * toDecimal128(${rowWeight}, 0)`})`
  return `sum(toFloat64(${number})${rowWeight === null ? '' : ` * ${rowWeight}`})`
}

function sketchSql(asked: Asked, at: number, rowWeight: string | null): SketchSql | null {
  const { list, registers, types, existing } = asked
  const calc = list.calcs.find(({ sketch }) => sketch === at)?.calc
  if (!calc || !('column' in calc)) return null
  if (calc.kind === 'distinct') {
    const type = types[calc.column] ?? 'VARCHAR'
    // The two write fractions as text in ways of their own.
    if (type === 'DOUBLE') return null
    const value = columnSql(calc.column, type, existing)
    const text = type === 'BOOLEAN' ? booleanText(value) : type === 'VARCHAR' ? value : `toString(${value})`
    const hash = `reinterpretAsUInt64(MD5(assumeNotNull(${text})))`
    const bits = Math.log2(registers)
    const rest = `bitShiftRight(min(${hash}), ${bits})`
    return {
      code: `if(isNull(${value}), NULL, toInt64(bitAnd(${hash}, ${registers - 1})))`,
      weight: `if(${rest} = 0, ${64 - bits + 1}, ${64 - bits} - toInt64(floor(log2(${rest}))))`,
      isDistinct: true,
    }
  }
  const number = numberOf(calc.column, asked)
  if (number === null) return null
  const code = `toInt64(ceil(log(abs(toFloat64(${number}))) / ${Math.log(GAMMA)})) + 40000`
  return {
    code: `multiIf(isNull(${number}), NULL, ${number} = 0, 0, ${number} > 0, ${code}, -(${code}))`,
    weight: rowWeight === null ? 'count()' : `sum(${rowWeight})`,
    isDistinct: false,
  }
}

/** Rows of the queries for groups in the form of the engine's, for `partialsOf`. */
export function engineRows(
  { plan, list, sources }: Pick<Asked, 'plan' | 'list' | 'sources'>,
  { groupsMax }: Pick<PartialQueries, 'groupsMax'>,
  answers: readonly (readonly unknown[])[][],
  counts: ReadonlyMap<number, number>,
): PlainValue[][] {
  const { keep, by } = plan
  const places = new Map(keep.kind === 'named' ? keep.keys.map((one, at) => [JSON.stringify(one), at]) : [])
  const keysAt = keep.kind === 'named' ? 3 : 2
  const partsAt = keysAt + by.length
  const rows: PlainValue[][] = []
  const sent = sources.map(() => 0)
  answers.forEach((answer, kind) => {
    for (const row of answer) {
      const source = Number(row[0])
      if (kind === 0) sent[source] = (sent[source] ?? 0) + 1
      const own = by.map(({ type }, at) => keyValue(row[keysAt + at], type))
      const keys = keep.kind === 'named' ? [Number(row[2]) === 1 ? (places.get(JSON.stringify(own)) ?? null) : null] : own
      const parts = list.parts.map((_, at) => amount(row[partsAt + at]))
      const codes = (row[partsAt + parts.length] as unknown[]).map(Number)
      const weights = (row[partsAt + parts.length + 1] as unknown[]).map(Number)
      const step = plan.stepMs === null ? null : Number(row[1])
      const hasList = list.sketches.length > 0 && codes.length > 0
      const isDistinct = list.sketches[kind]?.kind === 'distinct'
      rows.push([source, kind, step, 1, ...keys, ...parts, hasList ? codes : null, hasList && !isDistinct ? weights : null] as PlainValue[])
    }
  })
  if (groupsMax === null) return rows
  const keyless = Array.from({ length: by.length + list.parts.length + 2 }, () => null)
  const totals = sent.map((count, source): PlainValue[] => [source, ALL, null, counts.get(source) ?? count, ...keyless])
  // A source with more than a few groups sends none.
  const few = keep.kind === 'few' ? rows.filter((row) => (sent[Number(row[0])] ?? 0) <= groupsMax) : rows
  return [...few, ...totals]
}

/** Whole numbers of 64 and 128 bit come as text; those a double has exactly go on as one. */
function amount(value: unknown): PlainValue {
  if (value === null || value === undefined) return null
  if (typeof value === 'string' && !Number.isSafeInteger(Number(value))) return value
  return Number(value)
}

function keyValue(value: unknown, type: ColumnType): PlainValue {
  if (value === null || value === undefined) return null
  if (type === 'BOOLEAN') return Number(value) === 1
  return type === 'VARCHAR' ? String(value) : amount(value)
}
