import { z } from 'zod'

/** Keys and values in JSON: bytes that are no UTF-8 stand in base64, and a flag beside them says so. */
const KEY_CHARS_MAX = 8192
/** 1.5 MiB, etcd's limit of a request, in base64; the store itself counts the bytes. */
const VALUE_CHARS_MAX = 2_200_000
const LEASE_TTL_MIN_MS = 1000
const LEASE_TTL_MAX_MS = 365 * 86_400_000

export const keySchema = z.string().max(KEY_CHARS_MAX)
export const valueSchema = z.string().max(VALUE_CHARS_MAX)
/** hexadecimal, up to 64 bits: never a JS number */
export const leaseIdSchema = z.string().regex(/^[0-9a-f]{1,16}$/, 'a lease id is hexadecimal')
/** counted in whole seconds: what is between is rounded up */
export const ttlSchema = z.number().int().min(LEASE_TTL_MIN_MS).max(LEASE_TTL_MAX_MS)
export const revisionSchema = z.number().int().nonnegative()
/** a name that scopes and locks are kept under; `/` separates its parts */
export const lockNameSchema = z.string().min(1).max(512)

/** A key as it stands at some revision, in etcd's words. */
export const kvSchema = z.object({
  key: z.string(),
  /** the key is no UTF-8: `key` is its base64 */
  isKeyBase64: z.literal(true).optional(),
  value: z.string(),
  isValueBase64: z.literal(true).optional(),
  create_revision: revisionSchema,
  mod_revision: revisionSchema,
  /** changes since it was created; 1 after creation, 0 once deleted */
  version: z.number().int(),
  lease: leaseIdSchema.nullable(),
})
export type Kv = z.output<typeof kvSchema>

/** Which keys: one, or with `isPrefix` all that start so ('' for all). */
export const keysFields = {
  key: keySchema,
  isKeyBase64: z.boolean().default(false),
  isPrefix: z.boolean().default(false),
}

export const scopeSchema = z.string().min(1).max(512)
export const scopeLockSchema = z.object({
  scope: scopeSchema,
  /** who holds it, e.g. `deploy:web-3` */
  holder: z.string().min(1).max(256),
  /** log time in ms after which it is free */
  until: z.number().int(),
})
export type ScopeLock = z.output<typeof scopeLockSchema>
