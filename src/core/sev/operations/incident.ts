import { z } from 'zod'
import { defineCommand, type Decision } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { refuse } from '../../kernel/errors.ts'
import { IncidentMitigated, IncidentOpened, LevelChanged, nameOf, NoteAdded } from '../entries/incident.ts'
import { ladderOf, peopleOf, rungAt } from '../people.ts'
import { incidentView } from '../queries.ts'
import { resolveEntries } from '../resolve.ts'
import { LevelSchema } from '../schema.ts'
import { IncidentNumber, isIncident, pickIncident } from './pick.ts'
import { Acted, acted, isOver } from './acted.ts'
import { ackOne } from './answer.ts'

/** The first rung that has people, and they. */
function firstAsked(db: ReadDb, service: string | null, level: 1 | 2 | 3 | 4, now: number): string[] {
  const ladder = ladderOf(db, service, level)
  for (let i = 0; i < ladder.rungs.length; i += 1) {
    const people = peopleOf(db, must(rungAt(ladder, i), 'a rung').targets, service, now)
    if (people.length > 0) return people.map((target) => target.person)
  }
  return []
}

export const incidentDeclare = defineCommand({
  name: 'sev.incident.declare',
  summary: 'Open an incident and page who is on call.',
  input: z.strictObject({
    title: z.string().trim().min(1).max(200),
    service: z.string().max(80).optional(),
    level: LevelSchema.default(2),
    /** since when it is bad, ms */
    since: z.number().int().optional(),
    isDrill: z.boolean().default(false),
  }),
  output: Acted.extend({ asked: z.array(z.string()) }),
  decide: (db, input, ctx) => {
    const service = input.service ?? null
    const asked = firstAsked(db, service, input.level, ctx.now)
    const entry = IncidentOpened.of({
      title: input.isDrill ? `DRILL ${input.title}`.slice(0, 200) : input.title,
      service,
      // Nothing of the moment is in the entry: a plan of it stays the same plan until it is applied.
      groupKey: '',
      level: input.level,
      badAt: input.since ?? null,
      source: 'person',
      isDrill: input.isDrill,
    })
    const text = input.level === 4 ? 'nobody is paged for a SEV4' : asked.length === 0 ? 'nobody is on call' : `paging ${asked.join(', ')}`
    const decision: Decision<z.input<typeof Acted> & { asked: string[] }> = {
      entries: [entry],
      reply: (after) => ({ ...acted(ctx.position, ctx, `#${ctx.position} opened, ${text}`)(after), asked }),
    }
    if (asked.length === 0 && input.level < 4) decision.warnings = ['nobody is on call: see `muster sev oncall`']
    return decision
  },
})

export const incidentLevel = defineCommand({
  name: 'sev.incident.level',
  summary: 'Change the level of an incident; raising asks again from the first step.',
  input: z.strictObject({ incident: IncidentNumber.optional(), level: LevelSchema, why: z.string().trim().max(500).default('') }),
  output: Acted.extend({ ackDueBefore: z.number().nullable() }),
  decide: (db, input, ctx) => {
    const row = pickIncident(db, input.incident, ctx)
    if (!isIncident(row)) return row
    if (isOver(row)) return refuse('SEV_STATE', `#${row.number} is ${row.state}`)
    if (input.level > row.level && input.why === '') return refuse('USAGE', 'lowering a level needs a reason', { hint: 'Add --why TEXT.' })
    const ackDueBefore = incidentView(db, row).ackDueAt
    if (input.level === row.level)
      return {
        entries: [],
        reply: (after) => ({ ...acted(row.number, ctx, `#${row.number} is SEV${row.level} already`)(after), ackDueBefore }),
      }
    const text = `#${row.number} is SEV${input.level} now${input.level < row.level ? ', paging again from the first step' : ''}`
    return {
      entries: [LevelChanged.of({ incident: row.number, level: input.level, why: input.why })],
      reply: (after) => ({ ...acted(row.number, ctx, text)(after), ackDueBefore }),
    }
  },
})

const Instant = z.strictObject({
  incident: IncidentNumber.optional(),
  cause: z.string().trim().max(2000).default(''),
  /** when it happened, ms; now by default */
  at: z.number().int().optional(),
})

export const incidentMitigate = defineCommand({
  name: 'sev.incident.mitigate',
  summary: 'Say that users are no longer hurt.',
  input: Instant,
  output: Acted,
  decide: (db, input, ctx) => {
    const row = pickIncident(db, input.incident, ctx)
    if (!isIncident(row)) return row
    if (isOver(row)) return refuse('SEV_STATE', `#${row.number} is ${row.state}`)
    // Who says that it is over has seen it.
    const entries = row.state === 'open' ? ackOne(row, ctx) : []
    return {
      entries: [...entries, IncidentMitigated.of({ incident: row.number, at: Math.min(input.at ?? ctx.now, ctx.now), why: input.cause })],
      reply: acted(row.number, ctx, `#${row.number} is mitigated`),
    }
  },
})

export const incidentResolve = defineCommand({
  name: 'sev.incident.resolve',
  summary: 'Say that the cause is removed; drafts the postmortem.',
  input: Instant.extend({ template: z.string().max(100_000).optional() }),
  output: Acted,
  decide: (db, input, ctx) => {
    const row = pickIncident(db, input.incident, ctx)
    if (!isIncident(row)) return row
    if (isOver(row)) return { entries: [], reply: acted(row.number, ctx, `#${row.number} is ${row.state} already`) }
    if (row.level <= 2 && input.cause === '')
      return refuse('USAGE', `resolving a SEV${row.level} needs a cause`, { hint: 'Add --cause TEXT; `unknown` is an answer.' })
    const at = Math.min(input.at ?? ctx.now, ctx.now)
    return {
      entries: resolveEntries(db, row.number, { at, cause: input.cause, by: nameOf(ctx.actor), template: input.template }),
      reply: acted(row.number, ctx, `#${row.number} is resolved; its postmortem is drafted`),
    }
  },
})

export const noteAdd = defineCommand({
  name: 'sev.note.add',
  summary: 'Write a line into the timeline of an incident.',
  input: z.strictObject({
    incident: IncidentNumber.optional(),
    text: z.string().trim().min(1).max(4000),
    isDecision: z.boolean().default(false),
  }),
  output: Acted,
  decide: (db, input, ctx) => {
    const row = pickIncident(db, input.incident, ctx)
    if (!isIncident(row)) return row
    return {
      entries: [NoteAdded.of({ incident: row.number, text: input.text, isDecision: input.isDecision })],
      reply: acted(row.number, ctx, `noted in #${row.number}`),
    }
  },
})
