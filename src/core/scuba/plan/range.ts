import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import { instantOf, wallOf, type ZoneTable } from '../../kernel/zone.ts'

export interface TimeRange {
  /** ms; rows of [sinceMs, untilMs) */
  sinceMs: number
  untilMs: number
}

interface Asked {
  sinceMs?: number | undefined
  untilMs?: number | undefined
  lastMs?: number | undefined
}

const HOUR_MS = 3_600_000
/** Steps that a range without steps is thought to have, for snapping its end. */
const SNAPS = 360
/** … and its beginning: each time it moves, a file that is only partly in the range has to be read again. */
const SNAPS_OF_BEGINNING = 60

/**
 * The range a panel is about. Up to now it snaps outwards to the step (without one its end to a 360th of it, its beginning to a 60th, and at
 * least to a second), so that everybody who asks within a step asks the same.
 */
export function panelRange(
  { sinceMs, untilMs, lastMs = HOUR_MS, stepMs }: Asked & { stepMs?: number | undefined },
  nowMs: number,
): TimeRange | MusterError {
  const range = ((): TimeRange => {
    if (sinceMs !== undefined) return { sinceMs, untilMs: untilMs ?? nowMs }
    if (untilMs !== undefined) return { sinceMs: Math.max(0, untilMs - lastMs), untilMs }
    const snapMs = (snaps: number): number => stepMs ?? Math.max(1000, Math.floor(lastMs / snaps / 1000) * 1000)
    const [fromMs, toMs] = [snapMs(SNAPS_OF_BEGINNING), snapMs(SNAPS)]
    return { sinceMs: Math.max(0, Math.floor((nowMs - lastMs) / fromMs) * fromMs), untilMs: Math.ceil((nowMs + 1) / toMs) * toMs }
  })()
  return range.sinceMs < range.untilMs ? range : emptyRange()
}

const emptyRange = (): MusterError =>
  refuse('USAGE', 'the time range is empty: it ends before it begins', {
    hint: 'Durations count back from now: `--since 2h --until 1h`.',
  })

/**
 * How often a panel of a board is worth a look, ms: a 360th of its range, which is about what one of its points is wide; without steps, as totals of
 * the whole range change little, a 60th. Never more often than each second, nor less than each half minute.
 */
export function lookEveryMs({ sinceMs, untilMs, lastMs = HOUR_MS, stepMs }: Asked & { stepMs?: number | undefined }): number {
  const spanMs = sinceMs !== undefined && untilMs !== undefined ? untilMs - sinceMs : lastMs
  return Math.min(30_000, Math.max(1000, Math.floor(spanMs / (stepMs === undefined ? SNAPS_OF_BEGINNING : SNAPS))))
}

/** The range of a SELECT; open where nothing is said. */
export function queryRange({ sinceMs, untilMs, lastMs }: Asked, nowMs: number): { sinceMs?: number; untilMs?: number } | MusterError {
  const since = sinceMs ?? (lastMs === undefined ? undefined : Math.max(0, (untilMs ?? nowMs) - lastMs))
  if (since !== undefined && untilMs !== undefined && since >= untilMs) return emptyRange()
  return { ...(since === undefined ? {} : { sinceMs: since }), ...(untilMs === undefined ? {} : { untilMs }) }
}

const UNIT_MS = { s: 1000, m: 60_000, h: HOUR_MS } as const

/**
 * How to go back by `6h`, or by civil days (`1d`, `1w`): the same time by the clock of the zone, so that a week with a
 * change of the clock still compares nine o'clock with nine o'clock.
 */
export function parseCompare(text: string, zone: ZoneTable): { back: (ms: number) => number; forth: (ms: number) => number } | MusterError {
  const match = /^(\d+)([smhdw])$/.exec(text)
  const count = Number(match?.[1] ?? 0)
  if (!match || count === 0) return refuse('USAGE', `${JSON.stringify(text)} is no time to compare with`, { hint: 'Write 1d, 1w or 6h.' })
  const unit = match[2] as 's' | 'm' | 'h' | 'd' | 'w'
  if (unit === 'd' || unit === 'w') {
    const shiftMs = count * (unit === 'w' ? 7 : 1) * 24 * HOUR_MS
    return {
      back: (ms) => instantOf(zone, wallOf(zone, ms) - shiftMs),
      forth: (ms) => instantOf(zone, wallOf(zone, ms) + shiftMs),
    }
  }
  const shiftMs = count * UNIT_MS[unit]
  return { back: (ms) => ms - shiftMs, forth: (ms) => ms + shiftMs }
}

/** The range so much earlier. */
export function earlierRange(
  { sinceMs, untilMs }: TimeRange,
  compare: string,
  zone: ZoneTable,
): (TimeRange & { forth: (ms: number) => number }) | MusterError {
  const shift = parseCompare(compare, zone)
  if (isRefusal(shift)) return shift
  return { sinceMs: Math.max(0, shift.back(sinceMs)), untilMs: Math.max(1, shift.back(untilMs)), forth: shift.forth }
}
