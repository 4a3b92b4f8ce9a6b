import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { formatDuration, formatShare } from '../../kernel/units.ts'
import {
  canarySchema,
  configBodySchema,
  configNameSchema,
  configVersionSchema,
  GOOD_BELOW_PPM_DEFAULT,
  utf8Bytes,
  verdictSchema,
} from '../config/schema.ts'

/** History: so many versions whatever their age, and every version that is younger than this. */
export const HISTORY_VERSIONS = 100
export const HISTORY_MS = 90 * 86_400_000

const which = { name: configNameSchema, version: configVersionSchema, service: z.string().nullable() }

/** A new version. Without a canary its `ConfigActivated` follows at once. */
export const configProposed = defineEntry({
  type: 'delos.ConfigProposed',
  body: z.object({ ...which, body: configBodySchema, schema: z.string().nullable(), canary: canarySchema.nullable() }),
  notable: ({ name, version, service, canary }) =>
    canary && {
      system: 'delos',
      kind: 'config-canary',
      target: name,
      service,
      text: `configuration ${name} ${version} on trial for ${formatShare(canary.sharePpm)} of its readers, ${formatDuration(canary.forMs)} at most`,
    },
  apply: (db, { name, version, service, body, schema, canary }, meta) => {
    db.run(
      `INSERT INTO delos_config (name, service, latest, active, proposed, canary_ppm, canary_until, canary_good_below)
       VALUES (?, ?, ?, NULL, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET service = excluded.service, latest = excluded.latest, proposed = excluded.proposed,
         canary_ppm = excluded.canary_ppm, canary_until = excluded.canary_until, canary_good_below = excluded.canary_good_below`,
      name,
      service,
      version,
      version,
      canary?.sharePpm ?? null,
      canary === null ? null : meta.at + canary.forMs,
      canary === null ? null : (canary.goodBelowPpm ?? GOOD_BELOW_PPM_DEFAULT),
    )
    db.run(
      `INSERT INTO delos_config_version (name, version, state, author, at, schema, bytes, body) VALUES (?, ?, 'proposed', ?, ?, ?, ?, ?)`,
      name,
      version,
      meta.actor,
      meta.at,
      schema,
      utf8Bytes(body),
      body,
    )
    db.run(
      `DELETE FROM delos_config_version WHERE name = ? AND version <= ? AND at < ? AND state NOT IN ('active', 'proposed')`,
      name,
      version - HISTORY_VERSIONS,
      meta.at - HISTORY_MS,
    )
  },
})

/** Every reader has this version from here on. */
export const configActivated = defineEntry({
  type: 'delos.ConfigActivated',
  body: z.object({ ...which, previous: configVersionSchema.nullable() }),
  notable: ({ name, version, service, previous }) => ({
    system: 'delos',
    kind: 'config',
    target: name,
    service,
    text: `configuration ${name} ${version} active${previous === null ? '' : `, was ${previous}`}`,
  }),
  apply: (db, { name, version, previous }, meta) => {
    if (previous !== null) db.run(`UPDATE delos_config_version SET state = 'replaced' WHERE name = ? AND version = ?`, name, previous)
    db.run(
      `UPDATE delos_config_version SET state = 'active', replaced = ?, decided_at = ? WHERE name = ? AND version = ?`,
      previous,
      meta.at,
      name,
      version,
    )
    serveOnly(db, name, version)
  },
})

/** What was found of a version on trial. Its activation or its end follows at once. */
export const configCanaryJudged = defineEntry({
  type: 'delos.ConfigCanaryJudged',
  body: z.object({ name: configNameSchema, version: configVersionSchema, verdict: verdictSchema, reason: z.string() }),
  apply: (db, { name, version, verdict, reason }) => {
    db.run('UPDATE delos_config_version SET verdict = ?, reason = ? WHERE name = ? AND version = ?', verdict, reason, name, version)
  },
})

/** Readers that had `version` have `to` again. */
export const configRolledBack = defineEntry({
  type: 'delos.ConfigRolledBack',
  body: z.object({ ...which, to: configVersionSchema, reason: z.string() }),
  notable: ({ name, version, service, to, reason }) => ({
    system: 'delos',
    kind: 'config-rollback',
    target: name,
    service,
    text: `configuration ${name} ${version} rolled back to ${to}${reason === '' ? '' : `: ${reason}`}`,
  }),
  apply: (db, { name, version, to, reason }, meta) => {
    db.run(
      `UPDATE delos_config_version SET state = 'rolled-back', decided_at = ?, reason = ? WHERE name = ? AND version = ?`,
      meta.at,
      reason,
      name,
      version,
    )
    db.run(`UPDATE delos_config_version SET state = 'active' WHERE name = ? AND version = ?`, name, to)
    serveOnly(db, name, to)
  },
})

function serveOnly(db: Db, name: string, version: number): void {
  db.run(
    'UPDATE delos_config SET active = ?, proposed = NULL, canary_ppm = NULL, canary_until = NULL, canary_good_below = NULL WHERE name = ?',
    version,
    name,
  )
}

export const CONFIG_ENTRIES = [configProposed, configActivated, configCanaryJudged, configRolledBack] as const
