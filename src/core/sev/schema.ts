import { z } from 'zod'
import { parseDuration } from '../kernel/units.ts'

/** Forms of the on-call file, of records and of what entries carry. */

export const LevelSchema = z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)])

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/
export const NameSchema = z.string().regex(NAME, 'letters, digits, dot, dash and underscore, at most 63')

const DurationText = z.string().refine((text) => parseDuration(text) !== null, 'a duration such as 30s, 15m or 1h30m')

export const CHANNELS = ['terminal', 'webhook', 'command', 'smtp', 'file'] as const
export type ChannelName = (typeof CHANNELS)[number]

export const ContactSchema = z.strictObject({
  channel: z.enum(CHANNELS),
  /** webhook: URL · smtp: mail address · command: program · file: path · terminal: anything */
  address: z.string().max(2048).default(''),
  /** asked this long after the page; at once when an earlier contact fails */
  delay: DurationText.optional(),
  /** levels it is used for; all by default */
  levels: z.array(LevelSchema).optional(),
})
export type Contact = z.output<typeof ContactSchema>

export const PersonSchema = z.strictObject({
  name: z.string().max(120).optional(),
  timeZone: z.string().optional(),
  contacts: z.array(ContactSchema).max(16).default([]),
})

/** Each role names a person or a schedule. */
export const TeamSchema = z.strictObject({
  lead: NameSchema.optional(),
  primary: NameSchema.optional(),
  secondary: NameSchema.optional(),
  ic: NameSchema.optional(),
})
export type Team = z.output<typeof TeamSchema>

export const ServiceSchema = z.strictObject({
  team: NameSchema.optional(),
  policy: NameSchema.optional(),
  /** 0: everything stands on it … 3: nobody notices */
  tier: z.number().int().min(0).max(3).optional(),
})

const StepSchema = z.strictObject({
  targets: z.array(z.string().min(1).max(80)).min(1).max(20),
  /** since the ladder started */
  after: DurationText.default('0s'),
})

const LadderSchema = z.strictObject({
  steps: z.array(StepSchema).min(1).max(20).optional(),
  repeat: z.number().int().min(0).max(20).optional(),
  lastResort: z.array(z.string().min(1).max(80)).max(20).optional(),
})

export const PolicySchema = LadderSchema.extend({
  /** another ladder for one level, by its number */
  levels: z.partialRecord(z.enum(['1', '2', '3', '4']), LadderSchema).optional(),
})
export type Policy = z.output<typeof PolicySchema>

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type DayName = (typeof DAYS)[number]
export const DAY_NAMES: readonly DayName[] = DAYS

const ClockText = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day such as 09:00')

export const RuleSchema = z
  .strictObject({
    days: z
      .array(z.enum(DAYS))
      .min(1)
      .default([...DAYS]),
    from: ClockText.default('00:00'),
    to: ClockText.default('00:00'),
    user: NameSchema.optional(),
    rotation: NameSchema.optional(),
  })
  .refine((rule) => (rule.user === undefined) !== (rule.rotation === undefined), 'a rule names either a user or a rotation')
export type Rule = z.output<typeof RuleSchema>

export const RotationSchema = z.strictObject({
  name: NameSchema,
  type: z.enum(['hourly', 'daily', 'weekly', 'monthly']),
  shiftLength: z.number().int().min(1).max(10_000).default(1),
  /** wall time in the zone (2026-11-02T09:00), or an instant with Z or an offset */
  start: z.string(),
  timeZone: z.string().optional(),
  users: z.array(NameSchema).min(1).max(200),
})
export type RotationSpec = z.output<typeof RotationSchema>

export const ScheduleSchema = z.strictObject({
  timeZone: z.string(),
  rotations: z.array(RotationSchema).max(50).default([]),
  /** when who is on call; without rules every rotation always is */
  rules: z.array(RuleSchema).max(200).default([]),
})
export type Schedule = z.output<typeof ScheduleSchema>

