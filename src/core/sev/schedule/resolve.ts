import { must } from '../../kernel/assert.ts'
import { DAY_NAMES, type Rule, type Schedule } from '../schema.ts'
import { DAY_MS, parseTime, weekdayOf } from './calendar.ts'
import { shiftAt, type Rotation } from './rotation.ts'
import { instantOf, wallOf, type ZoneTable } from '../../kernel/zone.ts'

/** One resolver for paging, display and lint, so that they cannot differ. Instants in ms. */

export interface Override {
  id: number
  kind: 'add' | 'remove' | 'replace'
  user: string
  /** who takes over, for `replace` */
  byUser: string | null
  fromMs: number
  toMs: number
}

export interface OnCall {
  user: string
  /** which rule or override put them there, in words */
  via: string
}

export interface Span extends OnCall {
  fromMs: number
  toMs: number
}

export type Zones = ReadonlyMap<string, ZoneTable>

/** Zone names a schedule needs. */
export function zonesOf(schedule: Schedule): string[] {
  const names = [schedule.timeZone, ...schedule.rotations.map((rotation) => rotation.timeZone ?? schedule.timeZone)]
  return [...new Set(names)]
}

interface Bound {
  who: (atMs: number) => OnCall | null
  /** instants in [fromMs, toMs] at which the answer may change */
  edges: (fromMs: number, toMs: number) => number[]
}

const clockMs = (text: string): number => (Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5))) * 60_000

/**
 * The window a rule opens on one day, or null when it covers nothing. It opens at the first and closes at the last
 * occurrence of a repeated clock time; `to` at or before `from` ends the next day.
 */
function windowOn(rule: Rule, zone: ZoneTable, day: number): { openMs: number; closeMs: number } | null {
  if (!rule.days.includes(must(DAY_NAMES[weekdayOf(day)], 'a weekday'))) return null
  const from = clockMs(rule.from)
  const to = clockMs(rule.to)
  const openMs = instantOf(zone, day * DAY_MS + from)
  const closeMs = instantOf(zone, day * DAY_MS + to + (to <= from ? DAY_MS : 0), 'last')
  return openMs < closeMs ? { openMs, closeMs } : null
}

function dayRange(zone: ZoneTable, fromMs: number, toMs: number): number[] {
  const first = Math.floor(wallOf(zone, fromMs) / DAY_MS) - 2
  const last = Math.floor(wallOf(zone, toMs) / DAY_MS) + 1
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}

/** A rotation with its zone and the instant of its start. */
export function boundRotation(schedule: Schedule, name: string, zones: Zones): { rotation: Rotation; zone: ZoneTable } {
  const spec = must(
    schedule.rotations.find((candidate) => candidate.name === name),
    `rotation ${name}`,
  )
  const zone = must(zones.get(spec.timeZone ?? schedule.timeZone), `zone ${spec.timeZone ?? schedule.timeZone}`)
  const start = must(parseTime(spec.start), `start of ${name}`)
  return {
    zone,
    rotation: {
      type: spec.type,
      shiftLength: spec.shiftLength,
      users: spec.users,
      startMs: start.instantMs ?? instantOf(zone, start.wallMs),
    },
  }
}

const EDGES_MAX = 20_000

function bindRotation(schedule: Schedule, name: string, zones: Zones): Bound {
  const { rotation, zone } = boundRotation(schedule, name, zones)
  return {
    who: (atMs) => {
      const shift = shiftAt(rotation, zone, atMs)
      return { user: shift.user, via: `rotation ${name}, turn ${shift.turn + 1}` }
    },
    edges: (fromMs, toMs) => {
      const edges: number[] = []
      for (let at = fromMs; at <= toMs && edges.length < EDGES_MAX;) {
        at = shiftAt(rotation, zone, at).endMs
        edges.push(at)
      }
      return edges
    },
  }
}

