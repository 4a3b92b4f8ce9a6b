import { z } from 'zod'
import type { Proposal } from '../../contracts/entry.ts'
import { defineCommand } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import { schemaProblem } from '../config/json-schema-form.ts'
import type { JsonSchema } from '../config/json-schema-parts.ts'
import { schemaIssues } from '../config/json-schema.ts'
import { countChanges, lineDiff } from '../config/line-diff.ts'
import { judged } from '../config/judged.ts'
import { configRow, unknownConfig, versionRow, type ConfigRow } from '../config/rows.ts'
import {
  CANARY_MS_DEFAULT,
  CANARY_MS_MAX,
  CANARY_MS_MIN,
  CONFIG_SCHEMA_CHARS_MAX,
  configBodySchema,
  configNameSchema,
  configVersionSchema,
  GOOD_BELOW_PPM_DEFAULT,
  goodBelowSchema,
  verdictSchema,
  versionStateSchema,
} from '../config/schema.ts'
import { configActivated, configProposed, configRolledBack } from '../entries/config.ts'

const setAnswer = z.object({
  name: configNameSchema,
  version: configVersionSchema,
  state: versionStateSchema,
  /** the active version before; null: the name is new */
  previous: configVersionSchema.nullable(),
  /** false: it is what was active already, and nothing was done */
  isChanged: z.boolean(),
  added: z.number().int(),
  removed: z.number().int(),
  canary: z.object({ sharePpm: z.number().int(), until: z.number().int() }).nullable(),
})

export const configSet = defineCommand({
  name: 'delos.config.set',
  summary: 'Set a configuration: a new version, for all readers or first for a share of them.',
  danger: 'medium',
  input: z.object({
    name: configNameSchema,
    body: configBodySchema,
    /** JSON Schema (2020-12) as text; null: none from here on; absent: that of the active version stays */
    schema: z.string().max(CONFIG_SCHEMA_CHARS_MAX).nullable().optional(),
    /** only if this is the active version; 0: only if the name is new */
    expect: z.number().int().min(0).optional(),
    /** parts per million of the readers who get it first; absent: everybody at once */
    canaryPpm: z.number().int().min(1).max(1_000_000).optional(),
    /** a trial is good once it is shown that fewer requests than this fail, parts per million */
    goodBelowPpm: goodBelowSchema.default(GOOD_BELOW_PPM_DEFAULT),
    canaryForMs: z.number().int().min(CANARY_MS_MIN).max(CANARY_MS_MAX).default(CANARY_MS_DEFAULT),
    /** the service it concerns, so that its incidents show the change; absent: as it was */
    service: z.string().min(1).max(256).nullable().optional(),
  }),
  output: setAnswer,
  decide: (db, input) => {
    const row = configRow(db, input.name)
    const active = row?.active ?? null
    if (input.expect !== undefined && input.expect !== (active ?? 0)) return conflict(input.name, input.expect, active)
    const busy = onTrial(row)
    if (busy !== null) return busy
    if (input.canaryPpm !== undefined && active === null)
      return refuse('USAGE', `${input.name} is new: there is no version its other readers could have.`, {
        hint: 'Set it without --canary.',
      })

    const before = active === null ? null : versionRow(db, input.name, active)
    const schema = input.schema === undefined ? (before?.schema ?? null) : input.schema
    const misfit = schema === null ? null : misfitOf(input.name, input.body, schema)
    if (misfit !== null) return misfit

    const service = input.service === undefined ? (row?.service ?? null) : input.service
    const previous = active
    const changes = countChanges(lineDiff(before?.body ?? '', input.body))
    if (row !== null && active !== null && before?.body === input.body && before.schema === schema && row.service === service) {
      const answer = { name: input.name, version: active, state: 'active' as const, previous, isChanged: false, ...changes, canary: null }
      return { entries: [], reply: () => answer, warnings: [`${input.name} ${active} says this already; nothing was changed.`] }
    }
    const version = (row?.latest ?? 0) + 1
    const which = { name: input.name, version, service }
    const canary =
      input.canaryPpm === undefined ? null : { sharePpm: input.canaryPpm, forMs: input.canaryForMs, goodBelowPpm: input.goodBelowPpm }
    const proposed = configProposed.of({ ...which, body: input.body, schema, canary })
    return {
      entries: canary === null ? [proposed, configActivated.of({ ...which, previous })] : [proposed],
      reply: (after) => {
        const now = must(configRow(after, input.name), 'the configuration just set')
        const trial = now.canary_ppm === null || now.canary_until === null ? null : { sharePpm: now.canary_ppm, until: now.canary_until }
        return {
          name: input.name,
          version,
          state: trial ? ('proposed' as const) : ('active' as const),
          previous,
          isChanged: true,
          ...changes,
          canary: trial,
        }
      },
    }
  },
})

