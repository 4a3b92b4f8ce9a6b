import { z } from 'zod'
import { defineEntry } from '../contracts/entry.ts'
import { isoText } from '../kernel/iso.ts'
import { canonicalJson } from '../kernel/json.ts'
import { ALERT_STATES } from './alert/judge.ts'
import { alertRuleSchema } from './alert/rule.ts'
import { sloEntries } from './entries/slo.ts'

const stateName = z.enum(ALERT_STATES)

/** Moves of a rule that are kept for `alert history`. */
const MOVES_KEPT_MS = 30 * 86_400_000

/** A rule was put: new, or instead of the one of its name. States of its groups stay. */
export const AlertSet = defineEntry({
  type: 'scuba.AlertSet',
  body: z.object({ rule: alertRuleSchema }),
  apply: (db, { rule }, { position, at, actor }) => {
    db.run(
      `INSERT INTO scuba_alert (name, rule, version, paused_until, pause_reason, set_at, set_by) VALUES (?, ?, ?, NULL, NULL, ?, ?)
       ON CONFLICT (name) DO UPDATE SET rule = excluded.rule, version = excluded.version, set_at = excluded.set_at, set_by = excluded.set_by`,
      rule.name,
      canonicalJson(rule),
      position,
      at,
      actor,
    )
  },
})

export const AlertRemoved = defineEntry({
  type: 'scuba.AlertRemoved',
  body: z.object({ name: z.string() }),
  apply: (db, { name }) => {
    db.run('DELETE FROM scuba_alert WHERE name = ?', name)
    db.run('DELETE FROM scuba_alert_state WHERE rule = ?', name)
    db.run('DELETE FROM scuba_alert_move WHERE rule = ?', name)
    db.run('DELETE FROM scuba_alert_late WHERE rule = ?', name)
  },
})

/** Not looked at until then, or, with null, looked at again. States stay as they are. */
export const AlertPaused = defineEntry({
  type: 'scuba.AlertPaused',
  body: z.object({ name: z.string(), untilMs: z.number().int().nullable(), reason: z.string() }),
  apply: (db, { name, untilMs, reason }) => {
    db.run('UPDATE scuba_alert SET paused_until = ?, pause_reason = ? WHERE name = ?', untilMs, untilMs === null ? null : reason, name)
  },
})

/** One group of a rule changed its state. Notable: sev reads it and opens or resolves. */
export const AlertMoved = defineEntry({
  type: 'scuba.AlertMoved',
  body: z.object({
    rule: z.string(),
    group: z.string(),
    from: stateName,
    to: stateName,
    value: z.number().nullable(),
    sev: z.number().int().min(1).max(4),
    service: z.string().nullable(),
    title: z.string(),
    reason: z.string(),
  }),
  notable: ({ rule, group, to, service, reason }) => ({
    system: 'scuba',
    kind: 'alert',
    target: rule,
    service,
    text: `alert ${rule}${group === '' ? '' : ` (${group})`} is ${to.replace('_', ' ')}: ${reason}`,
  }),
  apply: (db, { rule, group, from, to, value, sev, service, reason }, { position, at }) => {
    db.run('DELETE FROM scuba_alert_move WHERE at < ?', at - MOVES_KEPT_MS)
    db.run(
      'INSERT INTO scuba_alert_move (position, rule, grp, at, was, state, value, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      position,
      rule,
      group,
      at,
      from,
      to,
      value,
      reason,
    )
    if (to === 'inactive') {
      // An inactive group is one that is not there: rules with many passing groups keep no rows of them.
      db.run('DELETE FROM scuba_alert_state WHERE rule = ? AND grp = ?', rule, group)
      return
    }
    db.run(
      `INSERT INTO scuba_alert_state (rule, grp, state, since, value, sev, service, reason, position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (rule, grp) DO UPDATE SET state = excluded.state, since = excluded.since, value = excluded.value, sev = excluded.sev,
         service = excluded.service, reason = excluded.reason, position = excluded.position`,
      rule,
      group,
      to,
      at,
      value,
      sev,
      service,
      reason,
      position,
    )
  },
})

/** Rows that came late would have changed what was said of a group; its state stays as it is. */
export const AlertLateVerdict = defineEntry({
  type: 'scuba.AlertLateVerdict',
  body: z.object({
    rule: z.string(),
    group: z.string(),
    /** ends of the first and the last window they would have changed */
    fromMs: z.int().nonnegative(),
    toMs: z.int().nonnegative(),
    would: z.enum(['fire', 'not fire']),
    value: z.number().nullable(),
    service: z.string().nullable(),
  }),
  notable: ({ rule, group, fromMs, would, service }) => ({
    system: 'scuba',
    kind: 'late-verdict',
    target: rule,
    service,
    text: `rows that came late: alert ${rule}${group === '' ? '' : ` (${group})`} would ${would === 'fire' ? '' : 'not '}have fired at ${isoText(fromMs)}`,
  }),
  apply: (db, { rule, group, fromMs, toMs, would, value }, { position, at }) => {
    db.run('DELETE FROM scuba_alert_late WHERE at < ?', at - MOVES_KEPT_MS)
    db.run(
      'INSERT INTO scuba_alert_late (position, rule, grp, at, from_ms, to_ms, would, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      position,
      rule,
      group,
      at,
      fromMs,
      toMs,
      would,
      value,
    )
  },
})

export const scubaEntries = [AlertSet, AlertRemoved, AlertPaused, AlertMoved, AlertLateVerdict, ...sloEntries] as const
