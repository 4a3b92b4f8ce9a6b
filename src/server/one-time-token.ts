import { createHash, randomBytes } from 'node:crypto'
import { formatJoinToken } from '../core/contracts/join-token.ts'
import { MusterError } from '../core/kernel/errors.ts'
import { canonicalJson } from '../core/kernel/json.ts'
import type { Authority } from './delos/membership/authority.ts'
import { hashOfSecret } from './delos/membership/let-in.ts'
import type { Wiring } from './host.ts'

export interface TokenIssuer {
  authority: Authority
  /** 16 hex digits */
  cluster: string
  /** position after the last entry */
  position: () => number
  /** Makes the port that whoever joins comes to reachable, and gives `HOST:PORT`. */
  open: () => Promise<string>
  /** Logs that the secret of this hash is good to join with; gives until when. */
  issue: (token: { hash: string; ttlMs: number; uses: number }, actor: string) => Promise<{ until: number }>
  /** of the entry that says so, and the table it writes */
  entry: string
  table: string
  /** before the token */
  prefix: string
}

interface Wanted {
  ttlMs: number
  uses: number
}

/** Carries the making of a token to join with out. The secret is in the answer and nowhere else. */
export function tokenAction(issuer: TokenIssuer): NonNullable<Wiring['plannedActions']>[string] {
  const { authority, cluster, position, open, issue, prefix } = issuer
  return async (input, { actor }, { isPlan, apply }) => {
    const { ttlMs, uses } = input as Wanted
    const plan = planOf(issuer, { ttlMs, uses }, position())
    if (isPlan) return { value: null, plan }
    if (apply !== undefined && apply.split('-')[1] !== plan.id.split('-')[1])
      throw new MusterError('PLAN_STALE', `what plan ${apply} says is not what is asked for; it would be ${plan.id}`)
    // First what may fail: a token that leads nowhere is not logged.
    const [fingerprint, address] = [await authority.fingerprint(), await open()]
    const secret = randomBytes(32).toString('base64url')
    const hash = hashOfSecret(secret)
    const { until } = await issue({ hash, ttlMs, uses }, actor)
    const token = prefix + formatJoinToken({ cluster, address, fingerprint, secret })
    return { value: { token, id: hash.slice(0, 8), uses, until, address }, plan: null }
  }
}

/** The secret is made when the plan is applied, so its hash is no part of it. */
function planOf({ entry, table }: TokenIssuer, body: Wanted, position: number) {
  const id = createHash('sha256').update(canonicalJson(body)).digest('hex').slice(0, 16)
  return {
    id: `p${position}-${id}`,
    position,
    entries: [{ type: entry, body }],
    changes: [{ table, op: 'insert' as const, before: null, after: { uses: body.uses, used: 0, ttl_ms: body.ttlMs } }],
  }
}
