import type { Key, RangeRequest, TxnRequest } from '../../wire/messages.ts'
import { isAbsent, modifiedAt, noneIn, only, put, rangeRequest, remove, txn, under } from './request.ts'

/*
 * A container is a key that goes by itself once nothing has been below it for a while: the parent of sequential and ephemeral keys. Beside
 * it stands a mark, by which the leader of the store finds it. Counters of sequences stay (`sequence.ts`): a number is never given again.
 */

const MARKS = '/muster/container'
const NOTHING = new Uint8Array()

const markOf = (parent: Key): Key => `${MARKS}/${parent}`

/**
 * Makes a container, unless it is one. To be asked before each child is made: it is then kept for a whole while more, so that it does not go
 * between the two. Asking again changes nothing more.
 */
export function makeContainer(parent: Key): TxnRequest {
  const mark = put(markOf(parent), NOTHING, 0n)
  return txn([isAbsent(parent)], [put(parent, NOTHING, 0n), mark], [mark])
}

/** Reads the marks of containers, at most so many from a key on. */
export function marksRequest(from: Key, limit: number): RangeRequest {
  const { key, range_end } = under(MARKS)
  return rangeRequest({ key: from > key ? from : key, range_end }, { limit, keys_only: true })
}

export function parentOf(mark: Key): Key {
  return mark.slice(MARKS.length + 1)
}

/** Whether something is below it. */
export function childrenRequest(parent: Key): RangeRequest {
  return rangeRequest(under(parent), { limit: 1, keys_only: true })
}

/** Removes a container in which nothing is, in one revision; does nothing if something came, or the mark was made anew. */
export function removeEmptied(parent: Key, markedAt: number): TxnRequest {
  const mark = markOf(parent)
  return txn([modifiedAt(mark, markedAt), noneIn(under(parent))], [remove(only(parent)), remove(only(mark))])
}
