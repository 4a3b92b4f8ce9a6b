import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { TO_THE_END, prefixEnd, rangeOf } from '../kv/range.ts'
import { countRange, currentKv, currentRange, leaseOf, rangeAt, revisionOf } from '../kv/read.ts'
import { kvTxn } from '../machine.ts'
import { contenders } from '../recipes/lock.ts'
import { keySchema, kvSchema, leaseIdSchema, revisionSchema, valueSchema } from '../schema.ts'

const LIMIT_MAX = 10_000

/** `LOCK:TOKEN`: do it only while this token holds the lock. */
const fenceSchema = z.string().regex(/^.+:\d+$/, 'a fence is LOCK:TOKEN')

export const kvGet = defineQuery({
  name: 'delos.kv.get',
  summary: 'Read a key, or all keys with a prefix, now or at a revision.',
  input: z.object({
    key: z.string(),
    isPrefix: z.boolean().default(false),
    /** as it stood then; absent: now */
    revision: revisionSchema.optional(),
    limit: z.number().int().min(1).max(LIMIT_MAX).default(1000),
    isKeysOnly: z.boolean().default(false),
    isCountOnly: z.boolean().default(false),
  }),
  output: z.object({ revision: revisionSchema, count: z.number().int(), more: z.boolean(), kvs: z.array(kvSchema) }),
  answer: (db, input) => {
    const range = rangeOf(input.key, input.isPrefix)
    const state = revisionOf(db)
    const at = input.revision ?? state.revision
    if (at > state.revision || (input.revision !== undefined && at < state.compacted)) {
      return refuse('DELOS_REVISION', `Revision ${at} cannot be read: the oldest is ${state.compacted}, the newest ${state.revision}.`)
    }
    if (input.isCountOnly && at === state.revision) return { revision: state.revision, count: countRange(db, range), more: false, kvs: [] }
    const found = at === state.revision ? currentRange(db, range, input.limit + 1) : rangeAt(db, range, at, input.limit + 1)
    const more = found.length > input.limit
    const kvs = found.slice(0, input.limit).map((kv) => (input.isKeysOnly ? { ...kv, value: '' } : kv))
    const count = more && at === state.revision ? countRange(db, range) : found.length
    return { revision: state.revision, count, more, kvs: input.isCountOnly ? [] : kvs }
  },
})

const conditions = {
  /** only if this is its mod_revision; 0: only if the key does not exist */
  expect: revisionSchema.optional(),
  fence: fenceSchema.optional(),
}

/** Why the write must not happen, or null. */
function refusalOf(db: ReadDb, key: string, input: { expect?: number | undefined; fence?: string | undefined }): MusterError | null {
  const found = currentKv(db, key)?.mod_revision ?? 0
  if (input.expect !== undefined && input.expect !== found) {
    const state = found === 0 ? 'does not exist' : `has mod_revision ${found}`
    return refuse('DELOS_CONFLICT', `${key} ${state}, expected ${input.expect === 0 ? 'that it does not exist' : input.expect}.`, {
      details: { key, expected: input.expect, found },
    })
  }
  if (input.fence === undefined) return null
  const at = input.fence.lastIndexOf(':')
  const [name, token] = [input.fence.slice(0, at), Number(input.fence.slice(at + 1))]
  const holder = contenders(db, name)[0]
  if (holder?.create_revision === token) return null
  const who = holder === undefined ? 'nobody holds it' : `token ${holder.create_revision} holds it`
  return refuse('DELOS_FENCED', `Token ${token} does not hold the lock ${name}: ${who}.`, {
    details: { lock: name, token, holder: holder?.create_revision ?? null },
  })
}

export const kvPut = defineCommand({
  name: 'delos.kv.put',
  summary: 'Set a key.',
  input: z.object({
    key: keySchema,
    value: valueSchema,
    lease: leaseIdSchema.optional(),
    wantsPrev: z.boolean().default(false),
    ...conditions,
  }),
  output: z.object({ revision: revisionSchema, kv: kvSchema.nullable(), prev: kvSchema.nullable() }),
  decide: (db, input) => {
    if (input.lease !== undefined && leaseOf(db, input.lease) === null)
      return refuse('DELOS_LEASE_UNKNOWN', `There is no lease ${input.lease}.`)
    const refusal = refusalOf(db, input.key, input)
    if (refusal !== null) return refusal
    const prev = input.wantsPrev ? currentKv(db, input.key) : null
    const op = { op: 'put' as const, key: input.key, value: input.value, lease: input.lease ?? null }
    return {
      entries: [kvTxn.of({ ops: [op] })],
      reply: (after) => ({ revision: revisionOf(after).revision, kv: currentKv(after, input.key), prev }),
    }
  },
})

export const kvDel = defineCommand({
  name: 'delos.kv.del',
  summary: 'Delete a key, or all keys with a prefix.',
  input: z.object({ key: z.string(), isPrefix: z.boolean().default(false), wantsPrev: z.boolean().default(false), ...conditions }),
  output: z.object({ revision: revisionSchema, deleted: z.number().int(), prevs: z.array(kvSchema) }),
  decide: (db, input) => {
    if (input.key === '' && !input.isPrefix) return refuse('USAGE', 'A key is not empty; to delete every key, ask for the prefix "".')
    const refusal = refusalOf(db, input.key, input)
    if (refusal !== null) return refusal
    const range = rangeOf(input.key, input.isPrefix)
    const deleted = countRange(db, range)
    const prevs = input.wantsPrev ? currentRange(db, range, LIMIT_MAX) : []
    const end = input.isPrefix ? (prefixEnd(input.key) ?? TO_THE_END) : null
    return {
      entries: deleted === 0 ? [] : [kvTxn.of({ ops: [{ op: 'delete', key: input.key === '' ? '\0' : input.key, end }] })],
      reply: (after) => ({ revision: revisionOf(after).revision, deleted, prevs }),
    }
  },
})

export const kvOperations = [kvGet, kvPut, kvDel]
