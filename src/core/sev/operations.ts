import type { Operation } from '../contracts/operation.ts'
import * as answer from './operations/answer.ts'
import * as incident from './operations/incident.ts'
import * as people from './operations/people.ts'
import * as postmortem from './operations/postmortem.ts'
import * as read from './operations/read.ts'

/** What can be asked of sev. */
export const sevOperations: readonly Operation[] = [
  incident.incidentDeclare,
  answer.incidentAck,
  answer.incidentUnack,
  answer.incidentEscalate,
  incident.incidentLevel,
  incident.incidentMitigate,
  incident.incidentResolve,
  incident.noteAdd,
  answer.pageReceipt,
  people.scheduleSet,
  people.overrideSet,
  people.contactSet,
  people.contactTest,
  people.zoneTables,
  postmortem.postmortemDraft,
  postmortem.postmortemMove,
  read.incidentList,
  read.incidentShow,
  read.timeline,
  read.why,
  read.oncall,
  read.scheduleShow,
  read.postmortemShow,
  read.consoleQuery,
]

export { incidentAck, incidentEscalate, incidentUnack, pageReceipt } from './operations/answer.ts'
export { incidentDeclare, incidentLevel, incidentMitigate, incidentResolve, noteAdd } from './operations/incident.ts'
export { contactSet, contactTest, overrideSet, scheduleSet, zoneTables } from './operations/people.ts'
export { postmortemDraft, postmortemMove } from './operations/postmortem.ts'
export { consoleQuery, incidentList, incidentShow, oncall, postmortemShow, scheduleShow, timeline, why } from './operations/read.ts'
