import type * as m from '../../messages.ts'
import { bool, enumeration, key, list, message, optional, text, uint, type Schema } from '../../../../kernel/protobuf/schema.ts'
import { empty, header, headerOnly } from './kv.ts'

/** `auth.proto` and the part of `rpc.proto` about users and roles. */

export const USER_ADD_OPTIONS: Schema<m.UserAddOptions> = { name: 'authpb.UserAddOptions', fields: { no_password: bool(1) } }

export const PERMISSION: Schema<m.Permission> = {
  name: 'authpb.Permission',
  fields: { permType: enumeration(1, 'authpb.Permission_Type', ['READ', 'WRITE', 'READWRITE']), key: key(2), range_end: key(3) },
}

export const AUTH_ENABLE_REQUEST: Schema<m.AuthEnableRequest> = empty('etcdserverpb.AuthEnableRequest')
export const AUTH_ENABLE_RESPONSE: Schema<m.AuthEnableResponse> = headerOnly('etcdserverpb.AuthEnableResponse')
export const AUTH_DISABLE_REQUEST: Schema<m.AuthDisableRequest> = empty('etcdserverpb.AuthDisableRequest')
export const AUTH_DISABLE_RESPONSE: Schema<m.AuthDisableResponse> = headerOnly('etcdserverpb.AuthDisableResponse')

export const AUTH_STATUS_REQUEST: Schema<m.AuthStatusRequest> = empty('etcdserverpb.AuthStatusRequest')
export const AUTH_STATUS_RESPONSE: Schema<m.AuthStatusResponse> = {
  name: 'etcdserverpb.AuthStatusResponse',
  fields: { header, enabled: bool(2), authRevision: uint(3) },
}

export const AUTHENTICATE_REQUEST: Schema<m.AuthenticateRequest> = {
  name: 'etcdserverpb.AuthenticateRequest',
  fields: { name: text(1), password: text(2) },
}
export const AUTHENTICATE_RESPONSE: Schema<m.AuthenticateResponse> = {
  name: 'etcdserverpb.AuthenticateResponse',
  fields: { header, token: text(2) },
}

export const AUTH_USER_ADD_REQUEST: Schema<m.AuthUserAddRequest> = {
  name: 'etcdserverpb.AuthUserAddRequest',
  fields: { name: text(1), password: text(2), options: optional(message(3, () => USER_ADD_OPTIONS)) },
}
export const AUTH_USER_ADD_RESPONSE: Schema<m.AuthUserAddResponse> = headerOnly('etcdserverpb.AuthUserAddResponse')

export const AUTH_USER_GET_REQUEST: Schema<m.AuthUserGetRequest> = {
  name: 'etcdserverpb.AuthUserGetRequest',
  fields: { name: text(1) },
}
export const AUTH_USER_GET_RESPONSE: Schema<m.AuthUserGetResponse> = {
  name: 'etcdserverpb.AuthUserGetResponse',
  fields: { header, roles: list(text(2)) },
}

export const AUTH_USER_DELETE_REQUEST: Schema<m.AuthUserDeleteRequest> = {
  name: 'etcdserverpb.AuthUserDeleteRequest',
  fields: { name: text(1) },
}
export const AUTH_USER_DELETE_RESPONSE: Schema<m.AuthUserDeleteResponse> = headerOnly('etcdserverpb.AuthUserDeleteResponse')

export const AUTH_USER_CHANGE_PASSWORD_REQUEST: Schema<m.AuthUserChangePasswordRequest> = {
  name: 'etcdserverpb.AuthUserChangePasswordRequest',
  fields: { name: text(1), password: text(2) },
}
export const AUTH_USER_CHANGE_PASSWORD_RESPONSE: Schema<m.AuthUserChangePasswordResponse> = headerOnly(
  'etcdserverpb.AuthUserChangePasswordResponse',
)

