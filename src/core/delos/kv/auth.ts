import { PERMISSION, type Key, type Permission } from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import type { AuthChange, Identity } from './command.ts'
import { KV_ERRORS } from './errors.ts'
import { KeyRanges, spanOf } from './key-ranges.ts'
import type { PendingChanges } from './changes.ts'
import type { RoleRow, UserRow } from './rows.ts'

/** The user, and the role, that may do everything. */
export const ROOT = 'root'

interface Rights {
  readonly isRoot: boolean
  readonly read: KeyRanges
  readonly write: KeyRanges
}

export interface Auth {
  isEnabled: boolean
  /** grows with every change of users, roles or grants; tokens are bound to it */
  revision: number
  readonly users: Map<string, UserRow>
  readonly roles: Map<string, RoleRow>
  /** by user, until the next change */
  readonly rights: Map<string, Rights>
}

export const createAuth = (): Auth => ({ isEnabled: false, revision: 1, users: new Map(), roles: new Map(), rights: new Map() })

type Right = 'read' | 'write'

/** Null: the caller may read (write) every key of the range. */
export function refuseAccess(auth: Auth, who: Identity, right: Right, key: Key, rangeEnd: Key): RpcError | null {
  if (!auth.isEnabled) return null
  const rights = rightsOf(auth, who)
  if ('text' in rights) return rights
  if (rights.isRoot || rights[right].hasSpan(spanOf(key, rangeEnd))) return null
  return KV_ERRORS.permissionDenied
}

/** Null: the caller is somebody, with a token of now. */
export function refuseStranger(auth: Auth, who: Identity): RpcError | null {
  if (!auth.isEnabled) return null
  const rights = rightsOf(auth, who)
  return 'text' in rights ? rights : null
}

/** Null: the caller has the role root. */
export function refuseAdmin(auth: Auth, who: Identity): RpcError | null {
  if (!auth.isEnabled) return null
  if (who.user === '') return KV_ERRORS.userEmpty
  const user = auth.users.get(who.user)
  return user !== undefined && user.roles.includes(ROOT) ? null : KV_ERRORS.permissionDenied
}

function rightsOf(auth: Auth, who: Identity): Rights | RpcError {
  if (who.user === '' || who.authRevision === 0) return KV_ERRORS.userEmpty
  if (who.authRevision < auth.revision) return KV_ERRORS.authRevisionOld
  const known = auth.rights.get(who.user)
  if (known !== undefined) return known
  const user = auth.users.get(who.user)
  if (user === undefined) return KV_ERRORS.permissionDenied
  const rights: Rights = { isRoot: user.roles.includes(ROOT), read: new KeyRanges(), write: new KeyRanges() }
  for (const role of user.roles) {
    for (const { permType, key, range_end: rangeEnd } of auth.roles.get(role)?.permissions ?? []) {
      if (permType !== PERMISSION.write) rights.read.add(spanOf(key, rangeEnd))
      if (permType !== PERMISSION.read) rights.write.add(spanOf(key, rangeEnd))
    }
  }
  auth.rights.set(who.user, rights)
  return rights
}

/** Carries out one change; the caller may (`refuseAdmin` was asked). Refusals and their order as in etcd's `auth/store.go`. */
export function changeAuth(auth: Auth, changes: PendingChanges, change: AuthChange): RpcError | null {
  const refusal = carryOut(auth, changes, change)
  if (refusal === 'nothing') return null
  if (refusal !== null) return refusal
  auth.rights.clear()
  if (change.kind !== 'enable') auth.revision += 1
  return null
}

