import type { Prng } from '../../../../src/core/kernel/prng.ts'
import type * as m from '../../../../src/core/delos/wire/messages.ts'
import { bytes, compareOf, deleteOf, deleteOp, putOf, putOp, rangeOf, rangeOp, txnOf, txnOp } from './requests.ts'

const KEYS = ['a', 'a\0', 'a/1', 'a/2', 'b', 'b\xff', 'c/x', 'c/y', 'c/z', '\x01', '\xfe\x80', '\xff']
const ENDS = ['', '', '', '\0', 'b', 'c0', '\xff', 'a0', 'a', 'c/y\0']
const BOUNDED = ENDS.filter((end) => end !== '\0')
const LEASES = [0n, 0n, 0n, 1n, 2n, 3n, -4n]

/** Requests that hit one another: few keys, few leases, revisions around the present and the compacted one. */
export interface RequestSource {
  range(): m.RangeRequest
  put(): m.PutRequest
  deleteRange(): m.DeleteRangeRequest
  txn(): m.TxnRequest
  lease(): bigint
  revision(): number
}

export function requestSource(prng: Prng, now: () => { revision: number; compactRevision: number }): RequestSource {
  const pick = <T>(items: readonly T[]): T => items[prng.below(items.length)] as T
  const chance = (percent: number): boolean => prng.below(100) < percent
  const key = (): string => (chance(1) ? '' : pick(KEYS))
  const value = (): string => 'v'.repeat(prng.below(3)) + String(prng.below(4))
  const lease = (): bigint => pick(LEASES)
  const revision = (): number => {
    const { revision: last, compactRevision } = now()
    return Math.max(0, chance(80) ? last - prng.below(20) : pick([last + 1, compactRevision - 1, compactRevision, compactRevision + 1]))
  }
  const bound = (): number => (chance(10) ? Math.max(0, now().revision - prng.below(30)) : 0)
  const rangeMore = (): Partial<m.RangeRequest> => ({
    range_end: pick(ENDS),
    limit: chance(30) ? prng.below(6) : 0,
    revision: chance(30) ? revision() : 0,
    sort_order: chance(40) ? prng.below(3) : 0,
    sort_target: chance(40) ? prng.below(5) : 0,
    serializable: chance(20),
    keys_only: chance(20),
    count_only: chance(10),
    min_mod_revision: bound(),
    max_mod_revision: bound(),
    min_create_revision: bound(),
    max_create_revision: bound(),
  })
  const putMore = (): Partial<m.PutRequest> => {
    const ignoreValue = chance(10)
    const ignoreLease = chance(10)
    return {
      prev_kv: chance(30),
      ignore_value: ignoreValue,
      ignore_lease: ignoreLease,
      lease: ignoreLease && !chance(5) ? 0n : chance(40) ? lease() : 0n,
      ...(ignoreValue && !chance(5) ? { value: bytes('') } : {}),
    }
  }
  const compare = (): m.Compare => {
    const target = prng.below(5)
    const { revision: last } = now()
    const near = Math.max(0, last - prng.below(12))
    const union: Partial<m.Compare>[] = [
      { version: prng.below(4) },
      { create_revision: chance(40) ? 0 : near },
      { mod_revision: chance(40) ? 0 : near },
      { value: bytes(value()) },
      { lease: lease() },
    ]
    return compareOf(key(), target, prng.below(4), { ...union[target], range_end: chance(20) ? pick(ENDS) : '' })
  }
  /** Of the txn being made: etcd 3.4 ends in a panic when one deletes without end and then puts with `ignore_value`. */
  let isEndless = false
  const ops = (depth: number): m.RequestOp[] =>
    Array.from({ length: prng.below(4) }, () => {
      const kind = prng.below(depth > 0 ? 10 : 8)
      if (kind < 3) return putOp(key(), value(), isEndless ? {} : putMore())
      if (kind < 5) return deleteOp(key(), chance(30) ? pick(isEndless ? ENDS : BOUNDED) : '', chance(40))
      if (kind < 8) return rangeOp(key(), { ...rangeMore(), revision: chance(8) ? revision() : 0 })
      return txnOp(txn(depth - 1))
    })
  const txn = (depth = 2): m.TxnRequest =>
    txnOf(
      ops(depth),
      ops(depth),
      Array.from({ length: prng.below(3) }, () => compare()),
    )
  return {
    range: () => rangeOf(key(), rangeMore()),
    put: () => putOf(key(), value(), putMore()),
    deleteRange: () => deleteOf(key(), chance(40) ? pick(ENDS) : '', chance(40)),
    txn: () => {
      isEndless = chance(20)
      return txn()
    },
    lease,
    revision,
  }
}
