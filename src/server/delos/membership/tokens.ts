import { createHash, randomBytes } from 'node:crypto'
import type { z } from 'zod'
import { formatJoinToken } from '../../../core/contracts/join-token.ts'
import { memberIssue, type memberToken } from '../../../core/delos/operations.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { canonicalJson } from '../../../core/kernel/json.ts'
import type { ServerHost, Wiring } from '../../host.ts'
import type { Identity } from '../../state/identity.ts'
import type { Authority } from './authority.ts'
import { hashOfSecret } from './let-in.ts'

export interface TokenIssuer {
  authority: Authority
  identity: Identity
  run: ServerHost['run']
  /** position after the last entry */
  position: () => number
  /** Makes the port for other servers reachable, and gives `HOST:PORT` where they reach it. */
  open: () => Promise<string>
}

type Wanted = z.output<typeof memberToken.input>
type Issued = z.input<typeof memberToken.output>

/** Carries `delos.member.token` out. The secret is in the answer and nowhere else. */
export function createTokenAction(issuer: TokenIssuer): NonNullable<Wiring['plannedActions']>[string] {
  return async (input, { actor }, { isPlan, apply }) => {
    const wanted = input as Wanted
    const plan = planOf(wanted, issuer.position())
    if (isPlan) return { value: null, plan }
    if (apply !== undefined && apply.split('-')[1] !== plan.id.split('-')[1])
      throw new MusterError('PLAN_STALE', `what plan ${apply} says is not what is asked for; it would be ${plan.id}`)
    return { value: await issue(issuer, wanted, actor), plan: null }
  }
}

async function issue({ authority, identity, run, open }: TokenIssuer, { ttlMs, uses }: Wanted, actor: string): Promise<Issued> {
  // First what may fail: a token that leads nowhere is not logged.
  const [fingerprint, address] = [await authority.fingerprint(), await open()]
  const secret = randomBytes(32).toString('base64url')
  const hash = hashOfSecret(secret)
  const { until } = await run(memberIssue, { hash, ttlMs, uses }, actor)
  return { token: formatJoinToken({ cluster: identity.cluster, address, fingerprint, secret }), id: hash.slice(0, 8), uses, until, address }
}

/** The secret is made when the plan is applied, so its hash is no part of it. */
function planOf({ ttlMs, uses }: Wanted, position: number) {
  const body = { ttlMs, uses }
  const id = createHash('sha256').update(canonicalJson(body)).digest('hex').slice(0, 16)
  return {
    id: `p${position}-${id}`,
    position,
    entries: [{ type: 'delos.JoinTokenIssued', body }],
    changes: [{ table: 'delos_token', op: 'insert' as const, before: null, after: { uses, used: 0, ttl_ms: ttlMs } }],
  }
}
