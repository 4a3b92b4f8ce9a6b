import type { ReadDb } from '../contracts/storage.ts'
import { must } from '../kernel/assert.ts'
import { formatDuration } from '../kernel/units.ts'
import { utcText } from './schedule/calendar.ts'
import { changesBefore } from './queries.ts'
import type { DeliveryRow, IncidentRow, PageRow } from './schema.ts'

/** What a page says, on every channel. */
export interface PageBody {
  /** at most 160 characters: all that a text message shows */
  firstLine: string
  text: string
  facts: {
    kind: 'page' | 'notice'
    incident: number
    level: number
    state: string
    title: string
    service: string | null
    person: string
    step: number
    openedAt: string
    duringChaosRun: string | null
  }
}

const FIRST_LINE_MAX = 160

/** Cuts the middle part so that head and tail are always whole. */
function fit(head: string, middle: string, tail: string): string {
  const room = FIRST_LINE_MAX - [...head].length - [...tail].length
  const letters = [...middle]
  return head + (letters.length <= room ? middle : `${letters.slice(0, Math.max(0, room - 1)).join('')}…`) + tail
}

const SECRET = /\b(?:password|passwd|secret|token|api[-_]?key|authorization)\b(\s*[=:]\s*|\s+bearer\s+)\S+/gi

/** Takes out what looks like a secret: pages go through other people's machines. */
export function scrub(text: string): string {
  return text.replace(SECRET, (whole) => `${whole.split(/[=:\s]/)[0]}=***`)
}

/** The one line: `SEV1 #1042 feed errors 7.3% · sev ack 1042`. */
export function firstLineOf(incident: IncidentRow, kind: 'page' | 'notice', why: string): string {
  const drill = incident.is_drill === 1 ? 'DRILL ' : ''
  const head = `${drill}SEV${incident.level} #${incident.number} `
  const title = scrub(incident.title).replaceAll(/\s+/g, ' ')
  if (kind === 'notice') return fit(head, title, ` · stand down: ${why}`.slice(0, 80))
  const chaos = incident.during_run === null ? '' : ` · during chaos run ${incident.during_run}`.slice(0, 40)
  return fit(head, title, `${chaos} · sev ack ${incident.number}`)
}

/** The body of one delivery, from the state now. */
export function bodyOf(db: ReadDb, delivery: DeliveryRow): PageBody {
  const incident = must(
    db.get<IncidentRow>('SELECT * FROM sev_incident WHERE number = ?', delivery.incident),
    `incident ${delivery.incident}`,
  )
  const page = must(db.get<PageRow>('SELECT * FROM sev_page WHERE id = ?', delivery.page), `page ${delivery.page}`)
  const changes = changesBefore(db, incident.service, incident.detected_at, 3_600_000, 3)
  const firstLine = firstLineOf(incident, delivery.kind, page.why)
  const lines = [
    firstLine,
    '',
    `service  ${incident.service ?? 'the whole fleet'}`,
    `opened   ${utcText(incident.detected_at)} by ${incident.source}`,
    `why you  ${page.via}`,
    ...(incident.during_run === null ? [] : [`chaos    during run ${incident.during_run}`]),
    ...(changes.length === 0 ? [] : ['changed']),
    ...changes.map((change) => `  -${formatDuration(Math.max(0, incident.detected_at - change.at))} ${scrub(change.text)}`),
    '',
    delivery.kind === 'page'
      ? `Acknowledge: muster sev ack ${incident.number}   Look: muster sev show ${incident.number}`
      : 'Nothing is asked of you any more.',
    ...(delivery.attempts > 0 ? ['(repeat of a delivery that may have arrived)'] : []),
  ]
  return {
    firstLine,
    text: `${lines.join('\n')}\n`,
    facts: {
      kind: delivery.kind,
      incident: incident.number,
      level: incident.level,
      state: incident.state,
      title: scrub(incident.title),
      service: incident.service,
      person: delivery.person,
      step: page.step,
      openedAt: utcText(incident.detected_at),
      duringChaosRun: incident.during_run,
    },
  }
}
