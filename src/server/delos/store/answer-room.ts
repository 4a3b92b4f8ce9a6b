import type { RpcError } from '../../../core/delos/wire/service.ts'

/** Of one answer. A longer list is asked for in pages. */
export const ANSWER_BYTES_MAX = 128 * 1_048_576
/** Answers up to here are always given. */
const SMALL_BYTES = 1_048_576
/** Answers of all connections that wait to be read. Above it no long one is made; who does not read his keeps nobody from reading a key. */
const HELD_BYTES_MAX = 256 * 1_048_576

export const TOO_LONG: RpcError = { code: 8, text: 'muster: the answer is over 128 MiB; ask for it in pages, with a limit' }
/** etcd's own text. */
export const TOO_MANY: RpcError = { code: 8, text: 'etcdserver: too many requests' }
/** Of a change, which cannot be taken back for that. */
export const DONE_UNTOLD: RpcError = { code: 8, text: 'muster: it was done; what it was to tell is over 128 MiB' }

/** Whether there is memory for an answer with so many bytes of pairs; null: there is. */
export type AnswerRoom = (bytes: number) => RpcError | null

/** @param heldBytes of answers that wait to be read, now */
export function answerRoom(heldBytes: () => number): AnswerRoom {
  return (bytes) => {
    if (bytes <= SMALL_BYTES) return null
    if (bytes > ANSWER_BYTES_MAX) return TOO_LONG
    return heldBytes() > HELD_BYTES_MAX ? TOO_MANY : null
  }
}
