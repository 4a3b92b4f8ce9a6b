import { holds } from './comparison.ts'
import type { CompiledRule } from './rule.ts'

/** What the data say of one rule, measured by the server: soft, may be lost. */
export interface Evaluation {
  /** log position of the rule it belongs to */
  version: number
  /** log time it was made, ms */
  atMs: number
  /** end of the newest bucket, ms; buckets are `[startMs, startMs + every)` */
  untilMs: number
  /** null when the query was answered in full */
  failure: string | null
  /** how many in a row failed */
  failures: number
  groups: EvaluatedGroup[]
  /** group → when it was last seen with rows, ms; since the server started */
  lastSeen: ReadonlyMap<string, number>
  /** since when the server has been looking, ms */
  sinceMs: number
}

export interface EvaluatedGroup {
  /** `service=web,region=eu`; empty without `by` */
  group: string
  service: string | null
  buckets: { startMs: number; value: number | null; events: number }[]
}

export type AlertStateName = 'inactive' | 'firing' | 'no_data' | 'unknown'

export interface AlertStateRow {
  group: string
  state: AlertStateName
}

export interface AlertMove {
  group: string
  service: string | null
  from: AlertStateName
  to: AlertStateName
  value: number | null
  sev: number
  reason: string
}

const GROUP_GONE_MS = 15 * 60_000
const UNKNOWN_AFTER = 3

/**
 * The moves an evaluation calls for. Everything is taken from the data of one range, so a new leader needs no memory of
 * what was pending. A failed evaluation moves nothing to inactive: no data is never a pass.
 */
export function judge(compiled: CompiledRule, states: readonly AlertStateRow[], evaluation: Evaluation): AlertMove[] {
  const { rule } = compiled
  const known = new Map(states.map(({ group, state }) => [group, state]))
  const stateOf = (group: string): AlertStateName => known.get(group) ?? 'inactive'
  const move = (
    group: string,
    service: string | null,
    to: AlertStateName,
    value: number | null,
    reason: string,
    sev: number = rule.sev,
  ): AlertMove[] =>
    stateOf(group) === to ? [] : [{ group, service: rule.service ?? service, from: stateOf(group), to, value, sev, reason }]

  if (evaluation.failure !== null) {
    return evaluation.failures >= UNKNOWN_AFTER && stateOf('') !== 'firing' ? move('', null, 'unknown', null, evaluation.failure) : []
  }
  const gone = states
    .filter(({ group, state }) => state === 'firing' && group !== '' && !evaluation.groups.some((seen) => seen.group === group))
    .filter(({ group }) => (evaluation.lastSeen.get(group) ?? evaluation.sinceMs) < evaluation.atMs - GROUP_GONE_MS)
    .flatMap(({ group }) => move(group, serviceOf(group), 'inactive', null, 'group gone'))
  if (!hasData(compiled, evaluation)) {
    if (rule.no_data === 'keep') return gone
    if (rule.no_data === 'ok') return states.flatMap(({ group }) => move(group, serviceOf(group), 'inactive', null, 'no rows'))
    const to = rule.no_data === 'fire' ? 'firing' : 'no_data'
    return stateOf('') === 'firing' ? gone : [...move('', null, to, null, `no rows for ${(3 * compiled.everyMs) / 1000} s`), ...gone]
  }
  const moves = evaluation.groups.flatMap((group) => judgeGroup(compiled, stateOf(group.group), group, evaluation, move))
  // The rule as a whole has data again; groups of their own keep their state.
  const whole = evaluation.groups.some(({ group }) => group === '')
    ? []
    : ['unknown', 'no_data'].includes(stateOf('')) || (stateOf('') === 'firing' && rule.by.length > 0)
      ? move('', null, 'inactive', null, 'rows are there again')
      : []
  return [...moves, ...whole, ...gone]
}

type Move = (group: string, service: string | null, to: AlertStateName, value: number | null, reason: string, sev?: number) => AlertMove[]

function judgeGroup(
  compiled: CompiledRule,
  state: AlertStateName,
  { group, service, buckets }: EvaluatedGroup,
  { untilMs }: Evaluation,
  move: Move,
): AlertMove[] {
  const { rule, everyMs, fire, clear } = compiled
  const newest = buckets.at(-1)
  if (!newest) return []
  const windowMs = Math.max(compiled.forMs, everyMs)
  const firing = buckets.filter(({ startMs }) => startMs >= untilMs - windowMs)
  // Every bucket of the window, none left out: a gap is no breach.
  const isBreached = firing.length >= Math.floor(windowMs / everyMs) && firing.every(({ value }) => value !== null && holds(fire, value))
  if (isBreached) {
    const events = firing.reduce((sum, bucket) => sum + bucket.events, 0)
    const isFew = events < rule.min_events
    const reason = `${rule.calc} ${rule.fire} for ${rule.for}${isFew ? `, but only ${events} of ${rule.min_events} events` : ''}`
    return move(group, service, 'firing', newest.value, reason, isFew ? 4 : rule.sev)
  }
  if (state === 'unknown' || state === 'no_data') return move(group, service, 'inactive', newest.value, 'rows are there again')
  if (state !== 'firing') return []
  const recent = buckets.filter(({ startMs }) => startMs >= untilMs - Math.max(compiled.keepFiringMs, everyMs))
  const isClear = recent.length > 0 && recent.every(({ value }) => value !== null && holds(clear, value))
  return isClear ? move(group, service, 'inactive', newest.value, `clear for ${rule.keep_firing_for}`) : []
}

/** Any row within three buckets: zero matching rows of some is a value, none at all is not. */
function hasData({ everyMs }: CompiledRule, { groups, untilMs }: Evaluation): boolean {
  return groups.some(({ buckets }) => buckets.some(({ startMs, events }) => events > 0 && startMs >= untilMs - 3 * everyMs))
}

/** The service in a group's name. */
function serviceOf(group: string): string | null {
  return /(?:^|,)service=([^,]*)/.exec(group)?.[1] ?? null
}

/** How far back an evaluation must look, ms. */
export function lookBackMs({ everyMs, forMs, keepFiringMs }: CompiledRule): number {
  return Math.max(forMs, keepFiringMs, 3 * everyMs)
}
