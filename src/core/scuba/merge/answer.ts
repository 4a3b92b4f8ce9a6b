import { meets } from '../plan/having.ts'
import { isRankAdditive, type PanelPlan } from '../plan/panel.ts'
import type { Accuracy, PanelAnswer, PanelGroup, PlainValue } from '../wire-types.ts'
import type { MergedGroup, MergedGroups } from './groups.ts'
import { accuracyOf, heatmapsOf, valueOf } from './values.ts'

/** Values of a group in the order of the plan's calculations. */
const valuesOf = ({ list }: PanelPlan, cell: MergedGroup['total']): (number | null)[] => list.calcs.map((calc) => valueOf(calc, cell))

/** Groups of which nothing was cut away, best first: by the first calculation, then by their keys. */
export function rankGroups(plan: PanelPlan, merged: MergedGroups): MergedGroup[] {
  const ranked: { group: MergedGroup; rank: number | null }[] = []
  for (const group of merged.groups.values()) {
    const values = plan.having.length > 0 ? valuesOf(plan, group.total) : []
    if (!plan.having.every((condition) => meets(condition, values[condition.calc] ?? null))) continue
    const first = plan.list.calcs[0]
    ranked.push({ group, rank: first ? valueOf(first, group.total) : null })
  }
  ranked.sort((a, b) => compareRanks(a.rank, b.rank) || compareKeys(a.group.key, b.group.key))
  return ranked.map(({ group }) => group)
}

/** By more than sums of fractions differ when they are added in another order. */
const isBelow = (whole: number | null, ranked: number | null): boolean =>
  ranked !== null && (whole ?? -Infinity) < ranked - Math.abs(ranked) * 1e-9

function compareRanks(a: number | null, b: number | null): number {
  if (a === null || b === null) return (a === null ? 1 : 0) - (b === null ? 1 : 0)
  return b - a
}

/** As the engine orders them: nothing last. */
export function compareKeys(a: readonly PlainValue[], b: readonly PlainValue[]): number {
  for (let i = 0; i < a.length; i += 1) {
    const [x, y] = [a[i] ?? null, b[i] ?? null]
    if (x === y) continue
    if (x === null || y === null) return x === null ? 1 : -1
    return x < y ? -1 : 1
  }
  return 0
}

/** A merged group as it stands in an answer. */
export function groupOf(plan: PanelPlan, group: MergedGroup, key: readonly PlainValue[] | null): PanelGroup {
  const values = valuesOf(plan, group.total)
  const heatmaps = heatmapsOf(plan.list.calcs, group)
  return {
    key: Object.fromEntries(plan.by.map(({ name, type }, at) => [name, key === null ? null : keyValue(key[at] ?? null, type)])),
    isOther: key === null,
    values: Object.fromEntries(plan.list.calcs.map(({ calc }, at) => [calc.text, values[at] ?? null])),
    series: [...group.steps]
      .sort(([a], [b]) => a - b)
      .map(([step, cell]): [number, ...(number | null)[]] => [step, ...valuesOf(plan, cell)]),
    ...(heatmaps === undefined ? {} : { heatmaps }),
  }
}

/** Times are grouped by as µs, and answered in ms as everywhere. */
const keyValue = (value: PlainValue, type: string): PlainValue => (type === 'TIMESTAMP' && value !== null ? Number(value) / 1000 : value)

type Grouped = Pick<PanelAnswer, 'groups' | 'groupCount' | 'isGroupCountExact' | 'accuracy'>

/** All groups are known: the best of them, and the others as one. */
export function answerOfAll(plan: PanelPlan, merged: MergedGroups): Grouped {
  const ranked = rankGroups(plan, merged)
  const groups = ranked.slice(0, plan.top).map((group) => groupOf(plan, group, group.key))
  const others = ranked.slice(plan.top)
  if (plan.hasOther && others.length > 0) groups.push(groupOf(plan, merged.sumOf(others), null))
  return { groups, groupCount: ranked.length, isGroupCountExact: true, accuracy: accuracies(plan) }
}

/**
 * The best groups were chosen from what sources sent; then all rows were read for exactly these (`named`, whose keys are
 * their places; null is all others). Their values are whole then; which they are may be wrong by `missing`.
 */
export function answerOfNamed(
  plan: PanelPlan,
  chosen: readonly MergedGroup[],
  ranked: MergedGroups,
  named: MergedGroups,
  groupCount: number,
): Grouped {
  const found: { group: MergedGroup; key: MergedGroup['key'] }[] = []
  const first = plan.list.calcs[0]
  let isLess = false
  chosen.forEach(({ key, total }, place) => {
    const group = named.groups.get(JSON.stringify([place]))
    if (!group) return
    found.push({ group, key })
    // A source that left it out had less than nothing of it: another group may have more than it by right.
    if (first && ranked.isCut) isLess ||= isBelow(valueOf(first, group.total), valueOf(first, total))
  })
  if (isLess && first)
    found.sort((a, b) => compareRanks(valueOf(first, a.group.total), valueOf(first, b.group.total)) || compareKeys(a.key, b.key))
  const groups = found.map(({ group, key }) => groupOf(plan, group, key))
  const other = named.groups.get(JSON.stringify([null]))
  if (plan.hasOther && other) groups.push(groupOf(plan, other, null))
  return { groups, groupCount, isGroupCountExact: !ranked.isCut, accuracy: accuracies(plan, ranked.isCut ? ranked : null, groups, isLess) }
}

/** The best groups, when every source sent all it had of them; which they are may be wrong by `missing`. */
export function answerOfWhole(plan: PanelPlan, chosen: readonly MergedGroup[], ranked: MergedGroups, groupCount: number): Grouped {
  const groups = chosen.map((group) => groupOf(plan, group, group.key))
  return { groups, groupCount, isGroupCountExact: !ranked.isCut, accuracy: accuracies(plan, ranked.isCut ? ranked : null, groups) }
}

function accuracies(
  plan: PanelPlan,
  cut: MergedGroups | null = null,
  groups: readonly PanelGroup[] = [],
  isUnbound = false,
): Record<string, Accuracy> {
  const own = plan.list.calcs.map((calc): [string, Accuracy] => [calc.calc.text, accuracyOf(calc, plan.registers, plan.isSampled)])
  if (!cut) return Object.fromEntries(own)
  // A group that is not shown has at most this much; one that is shown and has more belongs there.
  const first = plan.list.calcs[0]?.calc.text ?? ''
  const least = groups.filter(({ isOther }) => !isOther).at(-1)?.values[first] ?? null
  const bound = !isUnbound && isRankAdditive(plan) && least !== null && least > 0 ? Math.max(0, cut.missing / least - 1) : null
  const note = bound === 0 ? undefined : 'there were more groups than are compared: another one may belong among those shown'
  return Object.fromEntries(
    own.map(([text, accuracy]) => [
      text,
      bound === 0
        ? accuracy
        : { exact: false, errorMax: bound === null || accuracy.errorMax === null ? null : Math.max(bound, accuracy.errorMax), note },
    ]),
  )
}
