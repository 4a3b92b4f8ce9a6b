import { quoteName, quoteText } from '../names.ts'
import type { PlainValue } from '../wire-types.ts'
import type { ColumnType } from '../rows/columns.ts'
import { TICK, TICK_MS } from './codes.ts'
import type { Part, Sketch } from './parts.ts'
import type { ViewFile } from './view.ts'

/**
 * A source of a plan: files whose rows make one partial, and where those rows come from. `from` usually is the view
 * over the files; an artefact (native copy, rollup) may stand in for it, as long as the same rows or groups come out.
 */
export interface Source {
  files: readonly ViewFile[]
  /** SELECT that gives the rows, with the plan's columns and already within its time range */
  from: string
  /** codes that are among its columns (`codes.ts`) */
  codes?: readonly string[] | undefined
  /** for each list of groups, what stands in for its rows */
  rollups?: readonly Rollup[] | undefined
}

/** Groups of rows, finer than a plan's, from which the plan's are made. */
export interface Rollup {
  /** SELECT with `time`, the columns that are grouped by and looked at, and what the expressions below name */
  from: string
  /** aggregate over it, for each part of the plan */
  parts: readonly string[]
  codeSql: string
  weightSql: string
  /** in a few words, for people */
  words: string
}

export interface GroupColumn {
  name: string
  type: ColumnType
  /** what is grouped by, of a type that comes back as it went */
  sql: string
}

/** What is computed of each source; the SQL of one and the same plan is the same for all of them. */
export interface PartialPlan {
  table: string
  by: readonly GroupColumn[]
  stepMs: number | null
  /** SQL condition */
  where: string | null
  parts: readonly Part[]
  sketches: readonly Sketch[]
  keep: Keep
}

/**
 * Which groups a source sends.
 * `all`: every one. `best`: the best `groups` by a part; if there are more it also sends the sum of all.
 * `few`: every one, or, if there are more rows than `rows`, none but their number.
 * `named`: those of `keys`, all others as one.
 */
export type Keep =
  | { kind: 'all' }
  | { kind: 'best'; groups: number; part: number }
  | { kind: 'few'; rows: number }
  | { kind: 'named'; keys: readonly PlainValue[][]; hasOther: boolean }

/** Columns of a partial's row, in this order: source, kind of row, step, number of rows, then keys, parts, codes, weights. */
export const ROW = { source: 0, kind: 1, step: 2, count: 3, keys: 4 } as const

/** Kinds of rows: 0 and up are groups, with the list of the sketch of that place; ALL is the sum of all groups of a source. */
export const ALL = -1

/**
 * One SELECT with the partials of all sources.
 * @param isQuick by the quick forms of parts and sketches, which the engine may refuse
 */
export function partialSql(plan: PartialPlan, sources: readonly Source[], isQuick = false): string {
  const parts = isQuick ? plan.parts.map((part) => ({ ...part, sql: part.quickSql ?? part.sql })) : plan.parts
  return sources
    .map((source, index) => {
      const sketches = plan.sketches.map((sketch) => ({ ...sketch, codeSql: codeSql(sketch, source, isQuick) }))
      return sourceSql({ ...plan, parts, sketches }, source, index)
    })
    .join('\nUNION ALL\n')
}

/** Codes of use to a plan where files have them stored. */
export const usefulCodes = ({ stepMs, sketches }: PartialPlan): string[] => [
  ...(stepMs !== null && stepMs % TICK_MS === 0 ? [TICK] : []),
  ...sketches.flatMap(({ stored }) => stored ?? []),
]

function codeSql(sketch: Sketch, { codes = [] }: Source, isQuick: boolean): string {
  const isStored = sketch.stored !== undefined && codes.includes(sketch.stored)
  if (isStored) return `${quoteName(sketch.stored ?? '')}${isQuick ? '::USMALLINT' : ''}`
  return (isQuick ? sketch.quickSql : undefined) ?? sketch.codeSql
}

/** Number of a row's step. */
function stepSql(stepMs: number, codes: readonly string[]): string {
  return codes.includes(TICK) && stepMs % TICK_MS === 0
    ? `${quoteName(TICK)} // ${stepMs / TICK_MS}`
    : `epoch_us("time") // ${stepMs * 1000}`
}