function carryOut(auth: Auth, changes: PendingChanges, change: AuthChange): RpcError | 'nothing' | null {
  const saveUser = (user: UserRow): void => {
    auth.users.set(user.name, user)
    changes.users.set(user.name, user)
  }
  const saveRole = (role: RoleRow): void => {
    auth.roles.set(role.name, role)
    changes.roles.set(role.name, role)
  }
  switch (change.kind) {
    case 'enable': {
      if (auth.isEnabled) return 'nothing'
      const root = auth.users.get(ROOT)
      if (root === undefined) return KV_ERRORS.rootUserMissing
      if (!root.roles.includes(ROOT)) return KV_ERRORS.rootRoleMissing
      auth.isEnabled = true
      return null
    }
    case 'disable':
      if (!auth.isEnabled) return 'nothing'
      auth.isEnabled = false
      return null
    case 'userAdd':
      if (change.name === '') return KV_ERRORS.userEmpty
      if (auth.users.has(change.name)) return KV_ERRORS.userExists
      saveUser({ name: change.name, passwordHash: change.passwordHash, noPassword: change.noPassword, roles: [] })
      return null
    case 'userDelete':
      if (auth.isEnabled && change.name === ROOT) return KV_ERRORS.invalidAuthManagement
      if (!auth.users.delete(change.name)) return KV_ERRORS.userNotFound
      changes.users.set(change.name, null)
      return null
    case 'userChangePassword': {
      const user = auth.users.get(change.name)
      if (user === undefined) return KV_ERRORS.userNotFound
      saveUser({ ...user, passwordHash: change.passwordHash })
      return null
    }
    case 'userGrantRole': {
      const user = auth.users.get(change.user)
      if (user === undefined) return KV_ERRORS.userNotFound
      if (change.role !== ROOT && !auth.roles.has(change.role)) return KV_ERRORS.roleNotFound
      if (user.roles.includes(change.role)) return 'nothing'
      saveUser({ ...user, roles: [...user.roles, change.role].sort() })
      return null
    }
    case 'userRevokeRole': {
      if (auth.isEnabled && change.user === ROOT && change.role === ROOT) return KV_ERRORS.invalidAuthManagement
      const user = auth.users.get(change.user)
      if (user === undefined) return KV_ERRORS.userNotFound
      if (!user.roles.includes(change.role)) return KV_ERRORS.roleNotGranted
      saveUser({ ...user, roles: user.roles.filter((role) => role !== change.role) })
      return null
    }
    case 'roleAdd':
      if (change.role === '') return KV_ERRORS.roleEmpty
      if (auth.roles.has(change.role)) return KV_ERRORS.roleExists
      saveRole({ name: change.role, permissions: [] })
      return null
    case 'roleDelete': {
      if (auth.isEnabled && change.role === ROOT) return KV_ERRORS.invalidAuthManagement
      if (!auth.roles.delete(change.role)) return KV_ERRORS.roleNotFound
      changes.roles.set(change.role, null)
      for (const user of auth.users.values()) {
        if (user.roles.includes(change.role)) saveUser({ ...user, roles: user.roles.filter((role) => role !== change.role) })
      }
      return null
    }
    case 'roleGrantPermission': {
      const role = auth.roles.get(change.role)
      if (!isRange(change.permission)) return KV_ERRORS.invalidAuthManagement
      if (role === undefined) return KV_ERRORS.roleNotFound
      // Of the same range the last grant counts. (etcd keeps both if another range with that key comes before it: a right nobody gave.)
      const others = role.permissions.filter((permission) => !isSameRange(permission, change.permission.key, change.permission.range_end))
      saveRole({ ...role, permissions: [...others, change.permission].sort(byKey) })
      return null
    }
    case 'roleRevokePermission': {
      const role = auth.roles.get(change.role)
      if (role === undefined) return KV_ERRORS.roleNotFound
      const permissions = role.permissions.filter((permission) => !isSameRange(permission, change.key, change.rangeEnd))
      if (permissions.length === role.permissions.length) return KV_ERRORS.permissionNotGranted
      saveRole({ ...role, permissions })
      return null
    }
  }
}

const isSameRange = (permission: Permission, key: Key, rangeEnd: Key): boolean =>
  permission.key === key && permission.range_end === rangeEnd

const byKey = (a: Permission, b: Permission): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

/** An empty range would be a grant that opens nothing, which nobody means. */
function isRange({ key, range_end: rangeEnd }: Permission): boolean {
  if (key === '') return false
  return rangeEnd === '' || rangeEnd === '\0' || key < rangeEnd
}
