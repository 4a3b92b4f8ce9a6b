import type { DeleteRangeResponse, KeyValue, PutResponse, RangeResponse, TxnResponse } from './messages.ts'

/** What a pair takes in memory beside its bytes, about. */
const PAIR_BYTES = 64

/** About the bytes that the pairs in an answer take, also of those in a txn's; 0 of every other answer. */
export function pairBytes(answer: object): number {
  const { kvs, prev_kv, prev_kvs, responses } = answer as Partial<RangeResponse & PutResponse & DeleteRangeResponse & TxnResponse>
  let bytes = bytesOfAll(kvs) + bytesOfAll(prev_kvs)
  if (prev_kv) bytes += pairLength(prev_kv) + PAIR_BYTES
  for (const { response_range, response_put, response_delete_range, response_txn } of responses ?? [])
    for (const part of [response_range, response_put, response_delete_range, response_txn]) if (part !== null) bytes += pairBytes(part)
  return bytes
}

const bytesOfAll = (pairs: readonly KeyValue[] = []): number => pairsLength(pairs) + pairs.length * PAIR_BYTES

/** Lengths of long lists, known to who counted while making them: counting a million pairs takes too long to do it at once. */
const lengths = new WeakMap<readonly KeyValue[], number>()

/** Says how long these pairs are; they must not change afterwards. */
export function noteLength(pairs: readonly KeyValue[], bytes: number): void {
  lengths.set(pairs, bytes)
}

/** Bytes that pairs take in a message, with their tags and lengths. */
export function pairsLength(pairs: readonly KeyValue[]): number {
  // Most answers have one pair or none.
  const known = pairs.length < 2 ? undefined : lengths.get(pairs)
  if (known !== undefined) return known
  let bytes = 0
  for (const pair of pairs) bytes += pairLength(pair)
  return bytes
}

/** The same of one pair (Protocol Buffers, "Encoding"; a tag of one byte). */
export function pairLength(pair: KeyValue): number {
  const length = contentLength(pair)
  return 1 + varintLength(length) + length
}

/** A pair without its tag and length, as `KeyValue` is encoded: fields at their default are left out. */
export function contentLength({ key, create_revision, mod_revision, version, value, lease }: KeyValue): number {
  return (
    bytesLength(key.length) +
    intLength(create_revision) +
    intLength(mod_revision) +
    intLength(version) +
    bytesLength(value.length) +
    (lease === 0n ? 0 : 1 + bigVarintLength(lease))
  )
}

const bytesLength = (length: number): number => (length === 0 ? 0 : 1 + varintLength(length) + length)
const intLength = (value: number): number => (value === 0 ? 0 : 1 + varintLength(value))

/** Of a number from 0 to 2^53. */
export function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length += 1
  return length
}

function bigVarintLength(value: bigint): number {
  const bits = BigInt.asUintN(64, value)
  return bits <= 0x1f_ffff_ffff_ffffn ? varintLength(Number(bits)) : bits < 1n << 56n ? 8 : bits < 1n << 63n ? 9 : 10
}
