import { createHash, randomBytes } from 'node:crypto'
import { parseAddress } from '../../../core/contracts/join-token.ts'
import { joinRequestSchema, type JoinAnswer } from '../../../core/delos/member/schema.ts'
import { memberJoin } from '../../../core/delos/operations.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { ServerHost } from '../../host.ts'
import type { Identity } from '../../state/identity.ts'
import type { Authority } from './authority.ts'
import type { Registers } from './joined.ts'

/** A server that was let in, to be made a member. */
export interface NewMember {
  /** 16 hex digits */
  server: string
  name: string
  /** where others reach it, `HOST:PORT` */
  address: string
  /** a voter as soon as it has caught up; else a learner */
  isVoter: boolean
}

export interface HostSide {
  authority: Authority
  identity: Identity
  /** runs operations on control */
  run: ServerHost['run']
  /** ids that were removed, 16 hex digits each */
  removed: () => readonly string[]
  /**
   * Makes it a member of both logs, and gives their registers as they are then. Is called again for the same server when the exchange is
   * tried again; the address may be another one then.
   */
  addMember: (member: NewMember) => Promise<Registers>
}

/** SHA-256 of a token's secret, hex: all that the cluster keeps of it. */
export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/**
 * The host's side of the join exchange: checks the request and uses up the token, makes the server a member, signs its certificate. Asked again with the same
 * key and token it gives the same answer and uses nothing up. Rejects with USAGE, DELOS_TOKEN_…, DELOS_MEMBER_REMOVED, or with what
 * stops the member from being added.
 */
export async function letIn(request: unknown, { authority, identity, run, removed, addMember }: HostSide): Promise<JoinAnswer> {
  const parsed = joinRequestSchema.safeParse(request)
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'it'}: ${issue.message}`)
    throw new MusterError('USAGE', `the request to join is not of the known form: ${issues.join('; ')}`, {
      hint: 'Join with the version of muster that the cluster has.',
    })
  }
  const { secret, csr, name, address, isVoter } = parsed.data
  const proposed = { server: randomBytes(8).toString('hex'), name, key: await authority.keyOf(csr), ...authority.fresh() }
  const asked = { ...proposed, token: hashOfSecret(secret), address, isVoter, removed: [...removed()] }
  const { isNew: _, ...issued } = await run(memberJoin, asked, `server:${name}`)
  const registers = await addMember({ server: issued.server, name, address, isVoter })
  const { certificate: ca, key: caKey } = await authority.pair()
  const certificate = await authority.sign(csr, issued, [parseAddress(address)?.host ?? ''])
  return { cluster: identity.cluster, server: issued.server, certificate, ca, caKey, registers }
}
