import type { DeleteRangeResponse, KeyValue, RangeResponse, TxnResponse } from './messages.ts'

/** What a pair takes beside its key and its value, at most: numbers, tags and lengths. */
const PAIR_BYTES = 64

/** About the bytes of the pairs in an answer, also of those in a txn's; 0 of every other answer. */
export function pairBytes(answer: object): number {
  const { kvs, prev_kvs, responses } = answer as Partial<RangeResponse & DeleteRangeResponse & TxnResponse>
  let bytes = bytesOfAll(kvs) + bytesOfAll(prev_kvs)
  for (const { response_range, response_delete_range, response_txn } of responses ?? [])
    for (const part of [response_range, response_delete_range, response_txn]) if (part !== null) bytes += pairBytes(part)
  return bytes
}

function bytesOfAll(pairs: readonly KeyValue[] = []): number {
  let bytes = 0
  for (const { key, value } of pairs) bytes += key.length + value.length + PAIR_BYTES
  return bytes
}
