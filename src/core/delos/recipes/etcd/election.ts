import type { Key, KeyValue, RangeRequest, RangeResponse, TxnRequest } from '../../wire/messages.ts'
import { SORT_ORDER, SORT_TARGET } from '../../wire/messages.ts'
import { queue, type QueueState, type Turn } from './queue.ts'
import { createdAt, leaseName, only, put, rangeRequest, remove, txn, under, type KeyRange } from './request.ts'
import type { Recipe } from './step.ts'

/*
 * Keys as etcd's v3election has them: NAME/<lease in hex>, so `etcdctl elect NAME` runs in the same election.
 */

/**
 * Stands for election with a value and waits to be the leader. Guarantees are those of {@link queue}: one leader at a time, in the
 * order of standing. Standing again with another value proclaims it, in the same place.
 */
export function campaign(name: Key, lease: bigint, value: Uint8Array): Recipe<QueueState, Turn> {
  return queue({ key: `${name}/${leaseName(lease)}`, value, lease, rivals: under(name) })
}

/**
 * Gives the leader's value anew. `succeeded` false: no longer the leader (`election: not leader`), nothing was written. It compares
 * the create_revision, so a later term under the same lease, or another's key, is never written by an older leader.
 */
export function proclaim({ key, token, lease }: Turn, value: Uint8Array): TxnRequest {
  return txn([createdAt(key, token)], [put(key, value, lease)])
}

/** Steps down, or stops waiting; `succeeded` false: that was over already. */
export function resign({ key, token }: Pick<Turn, 'key' | 'token'>): TxnRequest {
  return txn([createdAt(key, token)], [remove(only(key))])
}

/** Reads who leads now: no key, no leader. */
export function leaderRequest(name: Key): RangeRequest {
  return rangeRequest(under(name), { limit: 1, sort_target: SORT_TARGET.create, sort_order: SORT_ORDER.ascend })
}

/** What an observer has seen so far. */
export interface Observed {
  /** revision of the newest answer */
  revision: number
  /** what was told last; null: that there was none, or nothing yet */
  leader: KeyValue | null
}

export const NOTHING_OBSERVED: Observed = { revision: 0, leader: null }

export interface Observation {
  state: Observed
  /** the leader to tell of, new or with a new value; null: nothing new */
  tell: KeyValue | null
  /** ask {@link leaderRequest} again once something of the range changes at revision `from` or later */
  range: KeyRange
  from: number
}

/**
 * What an answer to {@link leaderRequest} adds. Tells every leader that still leads when it is asked, and its latest value; some in
 * between may be missed, none is told after a newer one: an answer older than one before (from a member that lags) is dropped.
 */
export function observe(name: Key, state: Observed, answer: RangeResponse): Observation {
  const { revision } = answer.header
  if (revision < state.revision) return { state, tell: null, range: under(name), from: state.revision + 1 }
  const leader = answer.kvs[0] ?? null
  const isNew = leader !== null && (leader.key !== state.leader?.key || leader.mod_revision !== state.leader.mod_revision)
  return { state: { revision, leader: leader ?? state.leader }, tell: isNew ? leader : null, range: under(name), from: revision + 1 }
}
