import type { Segment } from '../wal/manifest.ts'
import type { Hold, RetentionPolicy } from './policy.ts'

export type RetentionSegment = Pick<Segment, 'file' | 'rows' | 'bytes' | 'minUs' | 'maxUs' | 'thinned'>

export type RetentionStep =
  | { do: 'drop'; segment: RetentionSegment; reason: 'age' | 'space' }
  /** keep one in `to` of the rows there were at first */
  | { do: 'thin'; segment: RetentionSegment; to: number }

export interface RetentionPlan {
  /** what is to be done now, in this order */
  steps: RetentionStep[]
  /** segments that would go or be thinned, were there no hold on them */
  held: RetentionSegment[]
  /** what stays, estimated: thinning is taken to shrink a file as it shrinks its rows */
  bytesAfter: number
  /** when the next segment is due by its age, ms; null without one */
  nextMs: number | null
}

const DAY_MS = 86_400_000

/**
 * What of a table's segments has to go at a time: those wholly older than the policy's age; then those that are old enough
 * are thinned; then, while the rest is larger than the policy's space, the oldest. A segment that touches a hold is left as
 * it is, though its bytes count, so a hold makes newer segments go before their time rather than being overridden.
 * @param holds of this table, or of all
 * @param nowMs the time that ages are counted from
 */
export function planRetention(
  segments: readonly RetentionSegment[],
  policy: RetentionPolicy,
  holds: readonly Hold[],
  nowMs: number,
): RetentionPlan {
  const oldestFirst = segments.toSorted((a, b) => a.maxUs - b.maxUs || (a.file < b.file ? -1 : 1))
  const steps: RetentionStep[] = []
  const held: RetentionSegment[] = []
  const staying: { segment: RetentionSegment; bytes: number }[] = []
  let nextMs: number | null = null

  for (const segment of oldestFirst) {
    const dueMs = segment.maxUs / 1000 + policy.days * DAY_MS
    const to = thinnedTo(segment, policy, nowMs)
    const isOld = dueMs <= nowMs
    if (isHeld(segment, holds)) {
      if (isOld || to !== null) held.push(segment)
      staying.push({ segment, bytes: segment.bytes })
      continue
    }
    if (isOld) {
      steps.push({ do: 'drop', segment, reason: 'age' })
      continue
    }
    nextMs = Math.min(nextMs ?? Infinity, dueMs)
    if (to !== null) steps.push({ do: 'thin', segment, to })
    staying.push({ segment, bytes: to === null ? segment.bytes : (segment.bytes * (segment.thinned ?? 1)) / to })
  }

  let bytesAfter = staying.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const { segment, bytes } of staying) {
    if (bytesAfter <= policy.gb * 1e9) break
    if (isHeld(segment, holds)) {
      if (!held.includes(segment)) held.push(segment)
      continue
    }
    bytesAfter -= bytes
    steps.push({ do: 'drop', segment, reason: 'space' })
  }
  // Nothing is thinned that goes at once.
  const dropped = new Set(steps.filter((step) => step.do === 'drop').map(({ segment }) => segment))
  return {
    steps: steps.filter((step) => step.do === 'drop' || !dropped.has(step.segment)),
    held,
    bytesAfter: Math.round(bytesAfter),
    nextMs,
  }
}

/** The fraction a segment has to be thinned to by its age, or null when it is thin enough. */
function thinnedTo({ maxUs, thinned = 1 }: RetentionSegment, { thin }: RetentionPolicy, nowMs: number): number | null {
  const due = thin.filter(({ afterDays }) => maxUs / 1000 + afterDays * DAY_MS <= nowMs).at(-1)
  // A segment thinned under an earlier policy, by a fraction that this one does not divide, stays as it is.
  return due !== undefined && due.keepOneIn > thinned && due.keepOneIn % thinned === 0 ? due.keepOneIn : null
}

/** Whether any row of a file may belong to a hold. */
export function isHeld({ minUs, maxUs }: Pick<Segment, 'minUs' | 'maxUs'>, holds: readonly Hold[]): boolean {
  return holds.some(({ fromMs, toMs }) => maxUs >= fromMs * 1000 && minUs < toMs * 1000)
}

/** The holds that concern a table. */
export function holdsOf(table: string, holds: readonly Hold[]): Hold[] {
  return holds.filter((hold) => hold.table === null || hold.table === table)
}