export const AUTH_USER_GRANT_ROLE_REQUEST: Schema<m.AuthUserGrantRoleRequest> = {
  name: 'etcdserverpb.AuthUserGrantRoleRequest',
  fields: { user: text(1), role: text(2) },
}
export const AUTH_USER_GRANT_ROLE_RESPONSE: Schema<m.AuthUserGrantRoleResponse> = headerOnly('etcdserverpb.AuthUserGrantRoleResponse')

export const AUTH_USER_REVOKE_ROLE_REQUEST: Schema<m.AuthUserRevokeRoleRequest> = {
  name: 'etcdserverpb.AuthUserRevokeRoleRequest',
  fields: { name: text(1), role: text(2) },
}
export const AUTH_USER_REVOKE_ROLE_RESPONSE: Schema<m.AuthUserRevokeRoleResponse> = headerOnly('etcdserverpb.AuthUserRevokeRoleResponse')

export const AUTH_USER_LIST_REQUEST: Schema<m.AuthUserListRequest> = empty('etcdserverpb.AuthUserListRequest')
export const AUTH_USER_LIST_RESPONSE: Schema<m.AuthUserListResponse> = {
  name: 'etcdserverpb.AuthUserListResponse',
  fields: { header, users: list(text(2)) },
}

export const AUTH_ROLE_ADD_REQUEST: Schema<m.AuthRoleAddRequest> = {
  name: 'etcdserverpb.AuthRoleAddRequest',
  fields: { name: text(1) },
}
export const AUTH_ROLE_ADD_RESPONSE: Schema<m.AuthRoleAddResponse> = headerOnly('etcdserverpb.AuthRoleAddResponse')

export const AUTH_ROLE_GET_REQUEST: Schema<m.AuthRoleGetRequest> = {
  name: 'etcdserverpb.AuthRoleGetRequest',
  fields: { role: text(1) },
}
export const AUTH_ROLE_GET_RESPONSE: Schema<m.AuthRoleGetResponse> = {
  name: 'etcdserverpb.AuthRoleGetResponse',
  fields: { header, perm: list(message(2, () => PERMISSION)) },
}

export const AUTH_ROLE_LIST_REQUEST: Schema<m.AuthRoleListRequest> = empty('etcdserverpb.AuthRoleListRequest')
export const AUTH_ROLE_LIST_RESPONSE: Schema<m.AuthRoleListResponse> = {
  name: 'etcdserverpb.AuthRoleListResponse',
  fields: { header, roles: list(text(2)) },
}

export const AUTH_ROLE_DELETE_REQUEST: Schema<m.AuthRoleDeleteRequest> = {
  name: 'etcdserverpb.AuthRoleDeleteRequest',
  fields: { role: text(1) },
}
export const AUTH_ROLE_DELETE_RESPONSE: Schema<m.AuthRoleDeleteResponse> = headerOnly('etcdserverpb.AuthRoleDeleteResponse')

export const AUTH_ROLE_GRANT_PERMISSION_REQUEST: Schema<m.AuthRoleGrantPermissionRequest> = {
  name: 'etcdserverpb.AuthRoleGrantPermissionRequest',
  fields: { name: text(1), perm: optional(message(2, () => PERMISSION)) },
}
export const AUTH_ROLE_GRANT_PERMISSION_RESPONSE: Schema<m.AuthRoleGrantPermissionResponse> = headerOnly(
  'etcdserverpb.AuthRoleGrantPermissionResponse',
)

export const AUTH_ROLE_REVOKE_PERMISSION_REQUEST: Schema<m.AuthRoleRevokePermissionRequest> = {
  name: 'etcdserverpb.AuthRoleRevokePermissionRequest',
  fields: { role: text(1), key: key(2), range_end: key(3) },
}
export const AUTH_ROLE_REVOKE_PERMISSION_RESPONSE: Schema<m.AuthRoleRevokePermissionResponse> = headerOnly(
  'etcdserverpb.AuthRoleRevokePermissionResponse',
)
