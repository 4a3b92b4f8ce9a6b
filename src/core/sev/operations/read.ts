import { z } from 'zod'
import { defineQuery } from '../../contracts/operation.ts'
import { isRefusal, refuse } from '../../kernel/errors.ts'
import { holdsOf } from '../../scuba/queries.ts'
import { consoleView } from '../console.ts'
import { nameOf } from '../entries/incident.ts'
import {
  alertsOf,
  changesBefore,
  incidentList as listIncidents,
  incidentView,
  pagesOf,
  postmortemView,
  timelineView,
  whyView,
} from '../queries.ts'
import { onCallView, scheduleView } from '../on-call.ts'
import { firstBrokenRow } from '../timeline.ts'
import {
  AlertView,
  ChangeView,
  ConsoleView,
  HoldView,
  IncidentView,
  OnCallView,
  PageView,
  PostmortemView,
  TimelineRowView,
  WhyView,
} from '../views.ts'
import { isIncident, pickAny } from './pick.ts'

/** Query strings carry text, so numbers and flags are read from it too. */
const Number_ = z.coerce.number().int()
const Flag = z.union([z.boolean(), z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1')])
const Which = z.strictObject({ incident: Number_.positive().optional() })

export const incidentList = defineQuery({
  name: 'sev.incident.list',
  summary: 'List incidents: open ones, or all.',
  input: z.strictObject({
    isAll: Flag.default(false),
    isMine: Flag.default(false),
    /** `1,2` */
    levels: z.coerce
      .string()
      .regex(/^[1-4](,[1-4])*$/)
      .optional(),
    service: z.string().optional(),
    limit: Number_.min(1).max(1000).default(200),
  }),
  output: z.object({ now: z.number(), incidents: z.array(IncidentView) }),
  answer: (db, input, ctx) => ({
    now: ctx.now,
    incidents: listIncidents(
      db,
      {
        isAll: input.isAll,
        levels: input.levels?.split(',').map(Number) ?? [],
        service: input.service ?? null,
        person: input.isMine ? nameOf(ctx.actor) : null,
      },
      input.limit,
    ),
  }),
})

export const incidentShow = defineQuery({
  name: 'sev.incident.show',
  summary: 'Show one incident: alerts, pages, what changed before it, which rows are held for it.',
  input: Which,
  output: z.object({
    now: z.number(),
    incident: IncidentView,
    alerts: z.array(AlertView),
    pages: z.array(PageView),
    changed: z.array(ChangeView),
    postmortem: z.string().nullable(),
    holds: z.array(HoldView).default([]),
  }),
  answer: (db, input, ctx) => {
    const row = pickAny(db, input.incident, ctx)
    if (!isIncident(row)) return row
    return {
      now: ctx.now,
      incident: incidentView(db, row),
      alerts: alertsOf(db, row.number),
      pages: pagesOf(db, row.number),
      changed: changesBefore(db, row.service, row.detected_at, 3_600_000, 10),
      postmortem: postmortemView(db, row)?.state ?? null,
      holds: holdsOf(db, row.number).map(({ id, table, fromMs, toMs, reason, setBy }) => ({ id, table, fromMs, toMs, reason, setBy })),
    }
  },
})

export const timeline = defineQuery({
  name: 'sev.timeline',
  summary: 'Show the timeline of an incident, drawn from the log; with isVerified, walk its hash chain.',
  input: Which.extend({ since: Number_.optional(), isVerified: Flag.default(false) }),
  output: z.object({
    incident: z.number(),
    rows: z.array(TimelineRowView),
    /** null: not asked; 0: whole; else the first row that does not fit */
    brokenRow: z.number().nullable(),
  }),
  answer: (db, input, ctx) => {
    const row = pickAny(db, input.incident, ctx)
    if (!isIncident(row)) return row
    return {
      incident: row.number,
      rows: timelineView(db, row.number, input.since ?? 0),
      brokenRow: input.isVerified ? (firstBrokenRow(db, row.number) ?? 0) : null,
    }
  },
})

export const why = defineQuery({
  name: 'sev.why',
  summary: 'Say why each person was paged, with the log position of each link.',
  input: Which,
  output: WhyView,
  answer: (db, input, ctx) => {
    const row = pickAny(db, input.incident, ctx)
    return isRefusal(row) ? row : whyView(db, row)
  },
})

export const oncall = defineQuery({
  name: 'sev.oncall',
  summary: 'Say who is on call, until when, then who.',
  input: z.strictObject({ at: Number_.optional(), team: z.string().optional() }),
  output: OnCallView,
  answer: (db, input, ctx) => {
    const view = onCallView(db, input.at ?? ctx.now, input.team ?? null)
    if (input.team !== undefined && view.teams.length === 0) return refuse('SEV_PERSON_UNKNOWN', `there is no team ${input.team}`)
    return view
  },
})

export const scheduleShow = defineQuery({
  name: 'sev.schedule.show',
  summary: 'Show the shifts and gaps of a schedule.',
  input: z.strictObject({ schedule: z.string().optional(), from: Number_.optional(), to: Number_.optional() }),
  output: z.object({
    schedules: z.array(
      z.object({
        name: z.string(),
        spans: z.array(z.object({ user: z.string(), via: z.string(), fromMs: z.number(), toMs: z.number() })),
        gaps: z.array(z.object({ fromMs: z.number(), toMs: z.number() })),
      }),
    ),
  }),
  answer: (db, input, ctx) => {
    const fromMs = input.from ?? ctx.now
    const toMs = input.to ?? fromMs + 7 * 86_400_000
    if (toMs <= fromMs || toMs - fromMs > 400 * 86_400_000) return refuse('USAGE', '`to` must lie after `from`, at most 400 days')
    const names =
      input.schedule === undefined
        ? db.all<{ name: string }>('SELECT name FROM sev_schedule ORDER BY name').map(({ name }) => name)
        : [input.schedule]
    const schedules = []
    for (const name of names) {
      const view = scheduleView(db, name, fromMs, toMs)
      if (view === null) return refuse('SEV_PERSON_UNKNOWN', `there is no schedule ${name}`)
      schedules.push({ name, ...view })
    }
    return { schedules }
  },
})

export const postmortemShow = defineQuery({
  name: 'sev.postmortem.show',
  summary: 'Show the postmortem of an incident.',
  input: Which,
  output: PostmortemView,
  answer: (db, input, ctx) => {
    const row = pickAny(db, input.incident, ctx)
    if (!isIncident(row)) return row
    return (
      postmortemView(db, row) ??
      refuse('NOT_FOUND', `#${row.number} has no postmortem yet`, { hint: `Draft one with \`muster sev postmortem draft ${row.number}\`.` })
    )
  },
})

export const consoleQuery = defineQuery({
  name: 'sev.console',
  summary: 'Everything the console shows to you now.',
  input: z.strictObject({ person: z.string().optional() }),
  output: ConsoleView,
  answer: (db, input, ctx) => consoleView(db, input.person ?? nameOf(ctx.actor), ctx.now),
})
