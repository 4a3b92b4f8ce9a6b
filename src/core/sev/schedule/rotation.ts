import { addMonths } from './calendar.ts'
import { gapsBetween, instantOf, wallOf, type Gap, type ZoneTable } from '../../kernel/zone.ts'

export interface Rotation {
  type: 'hourly' | 'daily' | 'weekly' | 'monthly'
  /** units a shift lasts, ≥ 1 */
  shiftLength: number
  /** instant of boundary 0, ms */
  startMs: number
  users: readonly string[]
}

export interface Shift {
  user: string
  startMs: number
  endMs: number
  /** number of the turn since the start; users take turns in order */
  turn: number
}

const HOUR_MS = 3_600_000
const UNIT_HOURS = { hourly: 1, daily: 24, weekly: 168, monthly: 730 } as const

/** Wall time of boundary k: the start's wall time + k shifts; months are added to the start itself, never chained. */
function boundaryWall(rotation: Rotation, startWall: number, k: number): number {
  if (rotation.type === 'monthly') return addMonths(startWall, k * rotation.shiftLength)
  return startWall + k * rotation.shiftLength * UNIT_HOURS[rotation.type] * HOUR_MS
}

/** How many boundaries have their wall time in the closed interval of the gap. */
function boundariesIn(rotation: Rotation, startWall: number, gap: Gap): number {
  const shiftMs = rotation.shiftLength * UNIT_HOURS[rotation.type] * HOUR_MS
  if (rotation.type !== 'monthly') {
    return Math.floor((gap.toWall - startWall) / shiftMs) - Math.ceil((gap.fromWall - startWall) / shiftMs) + 1
  }
  const near = Math.round((gap.fromWall - startWall) / shiftMs)
  let count = 0
  for (let k = near - 2; k <= near + 2; k += 1) {
    const wall = boundaryWall(rotation, startWall, k)
    if (wall >= gap.fromWall && wall <= gap.toWall) count += 1
  }
  return count
}

/**
 * Whose shift it is at an instant, in closed form. Boundaries that fall into one forward gap happen at the same instant;
 * the shifts of length zero between them take no turn (GoAlert's rule), so
 * turn = k − Σ over gaps between the start and the instant of max(0, boundaries in the gap − 1), mirrored before the start.
 */
export function shiftAt(rotation: Rotation, zone: ZoneTable, atMs: number): Shift {
  const startWall = wallOf(zone, rotation.startMs)
  const boundary = (k: number): number => instantOf(zone, boundaryWall(rotation, startWall, k))
  const shiftMs = rotation.shiftLength * UNIT_HOURS[rotation.type] * HOUR_MS
  let k = Math.floor((wallOf(zone, atMs) - startWall) / shiftMs)
  while (boundary(k) > atMs) k -= 1
  while (boundary(k + 1) <= atMs) k += 1
  const isAfter = atMs >= rotation.startMs
  const gaps = isAfter ? gapsBetween(zone, rotation.startMs, atMs) : gapsBetween(zone, atMs, rotation.startMs)
  const skipped = gaps.reduce((sum, gap) => sum + Math.max(0, boundariesIn(rotation, startWall, gap) - 1), 0)
  const turn = isAfter ? k - skipped : k + skipped
  const n = rotation.users.length
  return { user: rotation.users[((turn % n) + n) % n] ?? '', startMs: boundary(k), endMs: boundary(k + 1), turn }
}
