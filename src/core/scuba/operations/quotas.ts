import { z } from 'zod'
import { defineAction, defineCommand } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { goodTokens } from '../../delos/queries.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { QuotaRemoved, QuotaSet } from '../entries/quotas.ts'
import { nearNames } from '../names.ts'
import { quotaKindSchema, quotaSchema, whyNoQuota, type Quota } from '../quota/quota.ts'
import { storedQuotas, type StoredQuota } from '../registry-state.ts'
import { isTable, unknownTable } from './tables.ts'

const quota = quotaSchema.extend({ setAtMs: z.number(), setBy: z.string() })

export const scubaQuotaPut = defineCommand({
  name: 'scuba.quota.put',
  summary: 'Set how many bytes a second may come in with a token, or for a table; what is beyond is refused for now.',
  danger: 'medium',
  input: quotaSchema.extend({
    /** without it what comes in ten seconds */
    burstBytes: quotaSchema.shape.burstBytes.optional(),
  }),
  output: quota,
  decide: (db, { kind, name, bytesPerSecond, burstBytes = bytesPerSecond * 10 }, { soft }) => {
    const refusal = kind === 'table' ? whyNotTable(db, name, soft) : whyNotToken(db, name)
    if (refusal !== null) return refusal
    return {
      entries: [QuotaSet.of({ kind, name, bytesPerSecond, burstBytes })],
      reply: (after) => find(after, kind, name) as StoredQuota,
    }
  },
})

const find = (db: ReadDb, kind: Quota['kind'], name: string): StoredQuota | undefined =>
  storedQuotas(db).find((each) => each.kind === kind && each.name === name)

function whyNotTable(db: ReadDb, table: string, soft: unknown): MusterError | null {
  const why = whyNoQuota(table)
  if (why !== null) return refuse('USAGE', `${table} can have no quota: ${why}`, { hint: 'Set one of the token that sends it.' })
  return isTable(db, table, soft) ? null : unknownTable(db, table, soft)
}

function whyNotToken(db: ReadDb, token: string): MusterError | null {
  const names = goodTokens(db).map(({ name }) => name)
  if (names.includes(token)) return null
  const near = nearNames(token, names)
  return refuse('NOT_FOUND', `there is no token ${token}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`, {
    hint: 'List them with `muster token ls`.',
    details: { near },
  })
}

export const scubaQuotaList = defineAction({
  name: 'scuba.quota.list',
  summary: 'List the quotas, with what came in and what was refused since the leaves started.',
  isMutation: false,
  input: z.object({}),
  output: z.object({
    quotas: z.array(
      quota.extend({
        takenBytes: z.number(),
        /** of refused bodies, which are not read, the rows are not known */
        refusedRequests: z.number(),
        refusedBytes: z.number(),
      }),
    ),
  }),
})

export const scubaQuotaRm = defineCommand({
  name: 'scuba.quota.rm',
  summary: 'Remove a quota: the token or the table may send as much as the store can take.',
  danger: 'medium',
  input: z.object({ kind: quotaKindSchema, name: z.string() }),
  output: z.object({ kind: quotaKindSchema, name: z.string() }),
  decide: (db, { kind, name }) => {
    if (find(db, kind, name) === undefined)
      return refuse('NOT_FOUND', `the ${kind} ${name} has no quota`, { hint: 'List quotas with `muster scuba quota list`.' })
    return { entries: [QuotaRemoved.of({ kind, name })], reply: () => ({ kind, name }) }
  },
})
