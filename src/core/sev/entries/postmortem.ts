import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { draftOf } from '../postmortem/draft.ts'
import { addTimeline } from '../timeline.ts'

/** The draft is made from the state where the entry stands, so the log holds no copy of the timeline. */
export const PostmortemDrafted = defineEntry({
  type: 'sev.PostmortemDrafted',
  body: z.strictObject({
    incident: z.number().int(),
    /** Markdown with `{{placeholders}}`; null: the built-in one */
    template: z.string().max(100_000).nullable().default(null),
  }),
  apply: (db, body, meta) => {
    db.run(
      `INSERT OR REPLACE INTO sev_postmortem (incident, state, markdown, drafted_at, position) VALUES (?, 'draft', ?, ?, ?)`,
      body.incident,
      draftOf(db, body.incident, meta.at, body.template),
      meta.at,
      meta.position,
    )
    addTimeline(db, body.incident, meta, 'postmortem', 'postmortem drafted')
  },
})

/** `draft → in-review → reviewed → closed`; closing it closes the incident. */
export const PostmortemMoved = defineEntry({
  type: 'sev.PostmortemMoved',
  body: z.strictObject({ incident: z.number().int(), to: z.enum(['in-review', 'reviewed', 'closed']) }),
  apply: (db, body, meta) => {
    db.run('UPDATE sev_postmortem SET state = ? WHERE incident = ?', body.to, body.incident)
    if (body.to === 'closed') {
      db.run(`UPDATE sev_incident SET state = 'closed', closed_at = ?, version = ? WHERE number = ?`, meta.at, meta.position, body.incident)
    }
    addTimeline(db, body.incident, meta, 'postmortem', `postmortem ${body.to}`)
  },
})
