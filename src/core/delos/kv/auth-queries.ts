import type {
  AuthRoleGetResponse,
  AuthRoleListResponse,
  AuthStatusResponse,
  AuthUserGetResponse,
  AuthUserListResponse,
} from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import { refuseAdmin, type Auth } from './auth.ts'
import type { Identity } from './command.ts'
import { KV_ERRORS } from './errors.ts'
import { header, type KvState } from './state.ts'

/** The identity that a token will carry. One answer for an unknown name and a wrong password, and none for a user without one. */
export function authenticate(auth: Auth, name: string, verify: (passwordHash: string) => boolean): Identity | RpcError {
  if (!auth.isEnabled) return KV_ERRORS.authNotEnabled
  const user = auth.users.get(name)
  if (user === undefined || user.noPassword || !verify(user.passwordHash)) return KV_ERRORS.authFailed
  return { user: name, authRevision: auth.revision }
}

export function identityOfCommonName(auth: Auth, commonName: string): Identity | null {
  return auth.isEnabled && auth.users.has(commonName) ? { user: commonName, authRevision: auth.revision } : null
}

export function authStatus(state: KvState): AuthStatusResponse {
  return { header: header(state.revision), enabled: state.auth.isEnabled, authRevision: state.auth.revision }
}

/** A user may look at themselves. */
export function userGet(state: KvState, name: string, who: Identity): AuthUserGetResponse | RpcError {
  const refusal = refuseAdmin(state.auth, who)
  if (refusal !== null && name !== who.user) return refusal
  const user = state.auth.users.get(name)
  return user === undefined ? KV_ERRORS.userNotFound : { header: header(state.revision), roles: [...user.roles] }
}

export function userList(state: KvState, who: Identity): AuthUserListResponse | RpcError {
  return refuseAdmin(state.auth, who) ?? { header: header(state.revision), users: [...state.auth.users.keys()].sort() }
}

/** A user may look at their own roles. */
export function roleGet(state: KvState, name: string, who: Identity): AuthRoleGetResponse | RpcError {
  const refusal = refuseAdmin(state.auth, who)
  if (refusal !== null && state.auth.users.get(who.user)?.roles.includes(name) !== true) return refusal
  const role = state.auth.roles.get(name)
  if (role === undefined) return KV_ERRORS.roleNotFound
  return { header: header(state.revision), perm: role.permissions.map((permission) => ({ ...permission })) }
}

export function roleList(state: KvState, who: Identity): AuthRoleListResponse | RpcError {
  return refuseAdmin(state.auth, who) ?? { header: header(state.revision), roles: [...state.auth.roles.keys()].sort() }
}
