import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { objectiveName, sloFileSchema } from '../slo/file.ts'

/** The objectives of a service were put: new, or instead of those it had. What burns goes on burning. */
export const SloSet = defineEntry({
  type: 'scuba.SloSet',
  body: z.object({ file: sloFileSchema }),
  apply: (db, { file }, { position, at, actor }) => {
    db.run(
      `INSERT INTO scuba_slo (service, file, version, set_at, set_by) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (service) DO UPDATE SET file = excluded.file, version = excluded.version, set_at = excluded.set_at, set_by = excluded.set_by`,
      file.service,
      canonicalJson(file),
      position,
      at,
      actor,
    )
    const names = file.objectives.map(objectiveName)
    const marks = names.map(() => '?').join(', ')
    db.run(`DELETE FROM scuba_slo_state WHERE service = ? AND objective NOT IN (${marks})`, file.service, ...names)
  },
})

export const SloRemoved = defineEntry({
  type: 'scuba.SloRemoved',
  body: z.object({ service: z.string() }),
  apply: (db, { service }) => {
    for (const table of ['scuba_slo', 'scuba_slo_state', 'scuba_slo_exclusion']) db.run(`DELETE FROM ${table} WHERE service = ?`, service)
  },
})

/** A span does not count for the service's objectives, or for one of them; both figures are shown. Its id is its position. */
export const SloExcluded = defineEntry({
  type: 'scuba.SloExcluded',
  body: z.object({
    service: z.string(),
    objective: z.string().nullable(),
    /** whole minutes, `[fromMs, toMs)` */
    fromMs: z.number().int(),
    toMs: z.number().int(),
    reason: z.string(),
  }),
  notable: ({ service, fromMs, toMs, reason }) => ({
    system: 'scuba',
    kind: 'slo',
    target: service,
    service,
    text: `${Math.round((toMs - fromMs) / 60_000)} min excluded from the SLOs of ${service}: ${reason}`,
  }),
  apply: (db, { service, objective, fromMs, toMs, reason }, { position, at, actor }) => {
    db.run(
      'INSERT INTO scuba_slo_exclusion (id, service, objective, from_ms, to_ms, reason, at, by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      position,
      service,
      objective,
      fromMs,
      toMs,
      reason,
      at,
      actor,
    )
  },
})

/** A span counts again. */
export const SloExclusionRemoved = defineEntry({
  type: 'scuba.SloExclusionRemoved',
  body: z.object({ id: z.number().int(), service: z.string() }),
  apply: (db, { id }) => {
    db.run('DELETE FROM scuba_slo_exclusion WHERE id = ?', id)
  },
})

/** A burn began, got worse or ended, or a budget was spent or is back. Notable: sev reads it and opens, updates or resolves. */
export const SloMoved = defineEntry({
  type: 'scuba.SloMoved',
  body: z.object({
    service: z.string(),
    objective: z.string(),
    kind: z.enum(['burn_started', 'burn_raised', 'burn_ended', 'budget_spent', 'budget_restored']),
    tier: z.string().nullable(),
    sev: z.number().int().min(1).max(4),
    burnLong: z.number().nullable(),
    burnShort: z.number().nullable(),
    bad: z.number(),
    total: z.number(),
    budgetLeft: z.number(),
    title: z.string(),
    reason: z.string(),
  }),
  notable: ({ service, title, kind, reason }) => ({
    system: 'scuba',
    kind: 'slo',
    target: service,
    service,
    text: `${title}: ${kind.replace('_', ' ')}, ${reason}`,
  }),
  apply: (db, body, { position, at }) => {
    const { service, objective, kind } = body
    db.run(
      `INSERT INTO scuba_slo_state (service, objective, tier, sev, since, last_burn_at, is_spent, budget_left, reason, position)
       VALUES (?, ?, NULL, NULL, NULL, NULL, 0, ?, ?, ?)
       ON CONFLICT (service, objective) DO UPDATE SET budget_left = excluded.budget_left, reason = excluded.reason, position = excluded.position`,
      service,
      objective,
      body.budgetLeft,
      body.reason,
      position,
    )
    const key = [service, objective]
    if (kind === 'burn_started' || kind === 'burn_raised') {
      db.run(
        'UPDATE scuba_slo_state SET tier = ?, sev = ?, since = coalesce(since, ?), last_burn_at = ? WHERE service = ? AND objective = ?',
        body.tier,
        body.sev,
        at,
        at,
        ...key,
      )
    } else if (kind === 'burn_ended') {
      db.run(
        'UPDATE scuba_slo_state SET tier = NULL, sev = NULL, since = NULL, last_burn_at = ? WHERE service = ? AND objective = ?',
        at,
        ...key,
      )
    } else {
      db.run('UPDATE scuba_slo_state SET is_spent = ? WHERE service = ? AND objective = ?', kind === 'budget_spent' ? 1 : 0, ...key)
    }
  },
})

export const sloEntries = [SloSet, SloRemoved, SloExcluded, SloExclusionRemoved, SloMoved] as const
