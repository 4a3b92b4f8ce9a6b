import { z } from 'zod'
import { defineAction, defineCommand, defineQuery } from '../../contracts/operation.ts'
import { refuse } from '../../kernel/errors.ts'
import { allLeases, keysOfLease, leaseOf } from '../kv/read.ts'
import { leaseGranted, leaseRevoked } from '../machine.ts'
import { LEASE_TTL_MAX_MS, LEASE_TTL_MIN_MS, leaseIdSchema } from '../schema.ts'

export const ttlSchema = z.number().int().min(LEASE_TTL_MIN_MS).max(LEASE_TTL_MAX_MS)

/** A new lease is named after the position of the entry that grants it: never used again. */
export function leaseIdAt(position: number): string {
  return position.toString(16)
}

export const leaseGrant = defineCommand({
  name: 'delos.lease.grant',
  summary: 'Grant a lease: keys put under it go when it ends.',
  input: z.object({ ttlMs: ttlSchema, id: leaseIdSchema.optional() }),
  output: z.object({ id: leaseIdSchema, ttlMs: ttlSchema }),
  decide: (db, input, ctx) => {
    const id = input.id ?? leaseIdAt(ctx.position)
    if (leaseOf(db, id) !== null) return refuse('DELOS_CONFLICT', `Lease ${id} exists already.`)
    return { entries: [leaseGranted.of({ id, ttlMs: input.ttlMs })], reply: () => ({ id, ttlMs: input.ttlMs }) }
  },
})

/** Soft: the renewal is remembered by the server, not logged; after its restart every lease has its full time again. */
export const leaseKeepalive = defineAction({
  name: 'delos.lease.keepalive',
  summary: 'Renew a lease for its full time.',
  isMutation: true,
  input: z.object({ id: leaseIdSchema }),
  output: z.object({ id: leaseIdSchema, ttlMs: ttlSchema }),
})

export const leaseRevoke = defineCommand({
  name: 'delos.lease.revoke',
  summary: 'End a lease and delete its keys, in one revision.',
  input: z.object({ id: leaseIdSchema }),
  output: z.object({ id: leaseIdSchema, deleted: z.number().int() }),
  decide: (db, { id }) => {
    if (leaseOf(db, id) === null) return refuse('DELOS_LEASE_UNKNOWN', `There is no lease ${id}.`)
    const deleted = keysOfLease(db, id).length
    return { entries: [leaseRevoked.of({ id })], reply: () => ({ id, deleted }) }
  },
})

export const leaseList = defineQuery({
  name: 'delos.lease.ls',
  summary: 'List leases and the keys that hang on them.',
  input: z.object({}),
  output: z.object({
    leases: z.array(
      z.object({ id: leaseIdSchema, ttlMs: z.number(), grantedAt: z.number(), owner: z.string(), keys: z.array(z.string()) }),
    ),
  }),
  answer: (db) => ({ leases: allLeases(db).map((lease) => ({ ...lease, keys: keysOfLease(db, lease.id) })) }),
})

export const leaseOperations = [leaseGrant, leaseKeepalive, leaseRevoke, leaseList]
