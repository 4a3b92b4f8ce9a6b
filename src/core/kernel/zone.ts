/**
 * Time zones as data. The server builds a table per zone from its one source (the runtime's `Intl`); core only reads it,
 * so a replay on another machine gives the same shifts.
 */
export interface ZoneTable {
  tz: string
  /** version of the zone data it was built from, e.g. `2026c` */
  version: string
  /** offsets east of UTC, each from its instant on, ascending; the first one also holds before its instant */
  transitions: { atMs: number; offsetSec: number }[]
}

/** A wall-clock time, written as the instant that has the same digits in UTC. */
export type WallMs = number

const indexAt = (zone: ZoneTable, instantMs: number): number => {
  let low = 0
  let high = zone.transitions.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((zone.transitions[middle]?.atMs ?? 0) <= instantMs) low = middle
    else high = middle - 1
  }
  return low
}

const offsetMsAt = (zone: ZoneTable, index: number): number => (zone.transitions[index]?.offsetSec ?? 0) * 1000

/** The wall-clock time of an instant in the zone. */
export function wallOf(zone: ZoneTable, instantMs: number): WallMs {
  return instantMs + offsetMsAt(zone, indexAt(zone, instantMs))
}

/** Widest distance between a wall time and its instant, with room: 26 hours. */
const OFFSET_MAX_MS = 26 * 3_600_000

/**
 * The instant of a wall-clock time. In a gap, the transition itself; in an overlap, the earlier instant, or the later
 * when `pick` says so.
 */
export function instantOf(zone: ZoneTable, wallMs: WallMs, pick: 'first' | 'last' = 'first'): number {
  const from = indexAt(zone, wallMs - OFFSET_MAX_MS)
  const to = indexAt(zone, wallMs + OFFSET_MAX_MS)
  let found: number | null = null
  for (let i = from; i <= to; i += 1) {
    const candidate = wallMs - offsetMsAt(zone, i)
    if (indexAt(zone, candidate) !== i) continue
    if (pick === 'first') return candidate
    found = candidate
  }
  if (found !== null) return found
  for (let i = from + 1; i <= to; i += 1) {
    const atMs = zone.transitions[i]?.atMs ?? 0
    if (wallMs >= atMs + offsetMsAt(zone, i - 1) && wallMs < atMs + offsetMsAt(zone, i)) return atMs
  }
  return wallMs - offsetMsAt(zone, to)
}

/** A clock set forward: wall times in [fromWall, toWall) do not exist. */
export interface Gap {
  atMs: number
  fromWall: WallMs
  toWall: WallMs
}

/** Forward gaps with `after < atMs ≤ until`. */
export function gapsBetween(zone: ZoneTable, afterMs: number, untilMs: number): Gap[] {
  const gaps: Gap[] = []
  for (let i = indexAt(zone, afterMs) + 1; i < zone.transitions.length; i += 1) {
    const atMs = zone.transitions[i]?.atMs ?? 0
    if (atMs > untilMs) break
    if (atMs <= afterMs) continue
    const before = offsetMsAt(zone, i - 1)
    const now = offsetMsAt(zone, i)
    if (now > before) gaps.push({ atMs, fromWall: atMs + before, toWall: atMs + now })
  }
  return gaps
}