function sourceSql(plan: PartialPlan, source: Source, index: number): string {
  const sketchCount = Math.max(1, plan.sketches.length)
  const groups = Array.from({ length: sketchCount }, (_, at) => groupsSql(plan, source, at))
  const names = groups.map((_, at) => `muster_g${at}`)
  const keys = keyNames(plan)
  const parts = plan.parts.map((_, at) => `p${at}`)
  const columns = (kind: number, rows: string): string => [index, kind, 'st', rows, ...keys, ...parts, 'codes', 'weights'].join(', ')
  const total = `SELECT ${[
    `${index}, ${ALL}, NULL, count(*)`,
    ...keys.map(() => 'NULL'),
    ...plan.parts.map(({ merge }, at) => `${merge === 'add' ? 'sum' : merge}(p${at})`),
    'NULL, NULL',
  ].join(', ')} FROM muster_g0`
  const all = names.map((name, at) => `SELECT ${columns(at, '1')} FROM ${name}`)
  const bodies = ((): string[] => {
    const { keep } = plan
    switch (keep.kind) {
      case 'best': {
        const order = `p${keep.part} DESC NULLS LAST${keys.map((key) => `, ${key}`).join('')}`
        return [...all.map((sql) => `SELECT * FROM (${sql} ORDER BY ${order} LIMIT ${keep.groups})`), total]
      }
      case 'few':
        return [...all.map((sql) => `${sql} WHERE (SELECT count(*) FROM muster_g0) <= ${keep.rows}`), total]
      default:
        return all
    }
  })()
  const ctes = groups.map((sql, at) => `${names[at]} AS MATERIALIZED (${sql})`)
  return `SELECT * FROM (WITH ${ctes.join(',\n')}\n${bodies.join('\nUNION ALL\n')})`
}

const keyNames = (plan: PartialPlan): string[] => (plan.keep.kind === 'named' ? ['k0'] : plan.by.map((_, at) => `k${at}`))

/** Groups of one source with the list of one sketch; two levels, because the engine's own sketches cannot be taken out of it. */
function groupsSql(plan: PartialPlan, source: Source, at: number): string {
  const rollup = source.rollups?.[at]
  const from = rollup?.from ?? source.from
  const asked = plan.sketches[at]
  const sketch = asked && rollup ? { ...asked, codeSql: rollup.codeSql, weightSql: rollup.weightSql } : asked
  const isNamed = plan.keep.kind === 'named'
  // Multiplied only when rows are groups.
  const step = plan.stepMs === null ? null : stepSql(plan.stepMs, rollup ? [] : (source.codes ?? []))
  const st = step === null ? 'NULL::BIGINT AS st' : `(${step}) * ${plan.stepMs} AS st`
  // By one column of few values the engine groups twice as fast as by that one and a constant.
  const names = [...(plan.stepMs === null ? [] : ['st']), ...keyNames(plan)]
  const keys = isNamed ? ['muster_pick.muster_i AS k0'] : plan.by.map(({ sql }, i) => `${sql} AS k${i}`)
  // All rows as one group are one even if there are none.
  const having = names.length === 0 ? ' HAVING count(*) > 0' : ''
  const where = plan.where === null ? '' : ` WHERE (${plan.where}\n)`
  // Parts go with the first list only; the others have the ones that rank.
  const parts = plan.parts.map(({ sql }, i) => `${rollup?.parts[i] ?? sql} AS p${i}`)
  const rows = `FROM (${from}) AS ${quoteName(plan.table)}${pickSql(plan)}${where}`
  if (!sketch) {
    return `SELECT ${[st, ...keys, ...parts].join(', ')}, NULL::INTEGER[] AS codes, NULL::DOUBLE[] AS weights ${rows} GROUP BY ${grouping(step, names)}${having}`
  }
  const inner = `SELECT ${[st, ...keys, `${sketch.codeSql} AS b`, ...parts, `${sketch.weightSql} AS w`].join(', ')} ${rows} GROUP BY ${grouping(step, [...names, 'b'])}`
  const merged = plan.parts.map(({ merge }, i) => `${merge === 'add' ? 'sum' : merge}(p${i}) AS p${i}`)
  const has = 'FILTER (WHERE b IS NOT NULL)'
  const lists =
    sketch.kind === 'histogram'
      ? [`list(b::INTEGER) ${has} AS codes`, `list(w::DOUBLE) ${has} AS weights`]
      : [`list(${sketch.sentSql}) ${has} AS codes`, 'NULL::DOUBLE[] AS weights']
  return `SELECT ${[...(step === null ? [st] : []), ...names, ...merged, ...lists].join(', ')} FROM (${inner}) GROUP BY ${names.length === 0 ? '()' : names.join(', ')}${having}`
}

/** By place, because a name might be that of a column; `st` always is the first. */
function grouping(step: string | null, names: readonly string[]): string {
  if (names.length === 0) return '()'
  return names.map((name, i) => (name === 'st' ? step : i + (step === null ? 2 : 1))).join(', ')
}

function pickSql(plan: PartialPlan): string {
  const { keep, by } = plan
  if (keep.kind !== 'named') return ''
  const rows = keep.keys.map((key, index) => `(${[String(index), ...by.map(({ type }, at) => literal(key[at] ?? null, type))].join(', ')})`)
  const same = by.map(({ sql }, at) => `${sql} IS NOT DISTINCT FROM muster_pick.muster_q${at}`).join(' AND ')
  return ` ${keep.hasOther ? 'LEFT' : 'INNER'} JOIN (VALUES ${rows.join(', ')}) AS muster_pick(muster_i${by.map((_, at) => `, muster_q${at}`).join('')}) ON ${same}`
}

/** A key as it came back, as SQL of the type it was grouped by. */
function literal(value: PlainValue, type: ColumnType): string {
  const sqlType = type === 'TIMESTAMP' ? 'BIGINT' : type
  return value === null ? `NULL::${sqlType}` : `${quoteText(String(value))}::${sqlType}`
}
