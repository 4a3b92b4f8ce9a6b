import type { Role } from '../../core/contracts/operation.ts'

const RANK: Record<Role, number> = { viewer: 0, operator: 1, approver: 2, admin: 3 }

export function mayAct(has: Role, needs: Role): boolean {
  return RANK[has] >= RANK[needs]
}

export interface Caller {
  actor: string
  role: Role
}

/** Bearer tokens of the TCP listener, kept as hashes. */
export interface TokenStore {
  find: (token: string) => Caller | null
}
