import type { Message } from '../../../core/delos/paxos/messages.ts'

/** Encodes the messages of one step, one after the other: followers that are equally far are sent the same batches, and those are encoded once. */
export function frameOnce<F>(encode: (message: Message) => F): (message: Message) => F {
  let last: { message: Message; frame: F } | null = null
  return (message) => {
    if (last === null || !isSame(last.message, message)) last = { message, frame: encode(message) }
    return last.frame
  }
}

/** Only said of accepts, which alone are long; false for others. */
function isSame(one: Message, other: Message): boolean {
  if (one.kind !== 'accept' || other.kind !== 'accept') return false
  const isHeadSame = one.ballot === other.ballot && one.committed === other.committed && one.isSealing === other.isSealing
  return isHeadSame && one.batches.length === other.batches.length && one.batches.every((batch, i) => batch === other.batches[i])
}
