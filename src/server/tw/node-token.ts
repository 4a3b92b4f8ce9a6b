import { createHash, randomBytes } from 'node:crypto'
import type { z } from 'zod'
import { formatJoinToken } from '../../core/contracts/join-token.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { canonicalJson } from '../../core/kernel/json.ts'
import { nodeTokenIssue, type nodeToken } from '../../core/tw/operations.ts'
import { AGENT_TOKEN_PREFIX } from '../../core/contracts/agent-token.ts'
import type { Authority } from '../delos/membership/authority.ts'
import { hashOfSecret } from '../delos/membership/let-in.ts'
import type { ServerHost, Wiring } from '../host.ts'

export interface NodeTokenIssuer {
  authority: Authority
  /** 16 hex digits */
  cluster: string
  run: ServerHost['run']
  /** position after the last entry */
  position: () => number
  /** Opens the port that agents come to, and gives `HOST:PORT`. */
  open: () => Promise<string>
}

type Wanted = z.output<typeof nodeToken.input>

/** Carries `tw.node.token` out. The secret is in the answer and nowhere else. */
export function createNodeTokenAction({
  authority,
  cluster,
  run,
  position,
  open,
}: NodeTokenIssuer): NonNullable<Wiring['plannedActions']>[string] {
  return async (input, { actor }, { isPlan, apply }) => {
    const { ttlMs, uses } = input as Wanted
    const plan = planOf({ ttlMs, uses }, position())
    if (isPlan) return { value: null, plan }
    if (apply !== undefined && apply.split('-')[1] !== plan.id.split('-')[1])
      throw new MusterError('PLAN_STALE', `what plan ${apply} says is not what is asked for; it would be ${plan.id}`)
    // First what may fail: a token that leads nowhere is not logged.
    const [fingerprint, address] = [await authority.fingerprint(), await open()]
    const secret = randomBytes(32).toString('base64url')
    const hash = hashOfSecret(secret)
    const { until } = await run(nodeTokenIssue, { hash, ttlMs, uses }, actor)
    const token = AGENT_TOKEN_PREFIX + formatJoinToken({ cluster, address, fingerprint, secret })
    return { value: { token, id: hash.slice(0, 8), uses, until, address }, plan: null }
  }
}

/** The secret is made when the plan is applied, so its hash is no part of it. */
function planOf(body: Wanted, position: number) {
  const id = createHash('sha256').update(canonicalJson(body)).digest('hex').slice(0, 16)
  return {
    id: `p${position}-${id}`,
    position,
    entries: [{ type: 'tw.NodeTokenIssued', body }],
    changes: [{ table: 'tw_node_token', op: 'insert' as const, before: null, after: { uses: body.uses, used: 0, ttl_ms: body.ttlMs } }],
  }
}