/** Settings of a channel. Secrets are named by file, never written here: this goes into the log. */
export const ChannelSettingsSchema = z.strictObject({
  smtp: z
    .strictObject({
      host: z.string(),
      port: z.number().int().min(1).max(65_535).default(587),
      from: z.string(),
      /** required: STARTTLS or TLS; opportunistic: if offered; off: never */
      tls: z.enum(['required', 'opportunistic', 'off']).default('required'),
      user: z.string().optional(),
      passwordFile: z.string().optional(),
    })
    .optional(),
  webhook: z.strictObject({ secretFile: z.string().optional() }).optional(),
})
export type ChannelSettings = z.output<typeof ChannelSettingsSchema>

/** The whole on-call file. Applying it replaces what was applied before. */
export const OncallSchema = z.strictObject({
  version: z.literal(1),
  people: z.record(NameSchema, PersonSchema),
  teams: z.record(NameSchema, TeamSchema).default({}),
  services: z.record(NameSchema, ServiceSchema).default({}),
  policies: z.record(NameSchema, PolicySchema).default({}),
  schedules: z.record(NameSchema, ScheduleSchema).default({}),
  defaults: z.strictObject({ team: NameSchema.optional(), policy: NameSchema.optional() }).default({}),
  channels: ChannelSettingsSchema.default({}),
})
export type Oncall = z.output<typeof OncallSchema>

export const ZoneTableSchema = z.strictObject({
  tz: z.string(),
  version: z.string(),
  transitions: z.array(z.strictObject({ atMs: z.number().int(), offsetSec: z.number().int() })).min(1),
})

export type IncidentState = 'open' | 'acked' | 'mitigated' | 'resolved' | 'closed'
export type PageState = 'open' | 'acked' | 'cancelled' | 'dead'
/** `failed` will be tried again; `dead` and `cancelled` will not. */
export type DeliveryState = 'intended' | 'failed' | 'sent' | 'confirmed' | 'dead' | 'cancelled'

export interface IncidentRow {
  number: number
  title: string
  service: string | null
  group_key: string
  level: 1 | 2 | 3 | 4
  state: IncidentState
  generation: number
  is_drill: number
  source: string
  opened_by: string
  during_run: string | null
  recurrence_of: number | null
  bad_at: number
  detected_at: number
  paged_at: number | null
  acked_at: number | null
  acked_by: string | null
  acked_position: number | null
  mitigated_at: number | null
  resolved_at: number | null
  resolved_by: string | null
  closed_at: number | null
  cause: string | null
  human_at: number | null
  ladder_at: number
  step_next: number
  step_due_at: number | null
  version: number
}

export interface PageRow {
  id: string
  incident: number
  generation: number
  step: number
  person: string
  via: string
  position: number
  at: number
  state: PageState
  ended_position: number | null
  why: string
}

export interface DeliveryRow {
  key: string
  page: string
  incident: number
  person: string
  contact: number
  channel: ChannelName
  address: string
  kind: 'page' | 'notice'
  state: DeliveryState
  attempts: number
  next_at: number | null
  at: number
  position: number
  sent_at: number | null
  ended_position: number | null
  detail: string
}

export interface PersonRow {
  name: string
  title: string
  time_zone: string
  contacts: string
  is_builtin: number
  position: number
}

export interface SignalRow {
  position: number
  at: number
  action: 'raise' | 'mitigate' | 'resolve'
  source: string
  dedup_key: string
  group_key: string
  service: string | null
  level: 1 | 2 | 3 | 4
  title: string
  summary: string
  evidence: string
}

export interface ChangeRow {
  position: number
  at: number
  type: string
  actor: string
  system: string
  kind: string
  target: string
  service: string | null
  text: string
  body: string
}

export interface TimelineRow {
  incident: number
  n: number
  position: number
  at: number
  event_at: number
  actor: string
  kind: string
  text: string
  previous_hash: string
  hash: string
}
