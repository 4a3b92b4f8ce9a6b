import type * as m from '../../messages.ts'
import { int, int64, key, message, optional, view, type Schema } from '../../../../kernel/protobuf/schema.ts'
import { header, headerOnly, KEY_VALUE } from './kv.ts'

/** `v3lock.proto` and `v3election.proto`. */

export const LOCK_REQUEST: Schema<m.LockRequest> = { name: 'v3lockpb.LockRequest', fields: { name: key(1), lease: int64(2) } }
export const LOCK_RESPONSE: Schema<m.LockResponse> = { name: 'v3lockpb.LockResponse', fields: { header, key: key(2) } }
export const UNLOCK_REQUEST: Schema<m.UnlockRequest> = { name: 'v3lockpb.UnlockRequest', fields: { key: key(1) } }
export const UNLOCK_RESPONSE: Schema<m.UnlockResponse> = headerOnly('v3lockpb.UnlockResponse')

export const LEADER_KEY: Schema<m.LeaderKey> = {
  name: 'v3electionpb.LeaderKey',
  fields: { name: key(1), key: key(2), rev: int(3), lease: int64(4) },
}

const leader = (number: number) => optional(message(number, () => LEADER_KEY))

export const CAMPAIGN_REQUEST: Schema<m.CampaignRequest> = {
  name: 'v3electionpb.CampaignRequest',
  fields: { name: key(1), lease: int64(2), value: view(3) },
}
export const CAMPAIGN_RESPONSE: Schema<m.CampaignResponse> = {
  name: 'v3electionpb.CampaignResponse',
  fields: { header, leader: leader(2) },
}

export const LEADER_REQUEST: Schema<m.LeaderRequest> = { name: 'v3electionpb.LeaderRequest', fields: { name: key(1) } }
export const LEADER_RESPONSE: Schema<m.LeaderResponse> = {
  name: 'v3electionpb.LeaderResponse',
  fields: { header, kv: optional(message(2, () => KEY_VALUE)) },
}

export const RESIGN_REQUEST: Schema<m.ResignRequest> = { name: 'v3electionpb.ResignRequest', fields: { leader: leader(1) } }
export const RESIGN_RESPONSE: Schema<m.ResignResponse> = headerOnly('v3electionpb.ResignResponse')

export const PROCLAIM_REQUEST: Schema<m.ProclaimRequest> = {
  name: 'v3electionpb.ProclaimRequest',
  fields: { leader: leader(1), value: view(2) },
}
export const PROCLAIM_RESPONSE: Schema<m.ProclaimResponse> = headerOnly('v3electionpb.ProclaimResponse')
