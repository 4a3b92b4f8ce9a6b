import { z } from 'zod'
import { defineAction, defineCommand } from '../../contracts/operation.ts'
import { refuse } from '../../kernel/errors.ts'
import { ContactSet, OverrideSet, ZoneSet } from '../entries/schedule.ts'
import { overridesOf, personOf, scheduleOf, zonesFrom } from '../people.ts'
import { checkOncall, oncallEntries, zoneNamesOf } from '../schedule/compile.ts'
import { ContactSchema, NameSchema, OncallSchema, ZoneTableSchema } from '../schema.ts'

const ProblemView = z.object({
  path: z.array(z.union([z.string(), z.number()])),
  message: z.string(),
  kind: z.enum(['error', 'gap', 'warning']),
})

export const zoneTables = defineAction({
  name: 'sev.zone.tables',
  summary: 'Give the tables of time zones, from the one source the server has; unknown names are left out.',
  isMutation: false,
  input: z.strictObject({ names: z.string().max(4000) }),
  output: z.object({ zones: z.array(ZoneTableSchema) }),
})

const FileInput = z.strictObject({
  document: OncallSchema,
  /** tables of zones that are not known yet: from `sev.zone.tables` */
  zones: z.array(ZoneTableSchema).max(200).default([]),
})

export const scheduleSet = defineCommand({
  name: 'sev.schedule.set',
  summary: 'Put an on-call file in force: people, teams, services, policies, schedules.',
  role: 'admin',
  danger: 'low',
  input: FileInput.extend({
    /** its name, for the record */
    file: z.string().max(500).default(''),
    /** why a file with gaps is applied all the same */
    allowGap: z.string().trim().min(1).max(500).optional(),
  }),
  output: z.object({ people: z.number(), schedules: z.array(z.string()), problems: z.array(ProblemView), position: z.number() }),
  decide: (db, input, ctx) => {
    const zones = new Map([...zonesFrom(db), ...input.zones.map((zone) => [zone.tz, zone] as const)])
    const problems = checkOncall(input.document, zones, ctx.now)
    const stopping = problems.filter((problem) => problem.kind === 'error' || (problem.kind === 'gap' && input.allowGap === undefined))
    const [first] = stopping
    if (first) {
      const hint = first.kind === 'gap' ? 'Close the gap, or apply with --allow-gap REASON.' : undefined
      return refuse('SEV_SCHEDULE', `${first.path.join('.')}: ${first.message}`, {
        details: { problems: stopping },
        ...(hint === undefined ? {} : { hint }),
      })
    }
    const needed = new Set(zoneNamesOf(input.document))
    const known = zonesFrom(db)
    const fresh = input.zones.filter((zone) => needed.has(zone.tz) && known.get(zone.tz)?.version !== zone.version)
    return {
      entries: [...fresh.map((zone) => ZoneSet.of(zone)), ...oncallEntries(db, input.document, input.file)],
      reply: () => ({
        people: Object.keys(input.document.people).length,
        schedules: Object.keys(input.document.schedules),
        problems,
        position: ctx.position,
      }),
      warnings: problems.map((problem) => `${problem.path.join('.')}: ${problem.message}`),
    }
  },
})

export const overrideSet = defineCommand({
  name: 'sev.override.set',
  summary: 'Put somebody on call, take them off, or replace them, for a time.',
  input: z
    .strictObject({
      schedule: NameSchema,
      kind: z.enum(['add', 'remove', 'replace']),
      user: NameSchema,
      by: NameSchema.optional(),
      from: z.number().int(),
      to: z.number().int(),
      why: z.string().max(500).default(''),
    })
    .refine((input) => input.to > input.from, 'an override ends after it starts')
    .refine((input) => (input.kind === 'replace') === (input.by !== undefined), 'replace, and only replace, names who takes over'),
  output: z.object({ id: z.number() }),
  decide: (db, input, ctx) => {
    if (scheduleOf(db, input.schedule) === null) return refuse('SEV_PERSON_UNKNOWN', `there is no schedule ${input.schedule}`)
    for (const person of [input.user, input.by]) {
      if (person !== undefined && personOf(db, person) === null) return refuse('SEV_PERSON_UNKNOWN', `nobody is called ${person}`)
    }
    const clash = overridesOf(db, input.schedule).find(
      (other) => other.user === input.user && other.fromMs < input.to && other.toMs > input.from,
    )
    if (clash) return refuse('SEV_CONFLICT', `override #${clash.id} (${clash.kind}) already covers ${input.user} then`)
    return {
      entries: [
        OverrideSet.of({
          schedule: input.schedule,
          kind: input.kind,
          user: input.user,
          byUser: input.by ?? null,
          fromMs: input.from,
          toMs: input.to,
          why: input.why,
        }),
      ],
      reply: () => ({ id: ctx.position }),
    }
  },
})

export const contactSet = defineCommand({
  name: 'sev.contact.set',
  summary: 'Set how a person is reached, in the order to try.',
  input: z.strictObject({
    person: NameSchema,
    contacts: z.array(ContactSchema).max(16),
    timeZone: z.string().optional(),
    title: z.string().max(120).optional(),
  }),
  output: z.object({ person: z.string(), contacts: z.array(ContactSchema) }),
  decide: (db, input) => {
    const known = personOf(db, input.person)
    const unusable = input.contacts.find((contact) => contact.channel !== 'terminal' && contact.address === '')
    if (unusable) return refuse('USAGE', `a ${unusable.channel} contact needs an address`)
    const spec = {
      title: input.title ?? known?.title ?? input.person,
      timeZone: input.timeZone ?? known?.time_zone ?? 'UTC',
      contacts: input.contacts,
      isBuiltin: known?.is_builtin === 1,
    }
    return { entries: [ContactSet.of({ person: input.person, spec })], reply: () => ({ person: input.person, contacts: input.contacts }) }
  },
})

export const contactTest = defineAction({
  name: 'sev.contact.test',
  summary: 'Send a test page over the contacts of a person and say what each channel answered.',
  isMutation: true,
  input: z.strictObject({ person: NameSchema, channel: z.string().optional() }),
  output: z.object({
    person: z.string(),
    results: z.array(z.object({ channel: z.string(), isOk: z.boolean(), detail: z.string(), tookMs: z.number() })),
  }),
})
