import { meets } from '../plan/having.ts'
import type { PanelPlan } from '../plan/panel.ts'
import type { PlainValue } from '../wire-types.ts'
import { compareKeys } from './answer.ts'

/** A series in one group and step, as `growthSql` gives it. */
export interface GrowthCell {
  series: PlainValue
  key: readonly PlainValue[]
  step: number | null
  /** µs */
  firstUs: number
  first: number | null
  lastUs: number
  last: number | null
  /** from the first to the last; null: nothing is known to have grown */
  grown: number | null
}

interface Group {
  key: readonly PlainValue[]
  total: number | null
  steps: Map<number, number | null>
}

/**
 * Cells of all files as the rows that `allRowsSql` would give. Null when two cells of a series lie over each other in time: then only all
 * rows together have an order.
 */
export function growthRows(plan: PanelPlan, cells: readonly GrowthCell[]): PlainValue[][] | null {
  const groups = groupsOf(cells)
  if (groups === null) return null
  const seconds = (plan.untilMs - plan.sinceMs) / 1000
  const ranked = [...groups.values()].filter(({ total }) =>
    plan.having.every((one) => meets(one, total !== null && plan.calcs[one.calc]?.kind === 'rate' ? total / seconds : total)),
  )
  ranked.sort((a, b) => compare(b.total ?? -Infinity, a.total ?? -Infinity) || compareKeys(a.key, b.key))
  const rows = ranked.slice(0, plan.top).flatMap((group) => rowsOf(plan, group, false, ranked.length))
  const others = ranked.slice(plan.top)
  return plan.hasOther && others.length > 0 ? [...rows, ...rowsOf(plan, together(plan, others), true, ranked.length)] : rows
}

function groupsOf(cells: readonly GrowthCell[]): Map<string, Group> | null {
  const groups = new Map<string, Group>()
  let before: GrowthCell | null = null
  for (const cell of cells.toSorted((a, b) => compare(String(a.series), String(b.series)) || a.firstUs - b.firstUs)) {
    const previous: GrowthCell | null = before?.series === cell.series ? before : null
    if (previous !== null && previous.lastUs >= cell.firstUs) return null
    const grown = plus(cell.grown, previous === null ? null : grownSince(previous.last, cell.first))
    const id = JSON.stringify(cell.key)
    let group = groups.get(id)
    if (!group) groups.set(id, (group = { key: cell.key, total: null, steps: new Map() }))
    group.total = plus(group.total, grown)
    if (cell.step !== null) group.steps.set(cell.step, plus(group.steps.get(cell.step) ?? null, grown))
    before = cell
  }
  return groups
}

/** As `grownSql`. */
function grownSince(before: number | null, value: number | null): number | null {
  if (before === null || value === null) return null
  return value >= before ? value - before : value
}

const plus = (a: number | null, b: number | null): number | null => (a === null ? b : b === null ? a : a + b)

function together({ by }: PanelPlan, groups: readonly Group[]): Group {
  const sum: Group = { key: by.map(() => null), total: null, steps: new Map() }
  for (const { total, steps } of groups) {
    sum.total = plus(sum.total, total)
    for (const [step, grown] of steps) sum.steps.set(step, plus(sum.steps.get(step) ?? null, grown))
  }
  return sum
}

function rowsOf({ calcs }: PanelPlan, { key, total, steps }: Group, isOther: boolean, groupCount: number): PlainValue[][] {
  const row = (isTotal: number, step: number | null, grown: number | null): PlainValue[] => [
    ...[isOther, isTotal, step, groupCount, ...key],
    ...calcs.map(() => grown),
  ]
  return [row(1, null, total), ...[...steps].map(([step, grown]) => row(0, step, grown))]
}

const compare = (a: number | string, b: number | string): number => (a < b ? -1 : a > b ? 1 : 0)
