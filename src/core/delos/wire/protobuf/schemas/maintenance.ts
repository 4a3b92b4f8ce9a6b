import type * as m from '../../messages.ts'
import { bool, enumeration, int, list, message, text, uint, uint32, uint64, view, type Schema } from '../../../../kernel/protobuf/schema.ts'
import { empty, header, headerOnly } from './kv.ts'

/** The part of `rpc.proto` about maintenance. */

const alarm = (number: number) => enumeration(number, 'etcdserverpb.AlarmType', ['NONE', 'NOSPACE', 'CORRUPT'])

export const ALARM_REQUEST: Schema<m.AlarmRequest> = {
  name: 'etcdserverpb.AlarmRequest',
  fields: { action: enumeration(1, 'etcdserverpb.AlarmRequest_AlarmAction', ['GET', 'ACTIVATE', 'DEACTIVATE']), memberID: uint64(2), alarm: alarm(3) },
}

export const ALARM_MEMBER: Schema<m.AlarmMember> = {
  name: 'etcdserverpb.AlarmMember',
  fields: { memberID: uint64(1), alarm: alarm(2) },
}

export const ALARM_RESPONSE: Schema<m.AlarmResponse> = {
  name: 'etcdserverpb.AlarmResponse',
  fields: { header, alarms: list(message(2, () => ALARM_MEMBER)) },
}

export const STATUS_REQUEST: Schema<m.StatusRequest> = empty('etcdserverpb.StatusRequest')

export const STATUS_RESPONSE: Schema<m.StatusResponse> = {
  name: 'etcdserverpb.StatusResponse',
  fields: {
    header,
    version: text(2),
    dbSize: int(3),
    leader: uint64(4),
    raftIndex: uint(5),
    raftTerm: uint(6),
    raftAppliedIndex: uint(7),
    errors: list(text(8)),
    dbSizeInUse: int(9),
    isLearner: bool(10),
  },
}

export const DEFRAGMENT_REQUEST: Schema<m.DefragmentRequest> = empty('etcdserverpb.DefragmentRequest')
export const DEFRAGMENT_RESPONSE: Schema<m.DefragmentResponse> = headerOnly('etcdserverpb.DefragmentResponse')

export const HASH_REQUEST: Schema<m.HashRequest> = empty('etcdserverpb.HashRequest')
export const HASH_RESPONSE: Schema<m.HashResponse> = { name: 'etcdserverpb.HashResponse', fields: { header, hash: uint32(2) } }

export const HASH_KV_REQUEST: Schema<m.HashKVRequest> = { name: 'etcdserverpb.HashKVRequest', fields: { revision: int(1) } }
export const HASH_KV_RESPONSE: Schema<m.HashKVResponse> = {
  name: 'etcdserverpb.HashKVResponse',
  fields: { header, hash: uint32(2), compact_revision: int(3) },
}

export const SNAPSHOT_REQUEST: Schema<m.SnapshotRequest> = empty('etcdserverpb.SnapshotRequest')
export const SNAPSHOT_RESPONSE: Schema<m.SnapshotResponse> = {
  name: 'etcdserverpb.SnapshotResponse',
  fields: { header, remaining_bytes: uint(2), blob: view(3) },
}

export const MOVE_LEADER_REQUEST: Schema<m.MoveLeaderRequest> = {
  name: 'etcdserverpb.MoveLeaderRequest',
  fields: { targetID: uint64(1) },
}
export const MOVE_LEADER_RESPONSE: Schema<m.MoveLeaderResponse> = headerOnly('etcdserverpb.MoveLeaderResponse')

export const DOWNGRADE_REQUEST: Schema<m.DowngradeRequest> = {
  name: 'etcdserverpb.DowngradeRequest',
  fields: { action: enumeration(1, 'etcdserverpb.DowngradeRequest_DowngradeAction', ['VALIDATE', 'ENABLE', 'CANCEL']), version: text(2) },
}
export const DOWNGRADE_RESPONSE: Schema<m.DowngradeResponse> = {
  name: 'etcdserverpb.DowngradeResponse',
  fields: { header, version: text(2) },
}
