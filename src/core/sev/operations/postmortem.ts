import { z } from 'zod'
import { defineCommand } from '../../contracts/operation.ts'
import { must } from '../../kernel/assert.ts'
import { isRefusal, refuse } from '../../kernel/errors.ts'
import { PostmortemDrafted, PostmortemMoved } from '../entries/postmortem.ts'
import { incidentRow, postmortemView } from '../queries.ts'
import { PostmortemView } from '../views.ts'
import { IncidentNumber, pickAny } from './pick.ts'

export const postmortemDraft = defineCommand({
  name: 'sev.postmortem.draft',
  summary: 'Draft the postmortem of an incident from its timeline, changes, verdicts and pages.',
  input: z.strictObject({ incident: IncidentNumber.optional(), template: z.string().max(100_000).optional() }),
  output: PostmortemView,
  decide: (db, input, ctx) => {
    const row = pickAny(db, input.incident, ctx)
    if (isRefusal(row)) return row
    const state = postmortemView(db, row)?.state
    if (state !== undefined && state !== 'draft')
      return refuse('SEV_STATE', `the postmortem of #${row.number} is ${state}: it is not written over`)
    return {
      entries: [PostmortemDrafted.of({ incident: row.number, template: input.template ?? null })],
      reply: (after) => must(postmortemView(after, must(incidentRow(after, row.number), 'the incident')), 'the draft'),
    }
  },
})

const ORDER = ['draft', 'in-review', 'reviewed', 'closed'] as const

export const postmortemMove = defineCommand({
  name: 'sev.postmortem.move',
  summary: 'Move a postmortem on: in-review, reviewed, closed; closing it closes the incident.',
  input: z.strictObject({ incident: IncidentNumber, to: z.enum(['in-review', 'reviewed', 'closed']) }),
  output: PostmortemView,
  decide: (db, input) => {
    const row = incidentRow(db, input.incident)
    if (row === null) return refuse('SEV_INCIDENT_UNKNOWN', `there is no incident #${input.incident}`)
    const state = postmortemView(db, row)?.state
    if (state === undefined) return refuse('SEV_STATE', `#${row.number} has no postmortem yet`)
    if (row.state !== 'resolved') return refuse('SEV_STATE', `#${row.number} is ${row.state}: its postmortem moves once it is resolved`)
    if (ORDER.indexOf(input.to) <= ORDER.findIndex((step) => step === state))
      return refuse('SEV_STATE', `the postmortem of #${row.number} is ${state} already`)
    return {
      entries: [PostmortemMoved.of({ incident: row.number, to: input.to })],
      reply: (after) => must(postmortemView(after, must(incidentRow(after, row.number), 'the incident')), 'the postmortem'),
    }
  },
})
