import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Role } from '../../core/contracts/operation.ts'

const RANK: Record<Role, number> = { viewer: 0, operator: 1, approver: 2, admin: 3 }

export function mayAct(has: Role, needs: Role): boolean {
  return RANK[has] >= RANK[needs]
}

export interface Caller {
  actor: string
  role: Role
}

interface StoredToken {
  name: string
  role: Role
  /** SHA-256 of the token, hex */
  hash: string
}

/** Bearer tokens of the TCP listener, kept as hashes in `keys/tokens.json` (0600). */
export interface TokenStore {
  /** Makes a token and gives it once. */
  issue: (name: string, role: Role) => string
  find: (token: string) => Caller | null
}

export function openTokens(keysDir: string): TokenStore {
  const file = join(keysDir, 'tokens.json')
  const read = (): StoredToken[] => (existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as StoredToken[]) : [])
  const digest = (token: string): Buffer => createHash('sha256').update(token).digest()
  return {
    issue: (name, role) => {
      mkdirSync(keysDir, { recursive: true, mode: 0o700 })
      const token = `muster_${randomBytes(24).toString('base64url')}`
      const kept = read().filter((stored) => stored.name !== name)
      writeFileSync(file, JSON.stringify([...kept, { name, role, hash: digest(token).toString('hex') }]), { mode: 0o600 })
      return token
    },
    find: (token) => {
      const hash = digest(token)
      const stored = read().find((candidate) => timingSafeEqual(Buffer.from(candidate.hash, 'hex'), hash))
      return stored ? { actor: `token:${stored.name}`, role: stored.role } : null
    },
  }
}
