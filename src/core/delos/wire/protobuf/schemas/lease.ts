import type * as m from '../../messages.ts'
import { bool, int, int64, key, list, message, text, type Schema } from '../../../../kernel/protobuf/schema.ts'
import { empty, header, headerOnly } from './kv.ts'

/** The part of `rpc.proto` about leases. */

export const LEASE_GRANT_REQUEST: Schema<m.LeaseGrantRequest> = {
  name: 'etcdserverpb.LeaseGrantRequest',
  fields: { TTL: int(1), ID: int64(2) },
}

export const LEASE_GRANT_RESPONSE: Schema<m.LeaseGrantResponse> = {
  name: 'etcdserverpb.LeaseGrantResponse',
  fields: { header, ID: int64(2), TTL: int(3), error: text(4) },
}

export const LEASE_REVOKE_REQUEST: Schema<m.LeaseRevokeRequest> = {
  name: 'etcdserverpb.LeaseRevokeRequest',
  fields: { ID: int64(1) },
}

export const LEASE_REVOKE_RESPONSE: Schema<m.LeaseRevokeResponse> = headerOnly('etcdserverpb.LeaseRevokeResponse')

export const LEASE_CHECKPOINT: Schema<m.LeaseCheckpoint> = {
  name: 'etcdserverpb.LeaseCheckpoint',
  fields: { ID: int64(1), remaining_TTL: int(2) },
}

export const LEASE_CHECKPOINT_REQUEST: Schema<m.LeaseCheckpointRequest> = {
  name: 'etcdserverpb.LeaseCheckpointRequest',
  fields: { checkpoints: list(message(1, () => LEASE_CHECKPOINT)) },
}

export const LEASE_CHECKPOINT_RESPONSE: Schema<m.LeaseCheckpointResponse> = headerOnly('etcdserverpb.LeaseCheckpointResponse')

export const LEASE_KEEP_ALIVE_REQUEST: Schema<m.LeaseKeepAliveRequest> = {
  name: 'etcdserverpb.LeaseKeepAliveRequest',
  fields: { ID: int64(1) },
}

export const LEASE_KEEP_ALIVE_RESPONSE: Schema<m.LeaseKeepAliveResponse> = {
  name: 'etcdserverpb.LeaseKeepAliveResponse',
  fields: { header, ID: int64(2), TTL: int(3) },
}

export const LEASE_TIME_TO_LIVE_REQUEST: Schema<m.LeaseTimeToLiveRequest> = {
  name: 'etcdserverpb.LeaseTimeToLiveRequest',
  fields: { ID: int64(1), keys: bool(2) },
}

export const LEASE_TIME_TO_LIVE_RESPONSE: Schema<m.LeaseTimeToLiveResponse> = {
  name: 'etcdserverpb.LeaseTimeToLiveResponse',
  fields: { header, ID: int64(2), TTL: int(3), grantedTTL: int(4), keys: list(key(5)) },
}

export const LEASE_LEASES_REQUEST: Schema<m.LeaseLeasesRequest> = empty('etcdserverpb.LeaseLeasesRequest')

export const LEASE_STATUS: Schema<m.LeaseStatus> = { name: 'etcdserverpb.LeaseStatus', fields: { ID: int64(1) } }

export const LEASE_LEASES_RESPONSE: Schema<m.LeaseLeasesResponse> = {
  name: 'etcdserverpb.LeaseLeasesResponse',
  fields: { header, leases: list(message(2, () => LEASE_STATUS)) },
}
