import { z } from 'zod'

export const KEY_CHARS_MAX = 4096
/** etcd's default limit of a request is 1.5 MiB. */
export const VALUE_CHARS_MAX = 1_500_000
export const LEASE_TTL_MIN_MS = 1000
export const LEASE_TTL_MAX_MS = 365 * 86_400_000

export const keySchema = z.string().min(1, 'a key is not empty').max(KEY_CHARS_MAX)
export const valueSchema = z.string().max(VALUE_CHARS_MAX)
/** hexadecimal, up to 64 bits: never a JS number */
export const leaseIdSchema = z.string().regex(/^[0-9a-f]{1,16}$/, 'a lease id is hexadecimal')
export const revisionSchema = z.number().int().nonnegative()
/** a name that scopes and locks are kept under; `/` separates its parts */
export const lockNameSchema = z.string().min(1).max(512)

/** A key as it stands at some revision, in etcd's words. */
export const kvSchema = z.object({
  key: z.string(),
  value: z.string(),
  create_revision: revisionSchema,
  mod_revision: revisionSchema,
  /** changes since it was created; 1 after creation */
  version: z.number().int(),
  lease: leaseIdSchema.nullable(),
})
export type Kv = z.output<typeof kvSchema>

export const txnOpSchema = z.discriminatedUnion('op', [
  z.object({ op: z.literal('put'), key: keySchema, value: valueSchema, lease: leaseIdSchema.nullable() }),
  /** `end` null: that key; else every key in [key, end); `\0`: every key from `key` on */
  z.object({ op: z.literal('delete'), key: keySchema, end: z.string().nullable() }),
])
export type TxnOp = z.output<typeof txnOpSchema>

export const scopeSchema = z.string().min(1).max(512)
export const scopeLockSchema = z.object({
  scope: scopeSchema,
  /** who holds it, e.g. `deploy:web-3` */
  holder: z.string().min(1).max(256),
  /** log time in ms after which it is free */
  until: z.number().int(),
})
export type ScopeLock = z.output<typeof scopeLockSchema>