export const configJudge = defineCommand({
  name: 'delos.config.judge',
  summary: 'Say whether a version on trial is good: it becomes active, or is rolled back.',
  input: z.object({
    name: configNameSchema,
    version: configVersionSchema,
    verdict: verdictSchema,
    reason: z.string().max(1000).default(''),
  }),
  output: z.object({ name: z.string(), version: configVersionSchema, verdict: verdictSchema, active: configVersionSchema }),
  decide: (db, { name, version, verdict, reason }) => {
    const row = configRow(db, name)
    const found = versionRow(db, name, version)
    if (row === null || found === null) return unknownConfig(name, version)
    // A judge that lost the answer asks again.
    if (found.verdict === verdict && row.active !== null) {
      const answer = { name, version, verdict, active: row.active }
      return { entries: [], reply: () => answer }
    }
    if (row.proposed !== version || row.active === null) {
      const now = row.proposed === null ? 'nothing of it is on trial' : `version ${row.proposed} is on trial`
      return refuse('DELOS_CONFLICT', `${name} ${version} is ${found.state}; ${now}.`, {
        ...(found.state === 'rolled-back'
          ? { hint: `Give it to all readers with \`muster delos config rollback ${name} --to ${version}\`.` }
          : {}),
        details: { name, version, proposed: row.proposed },
      })
    }
    return {
      entries: judged({ name, version, service: row.service, active: row.active }, verdict, reason),
      reply: (after) => ({ name, version, verdict, active: must(configRow(after, name)?.active, 'the active version') }),
    }
  },
})

export const configRollback = defineCommand({
  name: 'delos.config.rollback',
  summary: 'End a trial, or give all readers the version before.',
  input: z.object({
    name: configNameSchema,
    /** absent: the version on trial ends, else the active one gives way to the one it replaced */
    to: configVersionSchema.optional(),
    reason: z.string().max(1000).default(''),
  }),
  output: z.object({ name: z.string(), from: configVersionSchema, to: configVersionSchema, wasOnTrial: z.boolean() }),
  decide: (db, { name, to, reason }, ctx) => {
    const row = configRow(db, name)
    if (row === null || row.active === null) return unknownConfig(name)
    const wasOnTrial = row.proposed !== null
    if (to !== undefined && row.proposed !== null && to !== row.active) return must(onTrial(row), 'the trial')
    const from = row.proposed ?? row.active
    const target = wasOnTrial ? row.active : earlier(db, row.name, row.active, to)
    if (isRefusal(target)) return target
    const answer = { name, from, to: target, wasOnTrial }
    const why = reason === '' ? `by ${ctx.actor}` : reason
    const entries: Proposal[] = [configRolledBack.of({ name, version: from, service: row.service, to: target, reason: why })]
    return { entries, reply: () => answer }
  },
})

/** The version to go back to. */
function earlier(db: ReadDb, name: string, active: number, to: number | undefined): number | MusterError {
  const target = to ?? versionRow(db, name, active)?.replaced ?? null
  if (target === null) return refuse('DELOS_CONFIG_UNKNOWN', `${name} ${active} is the first; there is nothing to go back to.`)
  if (target === active) return refuse('DELOS_CONFLICT', `${name} ${active} is active already.`)
  return versionRow(db, name, target) === null ? unknownConfig(name, target) : target
}

/** Why a body does not fit its schema, or the schema itself cannot be checked; null: it fits. */
function misfitOf(name: string, body: string, schemaText: string): MusterError | null {
  const schema = parseJson(schemaText)
  if (isRefusal(schema)) return refuse('DELOS_CONFIG_INVALID', `The schema of ${name} is not JSON: ${schema.message}`)
  const problem = schemaProblem(schema)
  if (problem !== null) return refuse('DELOS_CONFIG_INVALID', `The schema of ${name} cannot be checked: ${problem}.`)
  const document = parseJson(body)
  if (isRefusal(document))
    return refuse('DELOS_CONFIG_INVALID', `${name} has a schema, so its body must be JSON: ${document.message}`, {
      hint: '`muster delos config set` makes JSON of a YAML file; --no-schema sets any text.',
    })
  const issues = schemaIssues(schema as JsonSchema, document)
  if (issues.length === 0) return null
  return refuse('DELOS_CONFIG_INVALID', `${name} does not fit its schema:\n  ${issues.join('\n  ')}`, { details: { issues } })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    // The parser's own words say where.
    return refuse('DELOS_CONFIG_INVALID', error instanceof Error ? error.message : String(error))
  }
}

function conflict(name: string, expected: number, active: number | null): MusterError {
  const state = active === null ? `${name} does not exist` : `${name} is at version ${active}`
  return refuse('DELOS_CONFLICT', `${state}, expected ${expected === 0 ? 'that it does not exist' : `version ${expected}`}.`, {
    hint: 'See what changed with `muster delos config history NAME`, then retry with the new version.',
    details: { name, expected, found: active ?? 0 },
  })
}

function onTrial(row: ConfigRow | null): MusterError | null {
  if (row === null || row.proposed === null) return null
  return refuse('DELOS_CONFIG_CANARY', `Version ${row.proposed} of ${row.name} is on trial.`, {
    details: { name: row.name, proposed: row.proposed, active: row.active },
  })
}

export const configOperations = [configSet, configJudge, configRollback]
