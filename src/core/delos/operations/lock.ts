import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { refuse } from '../../kernel/errors.ts'
import { currentKv, leaseOf } from '../kv/read.ts'
import { kvTxn, leaseGranted, leaseRevoked } from '../machine.ts'
import { contenders, lockKey, locks } from '../recipes/lock.ts'
import { leaseIdSchema, lockNameSchema, revisionSchema } from '../schema.ts'
import { leaseIdAt, ttlSchema } from './lease.ts'

const standingSchema = z.object({
  name: z.string(),
  key: z.string(),
  lease: leaseIdSchema,
  ttlMs: ttlSchema,
  /** fencing token: strictly higher for every later holder */
  token: revisionSchema,
  isHeld: z.boolean(),
  /** contenders before this one */
  ahead: z.number().int(),
  /** key of the present holder */
  holder: z.string(),
})

/** Where a contender stands, or null if its key or its lease is gone. */
function standing(db: ReadDb, name: string, leaseId: string): z.output<typeof standingSchema> | null {
  const key = lockKey(name, leaseId)
  const lease = leaseOf(db, leaseId)
  const kv = currentKv(db, key)
  if (lease === null || kv === null) return null
  const all = contenders(db, name)
  const ahead = all.findIndex((other) => other.key === key)
  return {
    name,
    key,
    lease: leaseId,
    ttlMs: lease.ttlMs,
    token: kv.create_revision,
    isHeld: ahead === 0,
    ahead,
    holder: all[0]?.key ?? key,
  }
}

export const lockAcquire = defineCommand({
  name: 'delos.lock.acquire',
  summary: 'Take a lock, or a place in its queue, under a lease.',
  input: z.object({
    name: lockNameSchema,
    ttlMs: ttlSchema.default(15_000),
    lease: leaseIdSchema.optional(),
    value: z.string().max(4096).default(''),
  }),
  output: standingSchema,
  decide: (db, input, ctx) => {
    if (input.lease !== undefined && leaseOf(db, input.lease) === null)
      return refuse('DELOS_LEASE_UNKNOWN', `There is no lease ${input.lease}.`)
    const lease = input.lease ?? leaseIdAt(ctx.position)
    const key = lockKey(input.name, lease)
    const reply = (after: ReadDb): z.output<typeof standingSchema> => must(standing(after, input.name, lease), 'the place just taken')
    // Asking again with the same lease keeps the place, so a lost answer can be retried.
    if (currentKv(db, key) !== null) return { entries: [], reply }
    const grant = input.lease === undefined ? [leaseGranted.of({ id: lease, ttlMs: input.ttlMs })] : []
    return { entries: [...grant, kvTxn.of({ ops: [{ op: 'put', key, value: input.value, lease }] })], reply }
  },
})

export const lockStanding = defineQuery({
  name: 'delos.lock.standing',
  summary: 'Say where a contender for a lock stands.',
  input: z.object({ name: lockNameSchema, lease: leaseIdSchema }),
  output: standingSchema,
  answer: (db, { name, lease }) =>
    standing(db, name, lease) ?? refuse('DELOS_LEASE_UNKNOWN', `Lease ${lease} has no place at the lock ${name} any more.`),
})

export const lockRelease = defineCommand({
  name: 'delos.lock.release',
  summary: "Take a lock away from its holder: the holder's lease ends, the next in the queue gets it.",
  role: 'admin',
  danger: 'high',
  confirmName: ({ name }) => name,
  input: z.object({ name: lockNameSchema }),
  output: z.object({ name: z.string(), key: z.string(), token: revisionSchema, next: z.string().nullable() }),
  decide: (db, { name }) => {
    const [holder, next] = contenders(db, name)
    if (holder === undefined || holder.lease === null) return refuse('DELOS_LOCK_UNKNOWN', `Nobody holds the lock ${name}.`)
    const released = { name, key: holder.key, token: holder.create_revision, next: next?.key ?? null }
    return { entries: [leaseRevoked.of({ id: holder.lease })], reply: () => released }
  },
})

export const lockList = defineQuery({
  name: 'delos.lock.ls',
  summary: 'List locks: holder, token and who waits.',
  input: z.object({ prefix: z.string().default('') }),
  output: z.object({
    locks: z.array(
      z.object({
        name: z.string(),
        token: revisionSchema,
        key: z.string(),
        lease: z.string(),
        owner: z.string(),
        value: z.string(),
        /** when the holder's lease was granted, log time in ms */
        since: z.number(),
        waiting: z.array(z.object({ key: z.string(), owner: z.string() })),
      }),
    ),
  }),
  answer: (db, { prefix }) => ({ locks: locks(db, prefix) }),
})

export const lockOperations = [lockAcquire, lockStanding, lockRelease, lockList]
