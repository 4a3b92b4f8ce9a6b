import type { MergedGroups } from '../merge/groups.ts'
import { HyperLogLog, REGISTERS } from '../merge/hyperloglog.ts'
import { rankPart, type PanelPlan } from './panel.ts'

/*
 * The best of very many groups in two passes. Groups are spread over places by a hash of their keys, and the places counted, which needs a
 * table of 4,096 entries instead of millions. Then only groups in the heaviest places are counted. No group has more than its place, so
 * those shown are the best as soon as each of them has more than any place that was not looked into.
 */

/** As many as registers of a distinct count, because the same hash gives how many groups there are. */
const PLACES = REGISTERS
/** places looked into at first, for each group that is shown; and at most, as more than a quarter of all rows would save nothing */
const PLACES_A_GROUP = 6
const PLACES_MIN = 60
const PLACES_MAX = PLACES / 8

const hashOf = ({ by }: PanelPlan): string => `hash(${by.map(({ sql }) => sql).join(', ')})`
const placeOf = (plan: PanelPlan): string => `(${hashOf(plan)} & ${PLACES - 1})::USMALLINT`

/** Whether a plan asks for the best groups by a count, and nothing that all groups are needed for. */
export const canSpread = ({ by, stepMs, hasOther, having, list, isPortable }: PanelPlan): boolean =>
  by.length > 0 && stepMs === null && !hasOther && having.length === 0 && !isPortable && list.calcs[0]?.calc.kind === 'count'

/** The plan of the first pass: what is in each place, and its least hash. */
export function spreadPlan(plan: PanelPlan): PanelPlan {
  const [count] = plan.list.parts
  const least = { sql: `min(${hashOf(plan)})`, merge: 'min' as const, isWhole: true }
  return {
    ...plan,
    // Without a name: it is no column, and no rollup has it.
    by: [{ name: '', type: 'BIGINT', sql: placeOf(plan) }],
    list: { parts: [...(count ? [count] : []), least], sketches: [], calcs: [] },
    calcs: [],
  }
}

export interface Spread {
  /** the heaviest first */
  places: { place: number; weight: number }[]
  /** about how many groups there are */
  groups: number
}

export function spreadOf(merged: MergedGroups): Spread {
  const registers = new HyperLogLog(PLACES)
  const places: Spread['places'] = []
  for (const { key, total } of merged.groups.values()) {
    const place = Number(key[0])
    const rest = BigInt(total.parts[1] ?? 0) >> BigInt(Math.log2(PLACES))
    const rank = 64 - Math.log2(PLACES) + 1 - (rest === 0n ? 0 : rest.toString(2).length)
    registers.add(place * 64 + rank)
    places.push({ place, weight: Number(total.parts[0] ?? 0) })
  }
  return { places: places.sort((a, b) => b.weight - a.weight || a.place - b.place), groups: registers.estimate() }
}

/** The places to look into first. */
export const firstPlaces = ({ top }: PanelPlan, { places }: Spread): number[] =>
  places.slice(0, Math.min(PLACES_MAX, Math.max(PLACES_MIN, PLACES_A_GROUP * top))).map(({ place }) => place)

/** The same plan over the rows of some places. */
export function placedPlan(plan: PanelPlan, places: readonly number[]): PanelPlan {
  const isThere = `${placeOf(plan)} IN (${[...places].sort((a, b) => a - b).join(', ')})`
  return { ...plan, where: plan.where === null ? isThere : `(${plan.where}\n) AND ${isThere}` }
}

/**
 * Whether the groups found in `looked` are the best of all: null. Else the places to look into instead, those that could hold a better one;
 * none when they are too many.
 * @param least of the groups that are shown, the one with the least
 */
export function placesLeft({ places }: Spread, looked: readonly number[], least: number): number[] | null {
  const known = new Set(looked)
  const better = places.filter(({ weight }) => weight >= least).map(({ place }) => place)
  if (better.every((place) => known.has(place))) return null
  return better.length > PLACES_MAX ? [] : better
}

/** The most that a group can have that was not looked at. */
export function mostElsewhere({ places }: Spread, looked: readonly number[]): number {
  const known = new Set(looked)
  return places.find(({ place }) => !known.has(place))?.weight ?? 0
}

/** The rank of a group of a plan that {@link canSpread}. */
export const countOf = (plan: PanelPlan, group: { total: { parts: readonly (number | bigint | null)[] } }): number =>
  Number(group.total.parts[rankPart(plan)] ?? 0)
