import {
  SORT_ORDER,
  SORT_TARGET,
  type Key,
  type KeyValue,
  type RangeRequest,
  type RangeResponse,
  type TxnRequest,
} from '../../wire/messages.ts'
import { queue, type QueueState, type Turn } from './queue.ts'
import { createdAt, leaseName, put, rangeRequest, txn, under, type KeyRange } from './request.ts'
import type { Recipe } from './step.ts'

/*
 * Keys of the lock NAME, as etcd's v3lock and the `concurrency` package of its Go client have them, so that `etcdctl lock NAME`
 * contends for the same lock:
 *
 *     NAME/<lease in hex>           wants the lock alone
 *     NAME/<lease in hex>+delay     holds the name for a while after the key above went with its lease: see {@link leaveDelay}
 *     NAME/shared/<lease in hex>    is content to share it with others of its kind; etcd's clients see just one more contender
 *
 * A name must not begin with another lock's name and a slash: etcd counts every key below `NAME/` as a contender.
 */

/**
 * A lock for one. Guarantees are those of {@link queue}; above all, a lock alone does not exclude a holder that was paused: guard
 * writes with the token.
 * @param isDelayed a lost lease is to be followed by a delay
 */
export function lock(name: Key, lease: bigint, value: Uint8Array = new Uint8Array(), isDelayed = false): Recipe<QueueState, Turn> {
  return place(`${name}/${leaseName(lease)}`, lease, value, under(name), isDelayed)
}

/**
 * A lock that is shared with whoever shares it, and excludes those who want it alone. Turns come in the order of joining: who
 * shares waits for those before it that want the lock alone, also while others share it, so nobody starves.
 */
export function sharedLock(name: Key, lease: bigint, value: Uint8Array = new Uint8Array(), isDelayed = false): Recipe<QueueState, Turn> {
  return place(`${name}/shared/${leaseName(lease)}`, lease, value, exclusive(name), isDelayed)
}

function place(key: Key, lease: bigint, value: Uint8Array, rivals: KeyRange, isDelayed: boolean): Recipe<QueueState, Turn> {
  return queue({ key, value, lease, rivals, ...(isDelayed ? { shadow: key + DELAY } : {}) })
}

const DELAY = '+delay'

/** A key that stands for a holder whose lease may be gone. */
export function isDelay({ key }: Pick<KeyValue, 'key'>): boolean {
  return key.endsWith(DELAY)
}

/**
 * Of a turn that was asked for with `isDelayed`: from now on its delay is under a lease of its own, whose time is longer than the turn's
 * by the delay and which is kept alive beside it. When neither is any more, the key of the turn goes first, and whoever comes next, etcd's
 * clients too, waits for the delay: it is as old as the turn was. Who gives the lock back in peace lets both go.
 */
export function leaveDelay({ key, token }: Pick<Turn, 'key' | 'token'>, lease: bigint, value: Uint8Array): TxnRequest {
  return txn([createdAt(key, token), createdAt(key + DELAY, token)], [put(key + DELAY, value, lease)])
}

/**
 * Time of a delay's lease. Both leases are renewed at each third of the turn's time, and one may have been renewed just before the other
 * was to be: so much longer, the delay is never shorter than it is said to be.
 */
export function delayTtlMs(ttlMs: number, delayMs: number): number {
  return ttlMs + delayMs + Math.ceil(ttlMs / 3)
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

export function standing(name: Key, { kvs: all }: RangeResponse): Standing {
  const alive = new Set(all.filter((kv) => !isDelay(kv)).map(({ key }) => key))
  // Beside its holder a delay says nothing.
  const kvs = all.filter((kv) => !isDelay(kv) || !alive.has(kv.key.slice(0, -DELAY.length)))
  const isShared = (kv: KeyValue): boolean => kv.key.startsWith(`${name}/shared/`)
  const first = kvs.findIndex((kv) => !isShared(kv))
  const sharing = first < 0 ? kvs.length : first
  const held = sharing === 0 ? Math.min(1, kvs.length) : sharing
  return { holders: kvs.slice(0, held), waiting: kvs.slice(held) }
}
