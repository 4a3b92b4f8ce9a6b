import { z } from 'zod'
import { defineAction } from '../../contracts/operation.ts'
import { leaseIdSchema, ttlSchema } from '../schema.ts'

export const leaseGrant = defineAction({
  name: 'delos.lease.grant',
  summary: 'Grant a lease: keys put under it go when it ends.',
  isMutation: true,
  hasPlan: true,
  input: z.object({ ttlMs: ttlSchema, id: leaseIdSchema.optional() }),
  output: z.object({ id: leaseIdSchema, ttlMs: z.number() }),
})

/** Soft: the renewal is remembered by the server, not logged; after its restart every lease has its full time again. */
export const leaseKeepalive = defineAction({
  name: 'delos.lease.keepalive',
  summary: 'Renew a lease for its full time.',
  isMutation: true,
  input: z.object({ id: leaseIdSchema }),
  output: z.object({ id: leaseIdSchema, ttlMs: z.number() }),
})

export const leaseRevoke = defineAction({
  name: 'delos.lease.revoke',
  summary: 'End a lease and delete its keys, in one revision.',
  isMutation: true,
  hasPlan: true,
  input: z.object({ id: leaseIdSchema }),
  output: z.object({ id: leaseIdSchema, deleted: z.number().int() }),
})

const leaseSchema = z.object({
  id: leaseIdSchema,
  ttlMs: z.number(),
  /** until it ends, unless it is renewed; whole seconds */
  remainingMs: z.number(),
  keys: z.array(z.string()),
})

export const leaseShow = defineAction({
  name: 'delos.lease.show',
  summary: 'Show a lease: its time, what is left of it, and its keys.',
  isMutation: false,
  input: z.object({ id: leaseIdSchema }),
  output: leaseSchema,
})

/** Leases of one list; each costs a question of its own. */
export const LEASES_MAX = 1000

export const leaseList = defineAction({
  name: 'delos.lease.ls',
  summary: 'List leases and the keys that hang on them.',
  isMutation: false,
  input: z.object({ limit: z.number().int().min(1).max(LEASES_MAX).default(LEASES_MAX) }),
  output: z.object({ leases: z.array(leaseSchema), more: z.boolean() }),
})

export const leaseOperations = [leaseGrant, leaseKeepalive, leaseRevoke, leaseShow, leaseList]
