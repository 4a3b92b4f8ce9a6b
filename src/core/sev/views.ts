import { z } from 'zod'
import { LevelSchema } from './schema.ts'

/** Output forms of sev's operations. Instants in ms since the epoch, spans in ms. */

export const IncidentView = z.object({
  number: z.number(),
  title: z.string(),
  service: z.string().nullable(),
  level: LevelSchema,
  state: z.enum(['open', 'acked', 'mitigated', 'resolved', 'closed']),
  isDrill: z.boolean(),
  source: z.string(),
  duringRun: z.string().nullable(),
  recurrenceOf: z.number().nullable(),
  generation: z.number(),
  badAt: z.number(),
  openedAt: z.number(),
  pagedAt: z.number().nullable(),
  ackedAt: z.number().nullable(),
  ackedBy: z.string().nullable(),
  mitigatedAt: z.number().nullable(),
  resolvedAt: z.number().nullable(),
  cause: z.string().nullable(),
  /** null: none is due, or it was given */
  ackDueAt: z.number().nullable(),
  alertCount: z.number(),
  firingCount: z.number(),
  /** who is asked now */
  paging: z.array(z.string()),
  nextStepAt: z.number().nullable(),
  /** whom the next step asks */
  nextStep: z.string().nullable(),
  version: z.number(),
})
export type IncidentView = z.output<typeof IncidentView>

export const DeliveryView = z.object({
  key: z.string(),
  person: z.string(),
  channel: z.string(),
  kind: z.string(),
  state: z.string(),
  attempts: z.number(),
  at: z.number(),
  sentAt: z.number().nullable(),
  nextAt: z.number().nullable(),
  detail: z.string(),
  position: z.number(),
})
export type DeliveryView = z.output<typeof DeliveryView>

export const PageView = z.object({
  id: z.string(),
  person: z.string(),
  via: z.string(),
  step: z.number(),
  generation: z.number(),
  state: z.string(),
  why: z.string(),
  at: z.number(),
  position: z.number(),
  deliveries: z.array(DeliveryView),
})
export type PageView = z.output<typeof PageView>

export const AlertView = z.object({
  source: z.string(),
  dedupKey: z.string(),
  level: z.number(),
  state: z.string(),
  summary: z.string(),
  count: z.number(),
  firstAt: z.number(),
  lastAt: z.number(),
})

/** Rows of scuba that are held for an incident. */
export const HoldView = z.object({
  id: z.number(),
  /** null: of all tables */
  table: z.string().nullable(),
  fromMs: z.number(),
  toMs: z.number(),
  reason: z.string(),
  setBy: z.string(),
})

export const ChangeView = z.object({
  position: z.number(),
  at: z.number(),
  system: z.string(),
  kind: z.string(),
  target: z.string(),
  service: z.string().nullable(),
  text: z.string(),
  actor: z.string(),
})
export type ChangeView = z.output<typeof ChangeView>

export const TimelineRowView = z.object({
  n: z.number(),
  at: z.number(),
  loggedAt: z.number(),
  actor: z.string(),
  kind: z.string(),
  text: z.string(),
  position: z.number(),
})
export type TimelineRowView = z.output<typeof TimelineRowView>

export const OnCallView = z.object({
  now: z.number(),
  isScheduleApplied: z.boolean(),
  /** said when nobody would be asked, or only the default */
  notes: z.array(z.string()),
  teams: z.array(
    z.object({
      team: z.string(),
      isBuiltin: z.boolean(),
      roles: z.array(
        z.object({
          role: z.string(),
          holder: z.string(),
          people: z.array(
            z.object({
              person: z.string(),
              via: z.string(),
              untilMs: z.number().nullable(),
              then: z.string().nullable(),
              channels: z.array(z.string()),
              timeZone: z.string(),
              /** their wall clock, written as the same digits in UTC */
              wallMs: z.number(),
            }),
          ),
        }),
      ),
    }),
  ),
})
export type OnCallView = z.output<typeof OnCallView>

export const WhyView = z.object({
  incident: z.number(),
  opened: z.string(),
  team: z.string().nullable(),
  policy: z.string(),
  pages: z.array(z.object({ page: z.string(), person: z.string(), chain: z.array(z.string()), position: z.number() })),
})
export type WhyView = z.output<typeof WhyView>

export const PostmortemView = z.object({
  incident: z.number(),
  state: z.string(),
  markdown: z.string(),
  draftedAt: z.number(),
  dueAt: z.number().nullable(),
})
export type PostmortemView = z.output<typeof PostmortemView>

export const ConsoleView = z.object({
  now: z.number(),
  person: z.string(),
  isOnCall: z.boolean(),
  shiftUntilMs: z.number().nullable(),
  shiftThen: z.string().nullable(),
  /** the person's wall clock, written as the same digits in UTC */
  wallMs: z.number(),
  timeZone: z.string(),
  pager: z.object({
    isOk: z.boolean(),
    lastSentAt: z.number().nullable(),
    channels: z.array(z.object({ channel: z.string(), isOk: z.boolean(), at: z.number() })),
  }),
  /** most urgent first: level, then unacknowledged, then oldest */
  incidents: z.array(IncidentView),
  details: z.array(
    z.object({
      number: z.number(),
      alerts: z.array(AlertView),
      changed: z.array(ChangeView),
      chaos: z.array(z.string()),
      tried: z.array(z.string()),
      doNext: z.array(z.object({ text: z.string(), command: z.string() })),
      timeline: z.array(TimelineRowView),
    }),
  ),
})
export type ConsoleView = z.output<typeof ConsoleView>
