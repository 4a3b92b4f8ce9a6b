import { z } from 'zod'
import { defineAction, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import type { CanarySoft } from '../config/canary.ts'
import { lineDiff } from '../config/line-diff.ts'
import type { ConfigReader } from '../config/readers.ts'
import { configRow, unknownConfig, versionFor, versionRow, type ConfigRow, type ConfigVersionRow } from '../config/rows.ts'
import { configNameSchema, configVersionSchema, verdictSchema, versionStateSchema } from '../config/schema.ts'

const canaryAnswer = z.object({
  version: configVersionSchema,
  sharePpm: z.number().int(),
  /** log time in ms */
  until: z.number().int(),
})

function canaryOf(row: ConfigRow): z.output<typeof canaryAnswer> | null {
  const { proposed, canary_ppm: sharePpm, canary_until: until } = row
  return proposed === null || sharePpm === null || until === null ? null : { version: proposed, sharePpm, until }
}

export const configGet = defineQuery({
  name: 'delos.config.get',
  summary: 'Read a configuration, as a reader gets it or in one version.',
  input: z.object({
    name: configNameSchema,
    /** what tells this reader from others, e.g. its host: a share of them gets a version on trial; absent: the active one */
    reader: z.string().min(1).max(512).optional(),
    version: configVersionSchema.optional(),
  }),
  output: z.object({
    name: z.string(),
    version: configVersionSchema,
    state: versionStateSchema,
    service: z.string().nullable(),
    author: z.string(),
    at: z.number().int(),
    schema: z.string().nullable(),
    body: z.string(),
    canary: canaryAnswer.nullable(),
  }),
  answer: (db, { name, reader, version }) => {
    const row = configRow(db, name)
    if (row === null) return unknownConfig(name)
    const wanted = version ?? versionFor(row, reader ?? null)
    const found = wanted === null ? null : versionRow(db, name, wanted)
    if (found === null) return unknownConfig(name, wanted ?? undefined)
    const { state, author, at, schema, body } = found
    return { name, version: found.version, state, service: row.service, author, at, schema, body, canary: canaryOf(row) }
  },
})

const LIMIT_MAX = 10_000

export const configList = defineQuery({
  name: 'delos.config.ls',
  summary: 'List configurations: active version, size, who set it, what is on trial.',
  input: z.object({ prefix: z.string().default('') }),
  output: z.object({
    configs: z.array(
      z.object({
        name: z.string(),
        service: z.string().nullable(),
        version: configVersionSchema.nullable(),
        bytes: z.number().int(),
        author: z.string(),
        at: z.number().int(),
        hasSchema: z.boolean(),
        canary: canaryAnswer.nullable(),
      }),
    ),
  }),
  answer: (db, { prefix }) => {
    const rows = db.all<ConfigRow & Pick<ConfigVersionRow, 'bytes' | 'author' | 'at'> & { has_schema: number }>(
      `SELECT c.*, v.bytes, v.author, v.at, v.schema IS NOT NULL AS has_schema FROM delos_config c
       JOIN delos_config_version v ON v.name = c.name AND v.version = coalesce(c.active, c.proposed)
       WHERE substr(c.name, 1, length(?)) = ? ORDER BY c.name LIMIT ${LIMIT_MAX}`,
      prefix,
      prefix,
    )
    return {
      configs: rows.map((row) => ({
        name: row.name,
        service: row.service,
        version: row.active,
        bytes: row.bytes,
        author: row.author,
        at: row.at,
        hasSchema: row.has_schema === 1,
        canary: canaryOf(row),
      })),
    }
  },
})

export const configHistory = defineQuery({
  name: 'delos.config.history',
  summary: 'List the versions of a configuration, the newest first.',
  input: z.object({ name: configNameSchema, limit: z.number().int().min(1).max(1000).default(100) }),
  output: z.object({
    name: z.string(),
    versions: z.array(
      z.object({
        version: configVersionSchema,
        state: versionStateSchema,
        author: z.string(),
        at: z.number().int(),
        /** when it was activated or rolled back; log time in ms */
        decidedAt: z.number().int().nullable(),
        verdict: verdictSchema.nullable(),
        reason: z.string().nullable(),
        bytes: z.number().int(),
        hasSchema: z.boolean(),
      }),
    ),
  }),
  answer: (db, { name, limit }) => {
    if (configRow(db, name) === null) return unknownConfig(name)
    const rows = db.all<Omit<ConfigVersionRow, 'name' | 'replaced' | 'schema' | 'body'> & { has_schema: number }>(
      `SELECT version, state, author, at, decided_at, verdict, reason, bytes, schema IS NOT NULL AS has_schema
       FROM delos_config_version WHERE name = ? ORDER BY version DESC LIMIT ?`,
      name,
      limit,
    )
    const versions = rows.map(({ decided_at: decidedAt, has_schema: has, ...row }) => ({ ...row, decidedAt, hasSchema: has === 1 }))
    return { name, versions }
  },
})

export const configDiff = defineQuery({
  name: 'delos.config.diff',
  summary: 'Show what differs between two versions of a configuration.',
  input: z.object({
    name: configNameSchema,
    /** absent: the version `to` took or would take the place of */
    from: configVersionSchema.optional(),
    /** absent: the version on trial, else the active one */
    to: configVersionSchema.optional(),
  }),
  output: z.object({
    name: z.string(),
    /** null: nothing was before */
    from: configVersionSchema.nullable(),
    to: configVersionSchema,
    hunks: z.array(
      z.object({
        fromLine: z.number().int(),
        toLine: z.number().int(),
        lines: z.array(z.object({ sign: z.enum([' ', '+', '-']), text: z.string() })),
      }),
    ),
  }),
  answer: (db, input) => {
    const row = configRow(db, input.name)
    if (row === null) return unknownConfig(input.name)
    const to = input.to ?? row.proposed ?? row.active
    const after = to === null ? null : versionRow(db, input.name, to)
    if (after === null) return unknownConfig(input.name, to ?? undefined)
    const from = input.from ?? before(db, row, after)
    const base = from === null ? null : versionRow(db, input.name, from)
    if (from !== null && base === null) return unknownConfig(input.name, from)
    return { name: input.name, from, to: after.version, hunks: lineDiff(base?.body ?? '', after.body) }
  },
})

/** What a version is to be compared with: what it replaced, or what is active while it has replaced nothing. */
function before(db: ReadDb, row: ConfigRow, version: ConfigVersionRow): number | null {
  if (version.replaced !== null) return versionRow(db, row.name, version.replaced) === null ? null : version.replaced
  return row.active === version.version ? null : row.active
}

const count = z.number().int().min(0)
const ms = z.number().int()

export const configReaders = defineAction({
  name: 'delos.config.readers',
  summary: 'Show who reads a configuration, in which version, and what is seen of one on trial.',
  isMutation: false,
  input: z.object({
    /** absent: counts of all configurations */
    name: configNameSchema.optional(),
  }),
  output: z.object({
    /** since when readers are noted: the server that leads knows those who read since then */
    sinceMs: ms,
    configs: z.array(
      z.object({
        name: z.string(),
        active: configVersionSchema.nullable(),
        /** versions that readers were given last */
        versions: z.array(z.object({ version: configVersionSchema, readers: count, lastMs: ms })),
        /** of the one that was asked for, by name */
        readers: z.array(z.object({ reader: z.string(), version: configVersionSchema, sinceMs: ms, lastMs: ms })),
        trial: canaryAnswer
          .extend({
            /** null: it cannot tell, or not yet */
            verdict: verdictSchema.nullable(),
            text: z.string(),
          })
          .nullable(),
      }),
    ),
  }),
})

export type ConfigReadersAnswer = z.input<typeof configReaders.output>

/** The answer to {@link configReaders} about one configuration. */
export function readersAnswer(
  row: ConfigRow,
  read: readonly ConfigReader[],
  isWhole: boolean,
  opinion: CanarySoft['opinion'],
): ConfigReadersAnswer['configs'][number] {
  const versions = new Map<number, { version: number; readers: number; lastMs: number }>()
  for (const { version, lastMs } of read) {
    const known = versions.get(version) ?? { version, readers: 0, lastMs: 0 }
    versions.set(version, { version, readers: known.readers + 1, lastMs: Math.max(known.lastMs, lastMs) })
  }
  const canary = canaryOf(row)
  const word = canary && opinion(row.name, canary.version)
  return {
    name: row.name,
    active: row.active,
    versions: [...versions.values()].toSorted((a, b) => b.version - a.version),
    readers: isWhole ? [...read] : [],
    trial: canary && { ...canary, verdict: word?.verdict ?? null, text: word?.text ?? 'nothing is seen of it yet' },
  }
}

export const configLookOperations = [configGet, configList, configHistory, configDiff, configReaders]
