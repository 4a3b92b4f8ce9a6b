import type { Message } from '../../../core/delos/paxos/messages.ts'

/** Encodes the messages of one step, one after the other: followers that are equally far are sent the same batches, and those are encoded once. */
export function frameOnce(encode: (message: Message) => Uint8Array): (message: Message) => Uint8Array {
  let last: Message | null = null
  let frame = new Uint8Array(0)
  return (message) => {
    if (last === null || !isSame(last, message)) {
      frame = encode(message) as Uint8Array<ArrayBuffer>
      last = message
    }
    return frame
  }
}

/** Only said of accepts, which alone are long; false for others. */
function isSame(one: Message, other: Message): boolean {
  if (one.kind !== 'accept' || other.kind !== 'accept') return false
  const isHeadSame = one.ballot === other.ballot && one.committed === other.committed && one.isSealing === other.isSealing
  return isHeadSame && one.batches.length === other.batches.length && one.batches.every((batch, i) => batch === other.batches[i])
}