function bindRule(schedule: Schedule, rule: Rule, index: number, zones: Zones): Bound {
  const zone = must(zones.get(schedule.timeZone), `zone ${schedule.timeZone}`)
  const inner = rule.rotation === undefined ? null : bindRotation(schedule, rule.rotation, zones)
  const label = `rule ${index + 1} (${rule.days.length === 7 ? 'every day' : rule.days.join(',')} ${rule.from}–${rule.to})`
  return {
    who: (atMs) => {
      for (const day of dayRange(zone, atMs, atMs)) {
        const window = windowOn(rule, zone, day)
        if (!window || atMs < window.openMs || atMs >= window.closeMs) continue
        if (inner === null) return { user: must(rule.user, 'a user'), via: label }
        const turn = inner.who(atMs)
        return turn && { user: turn.user, via: `${label}, ${turn.via}` }
      }
      return null
    },
    edges: (fromMs, toMs) => {
      const windows = dayRange(zone, fromMs, toMs).map((day) => windowOn(rule, zone, day))
      return [...windows.flatMap((window) => (window ? [window.openMs, window.closeMs] : [])), ...(inner?.edges(fromMs, toMs) ?? [])]
    },
  }
}

function bind(schedule: Schedule, zones: Zones): Bound[] {
  return schedule.rules.length > 0
    ? schedule.rules.map((rule, i) => bindRule(schedule, rule, i, zones))
    : schedule.rotations.map((rotation) => bindRotation(schedule, rotation.name, zones))
}

function whoOf(bounds: readonly Bound[], overrides: readonly Override[], atMs: number): OnCall[] {
  const byUser = new Map<string, OnCall>()
  for (const bound of bounds) {
    const found = bound.who(atMs)
    if (found && !byUser.has(found.user)) byUser.set(found.user, found)
  }
  const active = overrides.filter((override) => override.fromMs <= atMs && atMs < override.toMs)
  for (const kind of ['remove', 'replace', 'add'] as const) {
    for (const override of active.filter((candidate) => candidate.kind === kind)) {
      const via = `override #${override.id} (${kind})`
      if (kind === 'add') {
        byUser.set(override.user, { user: override.user, via })
      } else if (byUser.delete(override.user) && kind === 'replace') {
        const user = must(override.byUser, 'the one who takes over')
        byUser.set(user, { user, via: `${via} for ${override.user}` })
      }
    }
  }
  return [...byUser.values()].sort((a, b) => (a.user < b.user ? -1 : 1))
}

/** Who is on call at an instant: the union of the rules, then overrides remove, replace, add. */
export function onCallAt(schedule: Schedule, overrides: readonly Override[], zones: Zones, atMs: number): OnCall[] {
  return whoOf(bind(schedule, zones), overrides, atMs)
}

/** Spans that touch [fromMs, toMs), cut to it; adjacent spans of a person merged; by start, then name. */
export function spansBetween(schedule: Schedule, overrides: readonly Override[], zones: Zones, fromMs: number, toMs: number): Span[] {
  const bounds = bind(schedule, zones)
  const edges = [fromMs, ...bounds.flatMap((bound) => bound.edges(fromMs, toMs)), ...overrides.flatMap((o) => [o.fromMs, o.toMs])]
  const starts = [...new Set(edges)].filter((at) => at >= fromMs && at < toMs).sort((a, b) => a - b)
  const open = new Map<string, Span>()
  const done: Span[] = []
  for (const [i, at] of starts.entries()) {
    const until = starts[i + 1] ?? toMs
    const present = new Map(whoOf(bounds, overrides, at).map((who) => [who.user, who]))
    for (const [user, span] of open)
      if (!present.has(user)) {
        done.push(span)
        open.delete(user)
      }
    for (const [user, who] of present) {
      const span = open.get(user)
      if (span) span.toMs = until
      else open.set(user, { ...who, fromMs: at, toMs: until })
    }
  }
  return [...done, ...open.values()].sort((a, b) => a.fromMs - b.fromMs || (a.user < b.user ? -1 : 1))
}

/** Stretches of [fromMs, toMs) in which nobody is on call. */
export function gapsIn(
  schedule: Schedule,
  overrides: readonly Override[],
  zones: Zones,
  fromMs: number,
  toMs: number,
): { fromMs: number; toMs: number }[] {
  const gaps: { fromMs: number; toMs: number }[] = []
  let coveredMs = fromMs
  for (const span of spansBetween(schedule, overrides, zones, fromMs, toMs)) {
    if (span.fromMs > coveredMs) gaps.push({ fromMs: coveredMs, toMs: span.fromMs })
    coveredMs = Math.max(coveredMs, span.toMs)
  }
  if (coveredMs < toMs) gaps.push({ fromMs: coveredMs, toMs })
  return gaps
}
