import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import {
  ChannelSettingsSchema,
  ContactSchema,
  NameSchema,
  PolicySchema,
  ScheduleSchema,
  ServiceSchema,
  TeamSchema,
  ZoneTableSchema,
} from '../schema.ts'

/** Who is to be asked, and when. A null spec removes. */

export const ContactSet = defineEntry({
  type: 'sev.ContactSet',
  body: z.strictObject({
    person: NameSchema,
    spec: z
      .strictObject({ title: z.string(), timeZone: z.string(), contacts: z.array(ContactSchema), isBuiltin: z.boolean().default(false) })
      .nullable(),
  }),
  apply: (db, { person, spec }, meta) => {
    if (spec === null) {
      db.run('DELETE FROM sev_person WHERE name = ?', person)
      return
    }
    db.run(
      'INSERT OR REPLACE INTO sev_person (name, title, time_zone, contacts, is_builtin, position) VALUES (?, ?, ?, ?, ?, ?)',
      person,
      spec.title,
      spec.timeZone,
      JSON.stringify(spec.contacts),
      spec.isBuiltin ? 1 : 0,
      meta.position,
    )
  },
})

export const TeamSet = defineEntry({
  type: 'sev.TeamSet',
  body: z.strictObject({ name: NameSchema, spec: TeamSchema.nullable(), isBuiltin: z.boolean().default(false) }),
  apply: (db, { name, spec, isBuiltin }, meta) => {
    if (spec === null) db.run('DELETE FROM sev_team WHERE name = ?', name)
    else
      db.run(
        'INSERT OR REPLACE INTO sev_team (name, spec, is_builtin, position) VALUES (?, ?, ?, ?)',
        name,
        JSON.stringify(spec),
        isBuiltin ? 1 : 0,
        meta.position,
      )
  },
})

export const ServiceSet = defineEntry({
  type: 'sev.ServiceSet',
  body: z.strictObject({ name: NameSchema, spec: ServiceSchema.nullable() }),
  apply: (db, { name, spec }, meta) => {
    if (spec === null) db.run('DELETE FROM sev_service WHERE name = ?', name)
    else db.run('INSERT OR REPLACE INTO sev_service (name, spec, position) VALUES (?, ?, ?)', name, JSON.stringify(spec), meta.position)
  },
})

export const PolicySet = defineEntry({
  type: 'sev.PolicySet',
  body: z.strictObject({ name: NameSchema, spec: PolicySchema.nullable() }),
  apply: (db, { name, spec }, meta) => {
    if (spec === null) db.run('DELETE FROM sev_policy WHERE name = ?', name)
    else db.run('INSERT OR REPLACE INTO sev_policy (name, spec, position) VALUES (?, ?, ?)', name, JSON.stringify(spec), meta.position)
  },
})

export const ScheduleSet = defineEntry({
  type: 'sev.ScheduleSet',
  body: z.strictObject({ name: NameSchema, spec: ScheduleSchema.nullable() }),
  notable: (body) => ({
    system: 'sev',
    kind: 'schedule',
    target: body.name,
    service: null,
    text: `on-call schedule ${body.name} ${body.spec === null ? 'removed' : 'set'}`,
  }),
  apply: (db, { name, spec }, meta) => {
    if (spec === null) db.run('DELETE FROM sev_schedule WHERE name = ?', name)
    else db.run('INSERT OR REPLACE INTO sev_schedule (name, spec, position) VALUES (?, ?, ?)', name, JSON.stringify(spec), meta.position)
  },
})

export const OverrideSet = defineEntry({
  type: 'sev.OverrideSet',
  body: z.strictObject({
    schedule: NameSchema,
    kind: z.enum(['add', 'remove', 'replace']),
    user: NameSchema,
    byUser: NameSchema.nullable(),
    fromMs: z.number().int(),
    toMs: z.number().int(),
    why: z.string().max(500),
  }),
  apply: (db, body, meta) => {
    db.run(
      'INSERT INTO sev_override (id, schedule, kind, user, by_user, from_at, to_at, why) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      meta.position,
      body.schedule,
      body.kind,
      body.user,
      body.byUser,
      body.fromMs,
      body.toMs,
      body.why,
    )
  },
})

/** The zone's table, so that every replica and every replay sees the same shifts. */
export const ZoneSet = defineEntry({
  type: 'sev.ZoneSet',
  body: ZoneTableSchema,
  apply: (db, body) => {
    db.run(
      'INSERT OR REPLACE INTO sev_zone (tz, version, transitions) VALUES (?, ?, ?)',
      body.tz,
      body.version,
      JSON.stringify(body.transitions),
    )
  },
})

/** What of the file belongs to no single name: defaults and channel settings. Ends the built-in on-call. */
export const OncallApplied = defineEntry({
  type: 'sev.OncallApplied',
  body: z.strictObject({
    file: z.string(),
    defaults: z.strictObject({ team: NameSchema.optional(), policy: NameSchema.optional() }),
    channels: ChannelSettingsSchema,
  }),
  apply: (db, body, meta) => {
    const put = (name: string, value: unknown): void => {
      db.run('INSERT OR REPLACE INTO sev_setting (name, value) VALUES (?, ?)', name, JSON.stringify(value))
    }
    put('defaults', body.defaults)
    put('applied', { file: body.file, at: meta.at, by: meta.actor })
    db.run('DELETE FROM sev_channel')
    for (const [name, settings] of Object.entries(body.channels)) {
      if (settings !== undefined) db.run('INSERT INTO sev_channel (name, settings) VALUES (?, ?)', name, JSON.stringify(settings))
    }
  },
})
