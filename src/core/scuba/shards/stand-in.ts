import type { Peer, Shard } from '../registry.ts'

/** A copy as the leaf whose rows they are says it is: whatever it was asked to keep is there, or on its way at this moment. */
export interface FollowingCopy {
  /** that holds it */
  leaf: string
  /** newest batch that was sent to it */
  seq: number
  /** tables that are whole in it */
  tables: string[]
}

/** Whose rows a copy is asked for, and how far it has to be: an older one, or of another epoch, is not that leaf's rows. */
export interface CopyAsked {
  leaf: string
  epochs: Readonly<Record<string, number>>
  seq: number
}

/** How long before a leaf fell silent it may have been heard last: what it said of its copies then is believed, as at a promotion. */
export const HEARD_MS_MAX = 5000

/** Leaves that can answer for another one's rows of a table, by the map and by what that one said last. */
export function standInsOf(
  shards: readonly Shard[],
  leaf: string,
  table: string,
  following: readonly FollowingCopy[],
): { peer: Peer; copy: CopyAsked }[] {
  const own = shards.filter(({ primary }) => primary === leaf)
  const [first, ...others] = own
  if (first === undefined) return []
  const epochs = Object.fromEntries(own.map(({ id, epoch }) => [id, epoch]))
  return first.replicas
    .filter(({ id }) => others.every(({ replicas }) => replicas.some((one) => one.id === id)))
    .flatMap((peer) => {
      const copy = following.find(({ leaf: holder, tables }) => holder === peer.id && tables.includes(table))
      return copy === undefined ? [] : [{ peer, copy: { leaf, epochs, seq: copy.seq } }]
    })
}

/** Why a copy must not answer for the leaf; null: it is whole, as far as is asked. */
export function whyNotWhole(copy: { epochs: Readonly<Record<string, number>>; seq: number } | null, asked: CopyAsked): string | null {
  if (copy === null) return 'the copy is not whole yet'
  const shards = Object.entries(asked.epochs)
  if (shards.length === 0 || shards.some(([id, epoch]) => copy.epochs[id] !== epoch)) return 'the copy is of another epoch'
  return copy.seq < asked.seq ? 'the copy is behind' : null
}

/** Answers whose times are remembered of each leaf. */
export const TIMES_MAX = 64
const TIMES_MIN = 16
const AGAIN_MS_MIN = 50
const AGAIN_SHARE_MAX = 0.3

/**
 * After how many ms without an answer a copy is asked too: the 95th percentile of what the leaf took lately, so that few questions are asked twice (Dean and
 * Barroso, "The tail at scale", 2013), at least 50 ms and at most 30 % of the deadline, which it is while little is known.
 */
export function askAgainMs(times: readonly number[], deadlineMs: number): number {
  const most = deadlineMs * AGAIN_SHARE_MAX
  if (times.length < TIMES_MIN) return most
  const sorted = times.toSorted((a, b) => a - b)
  return Math.min(most, Math.max(AGAIN_MS_MIN, sorted[Math.ceil(sorted.length * 0.95) - 1] ?? most))
}
