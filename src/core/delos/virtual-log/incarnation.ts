/*
 * A data directory that was copied and brought back later has forgotten promises that its server gave meanwhile. Each server goes by a number
 * that it writes to its disk before it tells anybody, a new one at each start and each while since; the others remember the newest that they were told.
 * So a directory that lacks a number which another server remembers is older than that. README, "Servers from the past".
 */

/** Numbers that a directory remembers of itself; older ones are not asked after. */
const REMEMBERED_MAX = 1000

/** The numbers of a directory, ascending, with a new one. It is about the time, so that a copy that goes on by itself gets others. */
export function withNumber(own: readonly number[], nowMs: number): number[] {
  return [...own, Math.max((own.at(-1) ?? 0) + 1, nowMs)].slice(-REMEMBERED_MAX)
}

/**
 * Whether a directory with these numbers is from the past. What is older than all of them proves nothing: its server went on meanwhile, and
 * whoever remembers that was away.
 * @param known the newest number that another server was told; null: none
 */
export function isReplayed(own: readonly number[], known: number | null): boolean {
  const [oldest] = own
  return known !== null && oldest !== undefined && known > oldest && !own.includes(known)
}
