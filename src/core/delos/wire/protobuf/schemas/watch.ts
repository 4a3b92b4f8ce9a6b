import type * as m from '../../messages.ts'
import { bool, enumeration, int, key, list, message, oneof, text, type Schema } from '../../../../kernel/protobuf/schema.ts'
import { empty, EVENT, header } from './kv.ts'

/** The part of `rpc.proto` about watches. */

export const WATCH_CREATE_REQUEST: Schema<m.WatchCreateRequest> = {
  name: 'etcdserverpb.WatchCreateRequest',
  fields: {
    key: key(1),
    range_end: key(2),
    start_revision: int(3),
    progress_notify: bool(4),
    filters: list(enumeration(5, 'etcdserverpb.WatchCreateRequest_FilterType', ['NOPUT', 'NODELETE'])),
    prev_kv: bool(6),
    watch_id: int(7),
    fragment: bool(8),
  },
}

export const WATCH_CANCEL_REQUEST: Schema<m.WatchCancelRequest> = {
  name: 'etcdserverpb.WatchCancelRequest',
  fields: { watch_id: int(1) },
}

export const WATCH_PROGRESS_REQUEST: Schema<m.WatchProgressRequest> = empty('etcdserverpb.WatchProgressRequest')

export const WATCH_REQUEST: Schema<m.WatchRequest> = {
  name: 'etcdserverpb.WatchRequest',
  fields: {
    create_request: oneof('request_union', message(1, () => WATCH_CREATE_REQUEST)),
    cancel_request: oneof('request_union', message(2, () => WATCH_CANCEL_REQUEST)),
    progress_request: oneof('request_union', message(3, () => WATCH_PROGRESS_REQUEST)),
  },
}

export const WATCH_RESPONSE: Schema<m.WatchResponse> = {
  name: 'etcdserverpb.WatchResponse',
  fields: {
    header,
    watch_id: int(2),
    created: bool(3),
    canceled: bool(4),
    compact_revision: int(5),
    cancel_reason: text(6),
    fragment: bool(7),
    events: list(message(11, () => EVENT)),
  },
}
