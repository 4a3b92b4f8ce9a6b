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
  /** what could be read although it failed; only of that it may be said that there is too much of it */
  groups: EvaluatedGroup[]
  /** groups there are beyond those that are looked at */
  groupsCut: number
  /** group → when it was last seen with rows, ms; since the server started */
  lastSeen: ReadonlyMap<string, number>
  /** since when the server has been looking, ms */
  sinceMs: number
  /** the machine's clock leapt a moment ago: an empty window says nothing, so only what breaches is believed */
  isSettling: boolean
}

export interface EvaluatedGroup {
  /** `service=web,region=eu`; empty without `by` */
  group: string
  service: string | null
  buckets: { startMs: number; value: number | null; events: number }[]
}

/** `recovering`: below `clear`, not long enough yet. `flapping`: counts as firing, and is told of once. */
export const ALERT_STATES = ['inactive', 'firing', 'recovering', 'flapping', 'no_data', 'unknown'] as const
export type AlertStateName = (typeof ALERT_STATES)[number]

export interface AlertStateRow {
  group: string
  state: AlertStateName
  /** its moves within the last hour */
  movesInHour: number
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
/** More moves than this within an hour are flapping. */
export const FLAPPING_MOVES = 6
/** Flapping is over after so long in one state. */
export const FLAPPING_QUIET_MS = 30 * 60_000
/** Whose team hears that a rule cannot be evaluated. */
export const SCUBA_OWNER = 'muster-scuba'

const ACTIVE: ReadonlySet<AlertStateName> = new Set(['firing', 'recovering', 'flapping'])

/** Whether somebody has been told, and not that it is over. */
export const isAlerting = (state: AlertStateName): boolean => ACTIVE.has(state)

/**
 * The moves an evaluation calls for. Everything is taken from the data of one range, so a new leader needs no memory of
 * what was pending. A failed evaluation moves nothing to inactive: no data is never a pass.
 */
export function judge(compiled: CompiledRule, states: readonly AlertStateRow[], evaluation: Evaluation): AlertMove[] {
  const { rule } = compiled
  const known = new Map(states.map((row) => [row.group, row]))
  const stateOf = (group: string): AlertStateName => known.get(group)?.state ?? 'inactive'
  const move: Move = (group, service, to, value, reason, sev = rule.sev) =>
    stateOf(group) === to ? [] : [{ group, service: rule.service ?? service, from: stateOf(group), to, value, sev, reason }]
  const judged = (): AlertMove[] =>
    evaluation.groups.flatMap((group) =>
      judgeGroup(compiled, known.get(group.group) ?? { group: group.group, state: 'inactive', movesInHour: 0 }, group, evaluation, move),
    )
  const toUnknown = (reason: string): AlertMove[] => (isAlerting(stateOf('')) ? [] : move('', SCUBA_OWNER, 'unknown', null, reason))

  if (evaluation.failure !== null) {
    // A count of a part that is over its threshold is over it in whole, too.
    const proven = canOnlyGrow(compiled) ? judged().filter(({ to }) => to === 'firing') : []
    return evaluation.failures >= UNKNOWN_AFTER ? [...toUnknown(evaluation.failure), ...proven] : proven
  }
  if (evaluation.isSettling) return judged().filter(({ to }) => to === 'firing')
  const gone = states
    .filter(({ group, state }) => isAlerting(state) && group !== '' && !evaluation.groups.some((seen) => seen.group === group))
    .filter(({ group }) => (evaluation.lastSeen.get(group) ?? evaluation.sinceMs) < evaluation.atMs - GROUP_GONE_MS)
    .flatMap(({ group }) => move(group, serviceOf(group), 'inactive', null, 'group gone'))
  if (!hasData(compiled, evaluation)) {
    if (rule.no_data === 'keep') return gone
    if (rule.no_data === 'ok') return states.flatMap(({ group }) => move(group, serviceOf(group), 'inactive', null, 'no rows'))
    const to = rule.no_data === 'fire' ? 'firing' : 'no_data'
    return isAlerting(stateOf('')) ? gone : [...move('', null, to, null, `no rows for ${(3 * compiled.everyMs) / 1000} s`), ...gone]
  }
  if (evaluation.groupsCut > 0) {
    const more = `there are ${evaluation.groupsCut} groups more than the ${rule.max_groups} of max_groups, which nobody looks at`
    return [...judged(), ...toUnknown(more), ...gone]
  }
  // The rule as a whole has data again; groups of their own keep their state.
  const whole = evaluation.groups.some(({ group }) => group === '')
    ? []
    : ['unknown', 'no_data'].includes(stateOf('')) || (isAlerting(stateOf('')) && rule.by.length > 0)
      ? move('', null, 'inactive', null, 'rows are there again')
      : []
  return [...judged(), ...whole, ...gone]
}

type Move = (group: string, service: string | null, to: AlertStateName, value: number | null, reason: string, sev?: number) => AlertMove[]

function judgeGroup(
  compiled: CompiledRule,
  { state, movesInHour }: AlertStateRow,
  { group, service, buckets }: EvaluatedGroup,
  evaluation: Evaluation,
  move: Move,
): AlertMove[] {
  const { rule, everyMs, fire, clear } = compiled
  const { untilMs } = evaluation
  const newest = buckets.at(-1)
  if (!newest) return []
  const since = (ms: number): EvaluatedGroup['buckets'] => buckets.filter(({ startMs }) => startMs >= untilMs - Math.max(ms, everyMs))
  const isClear = ({ value }: { value: number | null }): boolean => value !== null && holds(clear, value)
  const isBreached = isWindowBreached(compiled, buckets, untilMs)
  if (state === 'flapping') {
    const quiet = since(FLAPPING_QUIET_MS)
    if (quiet.every(isClear)) return move(group, service, 'inactive', newest.value, 'clear for 30 min after it flapped')
    const isSteady = quiet.length >= FLAPPING_QUIET_MS / everyMs && quiet.every(({ value }) => value !== null && holds(fire, value))
    return isSteady ? move(group, service, 'firing', newest.value, `${rule.fire} for 30 min without a break`) : []
  }
  if (isBreached) {
    const events = since(compiled.forMs).reduce((sum, bucket) => sum + bucket.events, 0)
    const isFew = events < rule.min_events
    const reason = `${describe(compiled)} ${rule.fire} for ${rule.for}${isFew ? `, but only ${events} of ${rule.min_events} events` : ''}`
    if (state !== 'firing' && movesInHour > FLAPPING_MOVES) {
      return move(
        group,
        service,
        'flapping',
        newest.value,
        `moved ${movesInHour} times within an hour; it counts as firing until it is quiet for 30 min`,
      )
    }
    return move(group, service, 'firing', newest.value, reason, isFew ? 4 : rule.sev)
  }
  if (state === 'unknown' || state === 'no_data') return move(group, service, 'inactive', newest.value, 'rows are there again')
  if (!isAlerting(state) || !isClear(newest)) return []
  const recent = since(compiled.keepFiringMs)
  if (recent.every(isClear)) return move(group, service, 'inactive', newest.value, `clear for ${rule.keep_firing_for}`)
  return move(group, service, 'recovering', newest.value, `clear, not for ${rule.keep_firing_for} yet`)
}

/** Whether every bucket of the rule's window that ends at `untilMs` is there and breached: a gap is no breach. */
export function isWindowBreached({ everyMs, forMs, fire }: CompiledRule, buckets: EvaluatedGroup['buckets'], untilMs: number): boolean {
  const windowMs = Math.max(forMs, everyMs)
  const window = buckets.filter(({ startMs }) => startMs >= untilMs - windowMs && startMs < untilMs)
  return window.length >= Math.floor(windowMs / everyMs) && window.every(({ value }) => value !== null && holds(fire, value))
}

/** A rule whose value more rows can only raise, above a threshold. */
function canOnlyGrow({ rule, fire }: CompiledRule): boolean {
  return rule.calc === 'count' && (fire.op === '>' || fire.op === '>=')
}

export const describe = ({ rule }: CompiledRule): string => rule.calc ?? 'the value of its query is'

/** Any row within three buckets: zero matching rows of some is a value, none at all is not. */
function hasData({ everyMs }: CompiledRule, { groups, untilMs }: Evaluation): boolean {
  return groups.some(({ buckets }) => buckets.some(({ startMs, events }) => events > 0 && startMs >= untilMs - 3 * everyMs))
}

/** The service in a group's name. */
export function serviceOf(group: string): string | null {
  return /(?:^|,)service=([^,]*)/.exec(group)?.[1] ?? null
}

/** How far back an evaluation must look, ms. @param isFlapping a group of the rule flaps */
export function lookBackMs({ everyMs, forMs, keepFiringMs }: CompiledRule, isFlapping = false): number {
  return Math.max(forMs, keepFiringMs, 3 * everyMs, isFlapping ? FLAPPING_QUIET_MS : 0)
}
