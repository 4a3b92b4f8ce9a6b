import type * as m from '../../messages.ts'
import { bool, list, message, optional, text, uint64, type Schema } from '../../../../kernel/protobuf/schema.ts'
import { header } from './kv.ts'

/** The part of `rpc.proto` about members. */

export const MEMBER: Schema<m.Member> = {
  name: 'etcdserverpb.Member',
  fields: { ID: uint64(1), name: text(2), peerURLs: list(text(3)), clientURLs: list(text(4)), isLearner: bool(5) },
}

const member = (number: number) => message(number, () => MEMBER)
const members = list(member(2))

export const MEMBER_ADD_REQUEST: Schema<m.MemberAddRequest> = {
  name: 'etcdserverpb.MemberAddRequest',
  fields: { peerURLs: list(text(1)), isLearner: bool(2) },
}

export const MEMBER_ADD_RESPONSE: Schema<m.MemberAddResponse> = {
  name: 'etcdserverpb.MemberAddResponse',
  fields: { header, member: optional(member(2)), members: list(member(3)) },
}

export const MEMBER_REMOVE_REQUEST: Schema<m.MemberRemoveRequest> = {
  name: 'etcdserverpb.MemberRemoveRequest',
  fields: { ID: uint64(1) },
}

export const MEMBER_REMOVE_RESPONSE: Schema<m.MemberRemoveResponse> = {
  name: 'etcdserverpb.MemberRemoveResponse',
  fields: { header, members },
}

export const MEMBER_UPDATE_REQUEST: Schema<m.MemberUpdateRequest> = {
  name: 'etcdserverpb.MemberUpdateRequest',
  fields: { ID: uint64(1), peerURLs: list(text(2)) },
}

export const MEMBER_UPDATE_RESPONSE: Schema<m.MemberUpdateResponse> = {
  name: 'etcdserverpb.MemberUpdateResponse',
  fields: { header, members },
}

export const MEMBER_LIST_REQUEST: Schema<m.MemberListRequest> = {
  name: 'etcdserverpb.MemberListRequest',
  fields: { linearizable: bool(1) },
}

export const MEMBER_LIST_RESPONSE: Schema<m.MemberListResponse> = {
  name: 'etcdserverpb.MemberListResponse',
  fields: { header, members },
}

export const MEMBER_PROMOTE_REQUEST: Schema<m.MemberPromoteRequest> = {
  name: 'etcdserverpb.MemberPromoteRequest',
  fields: { ID: uint64(1) },
}

export const MEMBER_PROMOTE_RESPONSE: Schema<m.MemberPromoteResponse> = {
  name: 'etcdserverpb.MemberPromoteResponse',
  fields: { header, members },
}
