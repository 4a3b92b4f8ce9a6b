import { isoText } from '../../kernel/iso.ts'
import { parseDuration } from '../../kernel/units.ts'
import { microseconds } from '../rows/time.ts'
import { whereOf } from '../saved/command.ts'
import type { Asked } from '../saved/schema.ts'
import type { PanelRequest } from '../wire-types.ts'

/** Never more in a browser, whatever is asked. */
export const POINTS_MAX = 1000
export const SERIES_MAX = 50
export const ROWS_MAX = 1000

const DEFAULT_SINCE = '1h'
/** Steps that people think in, s; up to a week. */
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800]
const POINTS_WANTED = 180

export interface Range {
  sinceMs: number
  untilMs: number
  /** it moves with the clock */
  isLive: boolean
}

/** The range of a question at a moment. `1h` is the last hour; what cannot be read is the default. */
export function rangeOf({ since = DEFAULT_SINCE, until }: Pick<Asked, 'since' | 'until'>, nowMs: number): Range {
  const ago = parseDuration(since)
  const untilMs = until === undefined ? nowMs : instantOf(until, nowMs)
  if (ago !== null) return { sinceMs: untilMs - ago, untilMs, isLive: until === undefined }
  return { sinceMs: Math.min(instantOf(since, nowMs - 3_600_000), untilMs - 1), untilMs, isLive: until === undefined }
}

/** The end of the range that is neither a duration nor a time; null: both can be read. */
export function unreadableTime({ since, until }: Pick<Asked, 'since' | 'until'>): string | null {
  return [since, until].find((text) => text !== undefined && parseDuration(text) === null && microseconds(text) === null) ?? null
}

function instantOf(text: string, otherwise: number): number {
  const ago = parseDuration(text)
  if (ago !== null) return otherwise - ago
  const at = microseconds(text)
  return at === null ? otherwise : at / 1000
}

/** Width of a step, ms: the asked one if its points fit, else one that suits the range. */
export function stepOf(rangeMs: number, asked?: string, points = POINTS_WANTED): number {
  const wanted = asked === undefined ? null : parseDuration(asked)
  if (wanted !== null && wanted > 0 && rangeMs / wanted <= POINTS_MAX) return wanted
  const enough = STEPS_S.find((seconds) => rangeMs / (seconds * 1000) <= points) ?? Math.ceil(rangeMs / points / 604_800_000) * 604_800
  return enough * 1000
}

/** The part of a request that says of when: relative ranges stay relative, so that all who look share an answer. */
export function timesOf(asked: Pick<Asked, 'since' | 'until'>, nowMs: number): { lastMs?: number; sinceMs?: number; untilMs?: number } {
  const { sinceMs, untilMs, isLive } = rangeOf(asked, nowMs)
  if (isLive && parseDuration(asked.since ?? DEFAULT_SINCE) !== null) return { lastMs: untilMs - sinceMs }
  return { sinceMs, untilMs }
}

export const heatCalc = (column: string): string => `heatmap:${column}`

/** What to ask the store for a question that is a panel. */
export function panelRequest(asked: Asked, nowMs: number, points?: number): PanelRequest {
  const { sinceMs, untilMs } = rangeOf(asked, nowMs)
  const { table = '', where = [], by = [], calc = ['count'], top, other, compare, view, heat } = asked
  const isHeat = view === 'heat' && heat !== undefined
  const hasSeries = view !== 'number' && view !== 'table'
  return {
    table,
    calc: isHeat ? [heatCalc(heat)] : calc,
    ...timesOf(asked, nowMs),
    ...(hasSeries ? { stepMs: stepOf(untilMs - sinceMs, asked.step, points) } : {}),
    ...(where.length > 0 ? { where: whereOf(where) } : {}),
    ...(isHeat || by.length === 0 ? {} : { by }),
    ...(isHeat ? {} : { top: Math.min(top ?? 10, SERIES_MAX), other: other === true }),
    ...(compare === undefined || isHeat ? {} : { compare }),
  }
}

/** The question with the range it has now, fixed. */
export function absolute(asked: Asked, nowMs: number): Asked {
  const { sinceMs, untilMs } = rangeOf(asked, nowMs)
  return { ...asked, since: isoText(sinceMs), until: isoText(untilMs) }
}

/** The question over other times: `[fromMs, toMs)`. */
export function zoomed(asked: Asked, fromMs: number, toMs: number): Asked {
  const { step: _, ...rest } = asked
  return { ...rest, since: isoText(fromMs), until: isoText(Math.max(toMs, fromMs + 1000)) }
}

/** The range as long as it is, so many of its lengths later. */
export function shifted(asked: Asked, lengths: number, nowMs: number): Asked {
  const { sinceMs, untilMs } = rangeOf(asked, nowMs)
  const byMs = lengths * (untilMs - sinceMs)
  return untilMs + byMs > nowMs
    ? { ...asked, since: durationText(untilMs - sinceMs), until: undefined }
    : { ...zoomed(asked, sinceMs + byMs, untilMs + byMs), step: asked.step }
}

/** `90m`, `45s`: a duration that a question may have. */
export function durationText(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000))
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const)
    if (seconds % size === 0) return `${seconds / size}${unit}`
  return `${seconds}s`
}
