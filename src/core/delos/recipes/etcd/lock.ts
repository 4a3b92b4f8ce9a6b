import { SORT_ORDER, SORT_TARGET, type Key, type KeyValue, type RangeRequest, type RangeResponse } from '../../wire/messages.ts'
import { queue, type QueueState, type Turn } from './queue.ts'
import { leaseName, rangeRequest, under, type KeyRange } from './request.ts'
import type { Recipe } from './step.ts'

/*
 * Keys of the lock NAME, as etcd's v3lock and the `concurrency` package of its Go client have them, so that `etcdctl lock NAME`
 * contends for the same lock:
 *
 *     NAME/<lease in hex>           wants the lock alone
 *     NAME/shared/<lease in hex>    is content to share it with others of its kind; etcd's clients see just one more contender
 *
 * A name must not begin with another lock's name and a slash: etcd counts every key below `NAME/` as a contender.
 */

/**
 * A lock for one. Guarantees are those of {@link queue}; above all, a lock alone does not exclude a holder that was paused: guard
 * writes with the token.
 */
export function lock(name: Key, lease: bigint, value: Uint8Array = new Uint8Array()): Recipe<QueueState, Turn> {
  return queue({ key: `${name}/${leaseName(lease)}`, value, lease, rivals: under(name) })
}

/**
 * A lock that is shared with whoever shares it, and excludes those who want it alone. Turns come in the order of joining: who
 * shares waits for those before it that want the lock alone, also while others share it, so nobody starves.
 */
export function sharedLock(name: Key, lease: bigint, value: Uint8Array = new Uint8Array()): Recipe<QueueState, Turn> {
  return queue({ key: `${name}/shared/${leaseName(lease)}`, value, lease, rivals: exclusive(name) })
}

/** Contenders that want it alone: hexadecimal begins before `g`, `shared/` after it. */
function exclusive(name: Key): KeyRange {
  return { key: `${name}/`, range_end: `${name}/g` }
}

export interface Standing {
  /** who has the lock: one that wants it alone, or all that share it now */
  holders: KeyValue[]
  /** in the order of their turns */
  waiting: KeyValue[]
}

/** What {@link standing} reads. */
export function standingRequest(name: Key): RangeRequest {
  return rangeRequest(under(name), { sort_target: SORT_TARGET.create, sort_order: SORT_ORDER.ascend })
}

export function standing(name: Key, { kvs }: RangeResponse): Standing {
  const isShared = (kv: KeyValue): boolean => kv.key.startsWith(`${name}/shared/`)
  const first = kvs.findIndex((kv) => !isShared(kv))
  const sharing = first < 0 ? kvs.length : first
  const held = sharing === 0 ? Math.min(1, kvs.length) : sharing
  return { holders: kvs.slice(0, held), waiting: kvs.slice(held) }
}
