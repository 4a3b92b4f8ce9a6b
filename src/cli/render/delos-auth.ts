import type { View } from '../terminal.ts'
import { table } from './table.ts'

export interface UserView {
  name: string
  roles: readonly string[]
}

export interface PermissionView {
  kind: string
  keys: string
}

export function renderAuthStatus(isEnabled: boolean, authRevision: number | null): string {
  const revision = authRevision === null ? '' : `, at revision ${authRevision} of users and roles`
  return isEnabled ? `auth is on${revision}` : 'auth is off: everybody may do everything'
}

export function renderUsers(users: readonly UserView[], view: View): string {
  return table(
    view,
    users,
    [
      { title: 'user', cell: ({ name }) => name },
      { title: 'roles', cell: ({ roles }) => roles.join(', ') || '-', canShrink: true },
    ],
    'No users.',
  )
}

export function renderRoles(roles: readonly string[]): string {
  return roles.length === 0 ? 'No roles.' : roles.join('\n')
}

export function renderPermissions(permissions: readonly PermissionView[], view: View): string {
  return table(
    view,
    permissions,
    [
      { title: 'may', cell: ({ kind }) => kind },
      { title: 'keys', cell: ({ keys }) => keys, canShrink: true },
    ],
    'It allows nothing.',
  )
}
