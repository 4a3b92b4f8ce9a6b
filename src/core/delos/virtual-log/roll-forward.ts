import type { Prng } from '../../kernel/prng.ts'
import { VIRTUAL_LOG_RULES, type VirtualLogRules } from './rules.ts'

/** A last segment that is sealed for so long, without a successor, was left by its driver. */
export const ROLL_FORWARD_MS = 500
/** Not all servers at once: each waits a random time longer. */
const JITTER_MS = 150

/** Watches the last segment of the chain, at one server. */
export interface SealWatch {
  /** null: it takes appends, as far as is known here */
  since: { loglet: number; dueAt: number } | null
}

export const NOT_SEALED: SealWatch = { since: null }

/**
 * Looks again: at every change of the chain, when a loglet is found sealed, and at `dueAt`.
 * @param loglet the last segment's
 * @param isSealed its end is chosen, or it refuses appends for good
 * @returns `isDue`: this server is to drive an intent `clone` now; the watch then begins anew
 */
export function watchSeal(
  watch: SealWatch,
  loglet: number,
  isSealed: boolean,
  now: number,
  prng: Prng,
  rules: VirtualLogRules = VIRTUAL_LOG_RULES,
): { watch: SealWatch; isDue: boolean } {
  if (!isSealed || !rules.rollsForward) return { watch: NOT_SEALED, isDue: false }
  const { since } = watch
  const isDue = since !== null && since.loglet === loglet && now >= since.dueAt
  if (since !== null && since.loglet === loglet && !isDue) return { watch, isDue }
  return { watch: { since: { loglet, dueAt: now + ROLL_FORWARD_MS + prng.below(JITTER_MS) } }, isDue }
}
