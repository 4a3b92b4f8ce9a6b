import type { EntryDef } from '../contracts/entry.ts'
import * as incident from './entries/incident.ts'
import * as page from './entries/page.ts'
import * as postmortem from './entries/postmortem.ts'
import * as schedule from './entries/schedule.ts'

/** Every entry of sev; one file per machine. */
// eslint-disable-next-line typescript/no-explicit-any -- bodies differ per entry; the registry checks them by schema
export const sevEntries: readonly EntryDef<any>[] = [
  incident.IncidentOpened,
  incident.AlertsRaised,
  incident.AlertsResolved,
  incident.LevelChanged,
  incident.IncidentAcknowledged,
  incident.IncidentUnacknowledged,
  incident.IncidentMitigated,
  incident.IncidentResolved,
  incident.NoteAdded,
  page.StepDue,
  page.DeliveryIntended,
  page.DeliverySent,
  page.DeliveryConfirmed,
  page.DeliveryFailed,
  page.DeliveryDead,
  page.PageCancelled,
  schedule.ContactSet,
  schedule.TeamSet,
  schedule.ServiceSet,
  schedule.PolicySet,
  schedule.ScheduleSet,
  schedule.OverrideSet,
  schedule.ZoneSet,
  schedule.OncallApplied,
  postmortem.PostmortemDrafted,
  postmortem.PostmortemMoved,
]
