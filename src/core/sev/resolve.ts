import type { Proposal } from '../contracts/entry.ts'
import type { ReadDb } from '../contracts/storage.ts'
import { IncidentResolved } from './entries/incident.ts'
import { PageCancelled } from './entries/page.ts'
import { PostmortemDrafted } from './entries/postmortem.ts'

/** What resolving an incident takes, whoever does it: the instant, the end of its pages, the draft of its postmortem. */
export function resolveEntries(
  db: ReadDb,
  incident: number,
  how: { at: number; cause: string; by: string; template?: string | undefined },
): Proposal[] {
  const entries = [
    IncidentResolved.of({ incident, at: how.at, cause: how.cause }),
    PageCancelled.of({ incident, why: `resolved by ${how.by}`, by: how.by }),
  ]
  // A draft somebody already works on is not written over.
  const existing = db.get<{ state: string }>('SELECT state FROM sev_postmortem WHERE incident = ?', incident)
  if (existing === undefined || existing.state === 'draft') entries.push(PostmortemDrafted.of({ incident, template: how.template ?? null }))
  return entries
}
