import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { formatDuration } from '../../kernel/units.ts'
import { levelRule } from '../levels.ts'
import { clockText, utcText } from '../schedule/calendar.ts'
import type { ChangeRow, DeliveryRow, IncidentRow, PageRow } from '../schema.ts'
import { timelineOf } from '../timeline.ts'
import { evidenceLines } from './evidence.ts'
import { POSTMORTEM_TEMPLATE } from './template.ts'

interface Alert {
  source: string
  dedup_key: string
  summary: string
  state: string
  count: number
  first_at: number
  last_at: number
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')

const since = (from: number, to: number): string => (to - from < 1000 ? 'at once' : formatDuration(to - from))

function facts(incident: IncidentRow): string {
  const rows: [string, string][] = [
    ['service', incident.service ?? 'the whole fleet'],
    ['level', `SEV${incident.level} (${levelRule(incident.level).title})${incident.is_drill === 1 ? ', a drill' : ''}`],
    ['bad', `${utcText(incident.bad_at)} (times below: after this)`],
    ['detected', `${utcText(incident.detected_at)} (${since(incident.bad_at, incident.detected_at)})`],
    ['paged', incident.paged_at === null ? 'nobody' : `${utcText(incident.paged_at)} (${since(incident.bad_at, incident.paged_at)})`],
    [
      'acknowledged',
      incident.acked_at === null
        ? 'nobody'
        : `${utcText(incident.acked_at)} (${since(incident.bad_at, incident.acked_at)}) by ${incident.acked_by ?? ''}`,
    ],
    [
      'mitigated',
      incident.mitigated_at === null ? 'not yet' : `${utcText(incident.mitigated_at)} (${since(incident.bad_at, incident.mitigated_at)})`,
    ],
    [
      'resolved',
      incident.resolved_at === null ? 'not yet' : `${utcText(incident.resolved_at)} (${since(incident.bad_at, incident.resolved_at)})`,
    ],
  ]
  return ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${cell(value)} |`)].join('\n')
}

function timeline(db: ReadDb, number: number): string {
  const rows = timelineOf(db, number).map(
    (row) =>
      `| ${utcText(row.event_at).slice(0, 10)} ${clockText(row.event_at, true)} | ${cell(row.kind)} | ${cell(row.text)} | ${cell(row.actor)} | ${row.position} |`,
  )
  return [
    'Times in UTC; the last column is the position in the log.',
    '',
    '| time | what | text | who | entry |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

function escalation(db: ReadDb, number: number): string {
  const pages = db.all<PageRow>('SELECT * FROM sev_page WHERE incident = ? ORDER BY position, id', number)
  if (pages.length === 0) return 'Nobody was paged.'
  return pages
    .map((page) => {
      const tries = db
        .all<DeliveryRow>(`SELECT * FROM sev_delivery WHERE page = ? AND kind = 'page' ORDER BY contact`, page.id)
        .map((delivery) => `${delivery.channel} ${delivery.state}${delivery.attempts > 1 ? ` after ${delivery.attempts} tries` : ''}`)
      return `- ${clockText(page.at, true)} ${page.person} (step ${page.step + 1}; ${page.via}): ${page.state}; ${tries.join(', ') || 'no contact'}`
    })
    .join('\n')
}

const isUndo = (change: ChangeRow): boolean => /RolledBack|Reverted|FaultReverted|Returned|Halted|DrainFinished/.test(change.type)

const bullets = (lines: string[], none: string): string => (lines.length === 0 ? none : lines.map((line) => `- ${line}`).join('\n'))

/** Fills the template from what the log knows: timeline, changes, verdicts, alerts, pages. What only people know stays a question. */
export function draftOf(db: ReadDb, number: number, now: number, template: string | null): string {
  const incident = must(db.get<IncidentRow>('SELECT * FROM sev_incident WHERE number = ?', number), `incident ${number}`)
  const alerts = db.all<Alert>('SELECT * FROM sev_alert WHERE incident = ? ORDER BY id', number)
  const until = incident.resolved_at ?? now
  const changes = db.all<ChangeRow>(
    'SELECT * FROM sev_change WHERE at >= ? AND at <= ? AND (service IS NULL OR ? IS NULL OR service = ?) ORDER BY position',
    incident.detected_at - 3_600_000,
    until,
    incident.service,
    incident.service,
  )
  const before = changes.filter((change) => change.at <= incident.detected_at)
  const remedies = changes.filter((change) => change.at >= incident.bad_at && isUndo(change))
  const verdicts = changes.filter((change) => change.type === 'deploy.StepVerdict' || change.type === 'deploy.RollBack')
  const hurtMs = (incident.mitigated_at ?? until) - incident.bad_at
  const sections: Record<string, string> = {
    level: String(incident.level),
    incident: String(number),
    title: incident.title,
    facts: facts(incident),
    summary: [
      `${incident.title}. It was noticed by ${incident.source === 'person' ? incident.opened_by : incident.source} at ${utcText(incident.detected_at)}`,
      incident.mitigated_at === null ? ' and is not mitigated yet.' : ` and mitigated after ${formatDuration(Math.max(0, hurtMs))}.`,
      incident.cause ? ` Cause as stated: ${incident.cause}.` : ' The cause is still to be written here.',
      incident.during_run === null ? '' : ` A chaos run was under way: ${incident.during_run}.`,
    ].join(''),
    impact: [
      `Users were hurt for ${formatDuration(Math.max(0, hurtMs))}${incident.mitigated_at === null ? ' so far' : ''}`,
      `(${incident.service ?? 'the whole fleet'}). How many, and how, is to be written here.`,
    ].join(' '),
    timeline: timeline(db, number),
    detection: bullets(
      alerts.map((alert) => `${clockText(alert.first_at, true)} ${alert.summary} (${alert.source}, ${alert.count}×, ${alert.state})`),
      `Declared by ${incident.opened_by}; no alert fired.`,
    ),
    escalation: escalation(db, number),
    remediation: bullets(
      [
        ...remedies.map((change) => `${clockText(change.at, true)} ${change.text} (${change.actor})`),
        ...(incident.mitigated_at === null ? [] : [`mitigated at ${utcText(incident.mitigated_at)}`]),
        ...(incident.resolved_at === null ? [] : [`resolved at ${utcText(incident.resolved_at)} by ${incident.resolved_by ?? ''}`]),
      ],
      'Nothing was undone by the system.',
    ),
    evidence: bullets(
      [
        ...before
          .slice(-10)
          .map((change) => `changed ${formatDuration(incident.detected_at - change.at)} before: ${change.text} (entry ${change.position})`),
        ...verdicts.flatMap((change) => evidenceLines(change)),
      ],
      'No change in the hour before, no verdict.',
    ),
    prevention: 'What makes this impossible, or small, next time? Each action has an owner, a day and a proof.',
  }
  return (template ?? POSTMORTEM_TEMPLATE).replaceAll(/\{\{(\w+)\}\}/g, (whole, name: string) => sections[name] ?? whole)
}
