import { majorityOf } from './config.ts'
import { isUnknown } from './damage.ts'
import type { Accepted, Batch } from './messages.ts'
import type { Rules } from './rules.ts'
import type { PromiseMessage } from './state.ts'

/** What phase 1 found: `null` in `suffix` is a hole. Both lists have consecutive slots, `suffix` begins after `chosen`. */
export interface Recovered {
  chosen: Accepted[]
  suffix: (Batch | null)[]
  isSealed: boolean
}

/**
 * Joins the promises of a majority for the slots from `from` on. Per slot: what a promise knows to be chosen; else the
 * batch of the highest ballot; else nothing.
 *
 * A promise that does not know a slot (damage) does not count for it. A slot is decided when a majority knows it, or when
 * every voter answered: at most a minority is damaged, so a chosen batch is then whole at one of them at least.
 * @returns null while more promises are needed
 */
export function recover(promises: readonly PromiseMessage[], from: number, voters: readonly number[], rules: Rules): Recovered | null {
  if (promises.length < majorityOf(voters)) return null
  const chosenUpTo = Math.max(from - 1, ...promises.map(({ committed }) => committed))
  const bySlot = promises.map((promise) => ({
    promise,
    slots: new Map(rules.suffixOf(promise).map((accepted) => [accepted.slot, accepted] as const)),
  }))
  let last = chosenUpTo
  for (const { promise, slots } of bySlot) {
    for (const slot of slots.keys()) last = Math.max(last, slot)
    for (const { to } of promise.unknown) last = Math.max(last, to ?? 0)
  }
  const recovered: Recovered = { chosen: [], suffix: [], isSealed: promises.some(({ isSealed }) => isSealed) }
  // One slot further than anyone reported: a server that does not know it might have had it.
  for (let slot = from; slot <= last + 1; slot += 1) {
    const knowing = bySlot.filter(({ promise, slots }) => promise.committed >= slot && slots.has(slot))
    const known = knowing[0]?.slots.get(slot)
    if (known !== undefined) {
      recovered.chosen.push(known)
      continue
    }
    const clean = bySlot.filter(({ promise }) => !isUnknown(promise.unknown, slot))
    if (clean.length < majorityOf(voters) && promises.length < voters.length) return null
    let best: Accepted | null = null
    for (const { slots } of bySlot) {
      const accepted = slots.get(slot)
      if (accepted !== undefined && (best === null || accepted.ballot > best.ballot)) best = accepted
    }
    if (slot > last) break
    if (slot > chosenUpTo) recovered.suffix.push(best?.batch ?? null)
    else if (best !== null) recovered.chosen.push(best)
    else return null
  }
  while (recovered.suffix.length > 0 && recovered.suffix.at(-1) === null) recovered.suffix.pop()
  const end = recovered.suffix.findIndex((batch) => batch?.kind === 'end')
  // Nothing after an end can have been chosen.
  if (end >= 0 && rules.isSealSticky) recovered.suffix.length = end + 1
  return recovered
}
