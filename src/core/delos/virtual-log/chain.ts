import { assert } from '../../kernel/assert.ts'
import { VIRTUAL_LOG_RULES, type VirtualLogRules } from './rules.ts'
import { lastSegment, type RegisterValue, type Segment } from './value.ts'

/** Reading a log that lies in several loglets, one after the other. */

/** The segment that holds `position`, or will; null: it lies before the chain. A segment without entries holds none. */
export function segmentAt(value: RegisterValue, position: number): Segment | null {
  return value.chain.find(({ firstPosition, end }) => position >= firstPosition && (end === null || position < end)) ?? null
}

export function segmentOf(value: RegisterValue, loglet: number): Segment | null {
  return value.chain.find((segment) => segment.loglet === loglet) ?? null
}

/** First position that the chain still knows of. */
export function headOf(value: RegisterValue): number {
  return value.chain[0]?.firstPosition ?? 1
}

/** What a reader that has everything below `position` asks next; `to` is exclusive, null: as far as there is something. */
export function nextRead(value: RegisterValue, position: number): { segment: Segment; from: number; to: number | null } | null {
  const segment = segmentAt(value, position)
  return segment === null ? null : { segment, from: position, to: segment.end }
}

/** Whether everything before the segment that takes appends was read: then what this server appends does not overtake anything. */
export function isAtLast(value: RegisterValue, position: number): boolean {
  return position >= lastSegment(value).firstPosition
}

/**
 * Whether a state with everything below `position` may answer reads by the lease of the last segment's leader, at this server. It is not
 * enough to have read all before the segment: what the leader chose meanwhile was acknowledged elsewhere already.
 * @param chosen position after the last entry that the leader's machine knows to be chosen
 */
export function isCurrent(value: RegisterValue, position: number, chosen: number): boolean {
  return isAtLast(value, position) && position >= chosen
}

/** Positions read so far; a batch is given on once, in order, whichever loglet it comes from and however early. */
export interface Reading {
  /** of the next entry */
  position: number
}

/**
 * A loglet gave a batch: whether it is the next one of the log. What lies before was given on; what lies further on is asked
 * again when its turn comes.
 * @throws BugError if a loglet gives more than its segment holds, or a batch that lies across its end
 */
export function accepts(value: RegisterValue, reading: Reading, loglet: number, position: number, count: number): boolean {
  const segment = segmentOf(value, loglet)
  if (segment === null || position !== reading.position || position < segment.firstPosition) return false
  assert(segment.end === null || position + count <= segment.end, `loglet ${loglet} has ${position}+${count} behind its end ${segment.end}`)
  return true
}

/** Positions that are passed over when the log is applied (`log skip`); null: none, as nearly always. */
export function skipsOf({ skips }: Pick<RegisterValue, 'skips'>, rules: VirtualLogRules = VIRTUAL_LOG_RULES): ReadonlySet<number> | null {
  return rules.skips && skips.length > 0 ? new Set(skips.map(({ position }) => position)) : null
}

/**
 * Whether a state is what the log without `skips` makes. It says of itself which positions it passed over: a skip it covers and did not
 * pass over, it applied.
 * @param state `position`: the last one it covers
 */
export function isFit(skips: ReadonlySet<number> | null, state: { position: number; skipped: readonly number[] }): boolean {
  return skips === null || [...skips].every((position) => position > state.position || state.skipped.includes(position))
}
