import {
  EVENT_TYPE,
  SORT_ORDER,
  SORT_TARGET,
  type Event,
  type Key,
  type KeyValue,
  type RangeRequest,
  type RangeResponse,
  type TxnRequest,
} from '../../wire/messages.ts'
import type { Turn } from './queue.ts'
import {
  allHaveValue,
  createdAt,
  firstAt,
  hasLease,
  isAbsent,
  nested,
  only,
  put,
  rangeRequest,
  read,
  remove,
  txn,
  under,
} from './request.ts'
import { refused, type Recipe } from './step.ts'

/*
 * Keys of the group NAME: NAME/<id>, its value being the member's data, under the member's lease.
 */

export interface Member {
  id: string
  data: Uint8Array
  /** create_revision of its key: members are in the order of joining by it */
  joined: number
  /** mod_revision: when its data changed last */
  changed: number
  lease: bigint
}

/**
 * Joins a group under an id. Guarantees: an id has one member at a time; all see the members in the same order; a member whose
 * lease ends is gone in the same revision. Joining again under the same lease keeps the place and gives the data anew. An id that
 * another lease has is refused: a member that was started again waits for the end of its old lease, or takes that lease on.
 * @param id without a slash
 */
export function joinGroup(name: Key, id: Key, lease: bigint, data: Uint8Array): Recipe<null, Turn> {
  const key = `${name}/${id}`
  const write = put(key, data, lease)
  const keep = nested(txn([hasLease(key, lease)], [nested(txn([allHaveValue(only(key), data)], [], [write]))]))
  return {
    start: null,
    ask: () => txn([isAbsent(key)], [write, read(only(key))], [keep, read(only(key))]),
    told: (_state, answer) => {
      const own = firstAt(answer, 1)
      if (own === null) return refused('lost', `the member ${key} is gone, with its lease or by somebody's hand`)
      if (own.lease !== lease) return refused('taken', `${id} is a member of ${name} under another lease`)
      return { do: 'held', held: { key, lease, token: own.create_revision } }
    },
  }
}

/** Gives a member's data anew; `succeeded` false: it is no member any more. */
export function setMemberData({ key, token, lease }: Turn, data: Uint8Array): TxnRequest {
  return txn([createdAt(key, token)], [put(key, data, lease)])
}

export function leaveGroup({ key, token }: Pick<Turn, 'key' | 'token'>): TxnRequest {
  return txn([createdAt(key, token)], [remove(only(key))])
}

export function membersRequest(name: Key): RangeRequest {
  return rangeRequest(under(name), { sort_target: SORT_TARGET.create, sort_order: SORT_ORDER.ascend })
}

/** Members in the order of joining. */
export function members(name: Key, { kvs }: RangeResponse): Member[] {
  return kvs.map((kv) => memberOf(name, kv))
}

/** What a change below the group says. */
export function groupEvent(name: Key, { type, kv, prev_kv: before }: Event): { what: 'joined' | 'changed' | 'left'; member: Member } {
  if (type === EVENT_TYPE.delete) return { what: 'left', member: memberOf(name, before ?? kv) }
  return { what: kv.create_revision === kv.mod_revision ? 'joined' : 'changed', member: memberOf(name, kv) }
}

function memberOf(name: Key, kv: KeyValue): Member {
  return { id: kv.key.slice(name.length + 1), data: kv.value, joined: kv.create_revision, changed: kv.mod_revision, lease: kv.lease }
}
