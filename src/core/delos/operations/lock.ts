import { z } from 'zod'
import { defineAction } from '../../contracts/operation.ts'
import { leaseIdSchema, lockNameSchema, revisionSchema, ttlSchema, valueSchema } from '../schema.ts'

const standingSchema = z.object({
  name: z.string(),
  key: z.string(),
  lease: leaseIdSchema,
  ttlMs: z.number(),
  /** fencing token: strictly higher for every later holder */
  token: revisionSchema,
  isHeld: z.boolean(),
  /** contenders before this one */
  ahead: z.number().int(),
  /** what the present holder wrote of itself, else its key */
  holder: z.string(),
})

export const lockAcquire = defineAction({
  name: 'delos.lock.acquire',
  summary: 'Take a lock, or a place in its queue, under a lease.',
  isMutation: true,
  input: z.object({
    name: lockNameSchema,
    ttlMs: ttlSchema.default(15_000),
    /** without it a new one; asking again with the same lease keeps the place */
    lease: leaseIdSchema.optional(),
    /** who takes it, for others to read */
    value: valueSchema.max(4096).default(''),
    /** content to share it with others who share it */
    isShared: z.boolean().default(false),
    /** a lost lease is to be followed by a delay: see `delos.lock.delay` */
    isDelayed: z.boolean().default(false),
  }),
  output: standingSchema,
})

export const lockDelay = defineAction({
  name: 'delos.lock.delay',
  summary: 'Have a lock that is held stay taken for a while after its lease is lost, by a longer lease that is kept alive beside it.',
  isMutation: true,
  input: z.object({
    name: lockNameSchema,
    /** by which it is held; it was asked for with `isDelayed` */
    lease: leaseIdSchema,
    isShared: z.boolean().default(false),
    token: revisionSchema,
    /** its time is that of `lease` and the delay */
    delayLease: leaseIdSchema,
  }),
  output: z.object({ name: z.string(), delayLease: leaseIdSchema }),
})

export const lockStanding = defineAction({
  name: 'delos.lock.standing',
  summary: 'Say where a contender for a lock stands.',
  isMutation: false,
  input: z.object({ name: lockNameSchema, lease: leaseIdSchema, isShared: z.boolean().default(false) }),
  output: standingSchema,
})

export const lockRelease = defineAction({
  name: 'delos.lock.release',
  summary: "Take a lock away from who holds it: the holder's lease ends, the next in the queue gets it.",
  role: 'admin',
  danger: 'high',
  isMutation: true,
  hasPlan: true,
  confirmName: ({ name }) => name,
  input: z.object({ name: lockNameSchema }),
  output: z.object({
    name: z.string(),
    /** whom it was taken from; several if they shared it */
    released: z.array(z.object({ key: z.string(), token: revisionSchema })),
    next: z.string().nullable(),
  }),
})

const contenderSchema = z.object({
  key: z.string(),
  token: revisionSchema,
  /** null: a key without a lease, which nobody's death removes */
  lease: leaseIdSchema.nullable(),
  /** what it wrote of itself; empty for etcdctl's */
  value: z.string(),
  isShared: z.boolean(),
})

const lockSchema = z.object({ name: z.string(), holders: z.array(contenderSchema), waiting: z.array(contenderSchema) })
export type LockView = z.output<typeof lockSchema>

export const lockShow = defineAction({
  name: 'delos.lock.show',
  summary: 'Show a lock: who holds it, with which token, and who waits, in order.',
  isMutation: false,
  input: z.object({ name: lockNameSchema }),
  output: lockSchema,
})

export const lockList = defineAction({
  name: 'delos.lock.ls',
  summary: 'List locks: holder, token and who waits.',
  isMutation: false,
  input: z.object({ prefix: z.string().max(512).default('') }),
  output: z.object({ locks: z.array(lockSchema) }),
})

export const lockOperations = [lockAcquire, lockDelay, lockStanding, lockRelease, lockShow, lockList]
