import { z } from 'zod'
import { defineAction } from '../../contracts/operation.ts'
import { keysFields, kvSchema, leaseIdSchema, revisionSchema, valueSchema } from '../schema.ts'

/*
 * What can be asked of the key-value store; `programs/` says how each is asked of any store with etcd's v3 API.
 */

const LIMIT_MAX = 10_000
export const HISTORY_MAX = 10_000

/** `LOCK:TOKEN`: do it only while this token holds the lock. */
const fenceSchema = z.string().regex(/^.+:\d+$/, 'a fence is LOCK:TOKEN')

const valueFields = { value: valueSchema, isValueBase64: z.boolean().default(false) }

const readFields = {
  ...keysFields,
  /** as it stood then; absent: now */
  revision: revisionSchema.optional(),
  limit: z.number().int().min(1).max(LIMIT_MAX).default(1000),
  isKeysOnly: z.boolean().default(false),
  isCountOnly: z.boolean().default(false),
}

export const kvGet = defineAction({
  name: 'delos.kv.get',
  summary: 'Read a key, or all keys with a prefix, now or at a revision.',
  isMutation: false,
  input: z.object({
    ...readFields,
    /** a key of before: go on behind it; with that answer's `revision`, pages show one state */
    after: keysFields.key.optional(),
    isAfterBase64: z.boolean().default(false),
    /** from the server that is asked, as it knows it, instead of as of everything acknowledged before */
    isSerializable: z.boolean().default(false),
  }),
  output: z.object({
    revision: revisionSchema,
    /** all of them, behind `after` */
    count: z.number().int(),
    /** others follow: behind `limit`, or because the values are some mebibytes already */
    more: z.boolean(),
    kvs: z.array(kvSchema),
  }),
})

const conditions = {
  /** only if this is its mod_revision; 0: only if the key does not exist */
  expect: revisionSchema.optional(),
  fence: fenceSchema.optional(),
}

export const kvPut = defineAction({
  name: 'delos.kv.put',
  summary: 'Set a key.',
  isMutation: true,
  hasPlan: true,
  input: z.object({
    key: keysFields.key,
    isKeyBase64: keysFields.isKeyBase64,
    ...valueFields,
    lease: leaseIdSchema.optional(),
    wantsPrev: z.boolean().default(false),
    ...conditions,
  }),
  output: z.object({ revision: revisionSchema, kv: kvSchema, prev: kvSchema.nullable() }),
})

export const kvDel = defineAction({
  name: 'delos.kv.del',
  summary: 'Delete a key, or all keys with a prefix.',
  isMutation: true,
  hasPlan: true,
  input: z.object({ ...keysFields, wantsPrev: z.boolean().default(false), ...conditions }),
  output: z.object({ revision: revisionSchema, deleted: z.number().int(), prevs: z.array(kvSchema) }),
})

/** One comparison of a transaction; a key that is not there has zeros, and no value. */
const compareSchema = z.object({
  target: z.enum(['value', 'version', 'create', 'mod', 'lease']),
  ...keysFields,
  is: z.enum(['=', '!=', '<', '>']),
  /** a text for `value` and for `lease` (hexadecimal), else a number */
  to: z.union([z.string(), z.number().int()]),
  isToBase64: z.boolean().default(false),
})

const txnOpSchema = z.discriminatedUnion('do', [
  z.object({
    do: z.literal('put'),
    key: keysFields.key,
    isKeyBase64: keysFields.isKeyBase64,
    ...valueFields,
    lease: leaseIdSchema.optional(),
  }),
  z.object({ do: z.literal('get'), ...readFields }),
  z.object({ do: z.literal('del'), ...keysFields }),
])

const OPS_MAX = 128

export const kvTxn = defineAction({
  name: 'delos.kv.txn',
  summary: 'Compare, and do the one or the other, as one revision.',
  isMutation: true,
  hasPlan: true,
  input: z.object({
    /** all of them have to hold for `success` */
    compare: z.array(compareSchema).max(OPS_MAX).default([]),
    success: z.array(txnOpSchema).max(OPS_MAX).default([]),
    failure: z.array(txnOpSchema).max(OPS_MAX).default([]),
  }),
  output: z.object({
    revision: revisionSchema,
    succeeded: z.boolean(),
    /** of what was done, one each, in order */
    answers: z.array(
      z.discriminatedUnion('did', [
        z.object({ did: z.literal('put') }),
        z.object({ did: z.literal('get'), count: z.number().int(), more: z.boolean(), kvs: z.array(kvSchema) }),
        z.object({ did: z.literal('del'), deleted: z.number().int() }),
      ]),
    ),
  }),
})

export const kvCompact = defineAction({
  name: 'delos.kv.compact',
  summary: 'Forget the history of the store before a revision.',
  isMutation: true,
  hasPlan: true,
  danger: 'medium',
  input: z.object({
    revision: revisionSchema.min(1),
    /** answer only once its space is free */
    isPhysical: z.boolean().default(false),
  }),
  output: z.object({ revision: revisionSchema, compacted: revisionSchema }),
})

export const kvHistory = defineAction({
  name: 'delos.kv.history',
  summary: 'List the versions of a key that are kept, the newest last.',
  isMutation: false,
  input: z.object({
    key: keysFields.key,
    isKeyBase64: keysFields.isKeyBase64,
    limit: z.number().int().min(1).max(HISTORY_MAX).default(100),
  }),
  output: z.object({
    revision: revisionSchema,
    /** oldest revision that is kept */
    oldest: revisionSchema,
    versions: z.array(z.object({ type: z.enum(['put', 'delete']), revision: revisionSchema, kv: kvSchema })),
    /** older ones were left out by `limit` */
    more: z.boolean(),
  }),
})

export const LEVEL_MAX = 1000

export const kvLevel = defineAction({
  name: 'delos.kv.level',
  summary: 'List one level of the tree of keys below a prefix, with how many keys are below each.',
  isMutation: false,
  input: z.object({
    /** the prefix, with the separator it ends with; '': the root */
    key: keysFields.key,
    isKeyBase64: keysFields.isKeyBase64,
    separator: z.string().min(1).max(16).default('/'),
    /** a child of before: go on behind it */
    after: keysFields.key.optional(),
    isAfterBase64: z.boolean().default(false),
    limit: z.number().int().min(1).max(LEVEL_MAX).default(200),
  }),
  output: z.object({
    revision: revisionSchema,
    /** keys below the prefix, on all levels */
    count: z.number().int(),
    children: z.array(
      z.object({
        /** whole; of a prefix with the separator */
        key: z.string(),
        isKeyBase64: z.literal(true).optional(),
        isPrefix: z.boolean(),
        /** keys below a prefix; 1 of a key */
        count: z.number().int(),
      }),
    ),
    /** there are others behind */
    more: z.boolean(),
  }),
})

export const kvOperations = [kvGet, kvPut, kvDel, kvTxn, kvCompact, kvHistory, kvLevel]
