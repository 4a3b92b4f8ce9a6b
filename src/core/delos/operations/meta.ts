import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import { must } from '../../kernel/assert.ts'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { metaDeleted, metaPut } from '../entries/meta.ts'
import { metaRecord, metaRecords } from '../meta/rows.ts'
import {
  labelsSchema,
  META_BODY_CHARS_MAX,
  metaHeadSchema,
  metaKindSchema,
  metaNameSchema,
  metaRecordSchema,
  metaVersionSchema,
  type MetaRecord,
} from '../meta/schema.ts'
import { matches, parseWhere, type Where } from '../meta/where.ts'

const which = { kind: metaKindSchema, name: metaNameSchema }
/** only if this is its version; 0: only if it does not exist */
const expectSchema = z.number().int().min(0).optional()

export const metaPutCommand = defineCommand({
  name: 'delos.meta.put',
  summary: 'Write a metadata record, whole.',
  input: z.object({
    ...which,
    labels: labelsSchema.default({}),
    /** any JSON */
    body: z.unknown().default(null),
    expect: expectSchema,
  }),
  output: metaHeadSchema.extend({ isChanged: z.boolean() }),
  decide: (db, { kind, name, labels, body, expect }) => {
    const before = metaRecord(db, kind, name)
    const conflict = conflictOf(kind, name, expect, before)
    if (conflict !== null) return conflict
    if (JSON.stringify(body).length > META_BODY_CHARS_MAX)
      return refuse('USAGE', `The body of ${kind} ${name} is larger than ${META_BODY_CHARS_MAX} characters of JSON.`)
    const isChanged = before === null || canonicalJson([before.labels, before.body]) !== canonicalJson([labels, body])
    return {
      entries: isChanged ? [metaPut.of({ kind, name, labels, body })] : [],
      reply: (after) => ({ ...headOf(must(metaRecord(after, kind, name), 'the record just written')), isChanged }),
    }
  },
})

export const metaDel = defineCommand({
  name: 'delos.meta.del',
  summary: 'Delete a metadata record.',
  danger: 'medium',
  input: z.object({ ...which, expect: expectSchema }),
  output: z.object({ kind: z.string(), name: z.string(), version: metaVersionSchema }),
  decide: (db, { kind, name, expect }) => {
    const before = metaRecord(db, kind, name)
    const conflict = conflictOf(kind, name, expect, before)
    if (conflict !== null) return conflict
    if (before === null) return unknownRecord(kind, name)
    const answer = { kind, name, version: before.version }
    return { entries: [metaDeleted.of({ kind, name })], reply: () => answer }
  },
})

export const metaGet = defineQuery({
  name: 'delos.meta.get',
  summary: 'Read a metadata record.',
  input: z.object(which),
  output: metaRecordSchema,
  answer: (db, { kind, name }) => metaRecord(db, kind, name) ?? unknownRecord(kind, name),
})

const RECORDS_MAX = 1000
/** Records looked at for one answer; a comparison with bodies has no index. */
const SCAN_MAX = 100_000
const PAGE = 500

export const metaList = defineQuery({
  name: 'delos.meta.ls',
  summary: 'List metadata records.',
  input: z.object({ kind: metaKindSchema.optional(), limit: z.number().int().min(1).max(RECORDS_MAX).default(RECORDS_MAX) }),
  output: z.object({ records: z.array(metaHeadSchema), more: z.boolean() }),
  answer: (db, { kind, limit }) => {
    const found = metaRecords(db, kind ?? null, {}, { kind: '', name: '' }, limit + 1)
    return { records: found.slice(0, limit).map(headOf), more: found.length > limit }
  },
})

export const metaFind = defineQuery({
  name: 'delos.meta.find',
  summary: 'Find metadata records by labels and by what their bodies say.',
  input: z.object({
    kind: metaKindSchema.optional(),
    /** all of them */
    labels: labelsSchema.default({}),
    /** comparisons with the body, e.g. `spec.replicas>=3`; all of them */
    where: z.array(z.string().max(1000)).max(16).default([]),
    limit: z.number().int().min(1).max(RECORDS_MAX).default(100),
  }),
  output: z.object({ records: z.array(metaRecordSchema), more: z.boolean() }),
  answer: (db, { kind, labels, where, limit }) => {
    const wanted: Where[] = []
    for (const text of where) {
      const parsed = parseWhere(text)
      if (isRefusal(parsed)) return parsed
      wanted.push(parsed)
    }
    const records: MetaRecord[] = []
    let after = { kind: '', name: '' }
    for (let scanned = 0; scanned < SCAN_MAX && records.length <= limit; scanned += PAGE) {
      const page = metaRecords(db, kind ?? null, labels, after, PAGE)
      records.push(...page.filter(({ body }) => wanted.every((one) => matches(body, one))))
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) return { records: records.slice(0, limit), more: records.length > limit }
      after = { kind: last.kind, name: last.name }
    }
    return { records: records.slice(0, limit), more: true }
  },
})

function headOf({ kind, name, version, labels, author, at }: MetaRecord): Omit<MetaRecord, 'body'> {
  return { kind, name, version, labels, author, at }
}

function conflictOf(kind: string, name: string, expect: number | undefined, before: MetaRecord | null): MusterError | null {
  const found = before?.version ?? 0
  if (expect === undefined || expect === found) return null
  const state = before === null ? 'does not exist' : `is at version ${found}`
  return refuse('DELOS_CONFLICT', `${kind} ${name} ${state}, expected ${expect === 0 ? 'that it does not exist' : `version ${expect}`}.`, {
    details: { kind, name, expected: expect, found },
  })
}

function unknownRecord(kind: string, name: string): MusterError {
  return refuse('DELOS_META_UNKNOWN', `There is no record ${name} of kind ${kind}.`)
}

export const metaOperations = [metaPutCommand, metaDel, metaGet, metaList, metaFind]
