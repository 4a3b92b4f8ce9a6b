import type * as m from '../../messages.ts'
import { bool, enumeration, int, int64, key, list, message, oneof, optional, uint, uint64, view, type Schema } from '../../../../kernel/protobuf/schema.ts'

/** `kv.proto` and the part of `rpc.proto` about keys. Enum names are etcd's own, as its JSON gateway writes them. */

export const RESPONSE_HEADER: Schema<m.ResponseHeader> = {
  name: 'etcdserverpb.ResponseHeader',
  fields: { cluster_id: uint64(1), member_id: uint64(2), revision: int(3), raft_term: uint(4) },
}

/** First field of every response. */
export const header = message(1, () => RESPONSE_HEADER)

export const headerOnly = (name: string): Schema<m.HeaderOnly> => ({ name, fields: { header } })

export const empty = (name: string): Schema<m.Empty> => ({ name, fields: {} })

export const KEY_VALUE: Schema<m.KeyValue> = {
  name: 'mvccpb.KeyValue',
  fields: { key: key(1), create_revision: int(2), mod_revision: int(3), version: int(4), value: view(5), lease: int64(6) },
}

const keyValue = (number: number) => message(number, () => KEY_VALUE)

export const EVENT: Schema<m.Event> = {
  name: 'mvccpb.Event',
  fields: { type: enumeration(1, 'mvccpb.Event_EventType', ['PUT', 'DELETE']), kv: keyValue(2), prev_kv: optional(keyValue(3)) },
}

export const RANGE_REQUEST: Schema<m.RangeRequest> = {
  name: 'etcdserverpb.RangeRequest',
  fields: {
    key: key(1),
    range_end: key(2),
    limit: int(3),
    revision: int(4),
    sort_order: enumeration(5, 'etcdserverpb.RangeRequest_SortOrder', ['NONE', 'ASCEND', 'DESCEND']),
    sort_target: enumeration(6, 'etcdserverpb.RangeRequest_SortTarget', ['KEY', 'VERSION', 'CREATE', 'MOD', 'VALUE']),
    serializable: bool(7),
    keys_only: bool(8),
    count_only: bool(9),
    min_mod_revision: int(10),
    max_mod_revision: int(11),
    min_create_revision: int(12),
    max_create_revision: int(13),
  },
}

export const RANGE_RESPONSE: Schema<m.RangeResponse> = {
  name: 'etcdserverpb.RangeResponse',
  fields: { header, kvs: list(keyValue(2)), more: bool(3), count: int(4) },
}

/** The same message, as a stream gives it in parts. */
export const RANGE_CHUNK: Schema<m.RangeChunk> = {
  name: 'etcdserverpb.RangeResponse',
  fields: { header: optional(header), kvs: list(keyValue(2)), more: bool(3), count: int(4) },
}

/** etcd 3.7. */
export const RANGE_STREAM_RESPONSE: Schema<m.RangeStreamResponse> = {
  name: 'etcdserverpb.RangeStreamResponse',
  fields: { range_response: message(1, () => RANGE_CHUNK) },
}

export const PUT_REQUEST: Schema<m.PutRequest> = {
  name: 'etcdserverpb.PutRequest',
  fields: { key: key(1), value: view(2), lease: int64(3), prev_kv: bool(4), ignore_value: bool(5), ignore_lease: bool(6) },
}

export const PUT_RESPONSE: Schema<m.PutResponse> = {
  name: 'etcdserverpb.PutResponse',
  fields: { header, prev_kv: optional(keyValue(2)) },
}

export const DELETE_RANGE_REQUEST: Schema<m.DeleteRangeRequest> = {
  name: 'etcdserverpb.DeleteRangeRequest',
  fields: { key: key(1), range_end: key(2), prev_kv: bool(3) },
}

export const DELETE_RANGE_RESPONSE: Schema<m.DeleteRangeResponse> = {
  name: 'etcdserverpb.DeleteRangeResponse',
  fields: { header, deleted: int(2), prev_kvs: list(keyValue(3)) },
}

export const REQUEST_OP: Schema<m.RequestOp> = {
  name: 'etcdserverpb.RequestOp',
  fields: {
    request_range: oneof('request', message(1, () => RANGE_REQUEST)),
    request_put: oneof('request', message(2, () => PUT_REQUEST)),
    request_delete_range: oneof('request', message(3, () => DELETE_RANGE_REQUEST)),
    request_txn: oneof('request', message(4, () => TXN_REQUEST)),
  },
}

export const RESPONSE_OP: Schema<m.ResponseOp> = {
  name: 'etcdserverpb.ResponseOp',
  fields: {
    response_range: oneof('response', message(1, () => RANGE_RESPONSE)),
    response_put: oneof('response', message(2, () => PUT_RESPONSE)),
    response_delete_range: oneof('response', message(3, () => DELETE_RANGE_RESPONSE)),
    response_txn: oneof('response', message(4, () => TXN_RESPONSE)),
  },
}

export const COMPARE: Schema<m.Compare> = {
  name: 'etcdserverpb.Compare',
  fields: {
    result: enumeration(1, 'etcdserverpb.Compare_CompareResult', ['EQUAL', 'GREATER', 'LESS', 'NOT_EQUAL']),
    target: enumeration(2, 'etcdserverpb.Compare_CompareTarget', ['VERSION', 'CREATE', 'MOD', 'VALUE', 'LEASE']),
    key: key(3),
    version: oneof('target_union', int(4)),
    create_revision: oneof('target_union', int(5)),
    mod_revision: oneof('target_union', int(6)),
    value: oneof('target_union', view(7)),
    lease: oneof('target_union', int64(8)),
    range_end: key(64),
  },
}

const operations = (number: number) => list(message(number, () => REQUEST_OP))

export const TXN_REQUEST: Schema<m.TxnRequest> = {
  name: 'etcdserverpb.TxnRequest',
  fields: { compare: list(message(1, () => COMPARE)), success: operations(2), failure: operations(3) },
}

export const TXN_RESPONSE: Schema<m.TxnResponse> = {
  name: 'etcdserverpb.TxnResponse',
  fields: { header, succeeded: bool(2), responses: list(message(3, () => RESPONSE_OP)) },
}

export const COMPACTION_REQUEST: Schema<m.CompactionRequest> = {
  name: 'etcdserverpb.CompactionRequest',
  fields: { revision: int(1), physical: bool(2) },
}

export const COMPACTION_RESPONSE: Schema<m.CompactionResponse> = headerOnly('etcdserverpb.CompactionResponse')
