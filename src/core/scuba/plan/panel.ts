import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import { REGISTERS, REGISTERS_MANY } from '../merge/hyperloglog.ts'
import { LIMITS } from '../limits.ts'
import { quoteName } from '../names.ts'
import type { ColumnTypes } from '../rows/columns.ts'
import type { PanelRequest, PlainValue } from '../wire-types.ts'
import { findColumn, parseCalc, type Calc } from './calc.ts'
import { parseHaving, type Having } from './having.ts'
import { isRankedByItself, needsAllRows, partsOf, type PartList } from './parts.ts'
import { panelRange, type TimeRange } from './range.ts'
import type { GroupColumn, Keep, PartialPlan } from './sources.ts'

/** A panel, understood: names found, range snapped, calculations divided into parts. */
export interface PanelPlan extends TimeRange {
  table: string
  by: GroupColumn[]
  calcs: Calc[]
  having: Having[]
  stepMs: number | null
  where: string | null
  top: number
  hasOther: boolean
  /** B when a calculation needs all rows together */
  tier: 'A' | 'B'
  /** of tier A; without those of calculations that need all rows */
  list: PartList
  registers: number
  /** its distinct counts are by a hash that ClickHouse has, too; others cannot be merged with them */
  isPortable: boolean
  isSampled: boolean
  /** expressions of the user, each to be checked before it becomes part of any SQL */
  expressions: string[]
  /** columns that are read, without those of the expressions */
  columns: string[]
}

/**
 * @param isPortable rows of the table may be in ClickHouse
 * @returns USAGE, SCUBA_COLUMN_UNKNOWN, SCUBA_TOO_LARGE
 */
export function planPanel(request: PanelRequest, types: ColumnTypes, nowMs: number, isPortable = false): PanelPlan | MusterError {
  const names = Object.keys(types)
  const calcs: Calc[] = []
  for (const text of request.calc.length > 0 ? request.calc : ['count']) {
    const calc = parseCalc(text.trim(), names)
    if (isRefusal(calc)) return calc
    calcs.push(calc)
  }
  const by: GroupColumn[] = []
  for (const name of request.by ?? []) {
    const column = findColumn(name, names)
    if (typeof column !== 'string') return column
    const type = types[column] ?? 'VARCHAR'
    by.push({ name: column, type, sql: type === 'TIMESTAMP' ? `epoch_us(${quoteName(column)})` : quoteName(column) })
  }
  const having: Having[] = []
  for (const text of request.having ?? []) {
    const condition = parseHaving(text, calcs)
    if (isRefusal(condition)) return condition
    having.push(condition)
  }
  const range = panelRange(request, nowMs)
  if (isRefusal(range)) return range
  const stepMs = request.stepMs ?? null
  const top = request.top ?? 10
  if (top < 1 || top > LIMITS.panelGroupsMax) return refuse('USAGE', `top must be 1 to ${LIMITS.panelGroupsMax}`)
  if (stepMs !== null && (stepMs < 1 || (range.untilMs - range.sinceMs) / stepMs > LIMITS.panelStepsMax)) {
    return refuse('SCUBA_TOO_LARGE', `more than ${LIMITS.panelStepsMax} steps`, { hint: 'Use a wider --step or a shorter range.' })
  }
  const where = request.where === undefined || request.where.trim() === '' ? null : request.where
  const registers = bestGroups(top) > 1000 ? REGISTERS_MANY : REGISTERS
  const ratios = calcs.flatMap((calc) => (calc.kind === 'ratio' ? [calc.condition] : []))
  const isSampled = 'sample_rate' in types
  return {
    ...range,
    table: request.table,
    by,
    calcs,
    having,
    stepMs,
    where,
    top,
    hasOther: request.other === true,
    tier: calcs.some(needsAllRows) ? 'B' : 'A',
    list: partsOf(
      calcs.filter((calc) => !needsAllRows(calc)),
      types,
      registers,
      by.length > 0,
      isPortable,
    ),
    registers,
    isPortable,
    isSampled,
    expressions: [...(where === null ? [] : [where]), ...ratios],
    columns: [
      ...new Set([
        'time',
        ...by.map(({ name }) => name),
        ...calcs.flatMap((calc) => ('column' in calc ? [calc.column] : [])),
        ...(isSampled ? ['sample_rate'] : []),
      ]),
    ],
  }
}

/** How many groups a source sends, so that the best of all are most likely among them. */
export const bestGroups = (top: number): number => Math.max(5 * top, 1000)

/** Rows a source sends at once rather than be asked twice. */
const FEW_ROWS = 2000
const FEW_LISTS = 500

/** The part that the first calculation ranks by on one source: its own where there is one, else the count of rows. */
export function rankPart({ list }: PanelPlan): number {
  const first = list.calcs[0]
  return first && isRankedByItself(first.calc) ? (first.parts[0] ?? 0) : 0
}

/** Whether the ranking part of sources adds up, so that a bound can be given for what they cut. */
export const isRankAdditive = ({ list }: PanelPlan): boolean => ['count', 'sum'].includes(list.calcs[0]?.calc.kind ?? '')

/** The partials of a plan: each source is asked for all groups; for the best; for few or none; or for those that were found. */
export function partialPlan(plan: PanelPlan, what: 'all' | 'best' | 'few' | { named: readonly PlainValue[][] }): PartialPlan {
  const { table, by, stepMs, where, list } = plan
  const keep = ((): Keep => {
    if (what === 'all') return { kind: 'all' }
    if (what === 'best') return { kind: 'best', groups: bestGroups(plan.top), part: rankPart(plan) }
    if (what === 'few') return { kind: 'few', rows: list.sketches.length > 0 ? FEW_LISTS : FEW_ROWS }
    return { kind: 'named', keys: what.named, hasOther: plan.hasOther }
  })()
  return { table, by, where, parts: list.parts, sketches: list.sketches, keep, stepMs: what === 'best' ? null : stepMs }
}
