import { formatDuration } from '../../core/kernel/units.ts'
import { clockText, dateText, utcText } from '../../core/sev/schedule/calendar.ts'
import type { IncidentView, PageView, PostmortemView, TimelineRowView, WhyView } from '../../core/sev/views.ts'
import type { View } from '../terminal.ts'
import { mark, paint, type Mark } from './style.ts'
import { fields, table } from './table.ts'
import { count } from './text.ts'

/** Renderers of incidents: pure, from view to text. */

const STATE_MARK: Record<string, Mark> = { open: 'bad', acked: 'busy', mitigated: 'warn', resolved: 'ok', closed: 'off' }

const whole = (ms: number): string => (ms < 1000 ? '0s' : formatDuration(Math.floor(ms / 1000) * 1000))

/** `due in 1m48s`, `2m late`, or what came instead. */
function ackText(row: IncidentView, now: number): string {
  if (row.ackedBy !== null) return `by ${row.ackedBy}`
  if (row.ackDueAt === null) return '-'
  return row.ackDueAt > now ? `due in ${whole(row.ackDueAt - now)}` : `${whole(now - row.ackDueAt)} late`
}

const age = (row: IncidentView, now: number): string => whole((row.resolvedAt ?? now) - row.openedAt)

const levelText = (row: IncidentView, view: View): string => paint(view, row.level <= 2 ? 'red' : 'yellow', `SEV${row.level}`)

export function renderIncidents(data: { now: number; incidents: IncidentView[] }, view: View): string {
  return table(
    view,
    data.incidents,
    [
      { title: 'n', cell: (row) => `#${row.number}`, align: 'right' },
      { title: 'level', cell: (row) => levelText(row, view) },
      { title: 'state', cell: (row) => mark(view, STATE_MARK[row.state] ?? 'off', row.state) },
      { title: 'age', cell: (row) => age(row, data.now), align: 'right' },
      { title: 'ack', cell: (row) => ackText(row, data.now) },
      { title: 'service', cell: (row) => row.service ?? 'fleet' },
      { title: 'alerts', cell: (row) => row.alertCount, align: 'right' },
      { title: 'paging', cell: (row) => row.paging.join(', ') || null, isWide: true },
      { title: 'title', cell: (row) => `${row.duringRun === null ? '' : `[chaos ${row.duringRun}] `}${row.title}`, canShrink: true },
    ],
    'No incident is open.',
  )
}

interface ShowData {
  now: number
  incident: IncidentView
  alerts: { source: string; summary: string; state: string; count: number; firstAt: number }[]
  pages: PageView[]
  changed: { at: number; text: string; actor: string }[]
  postmortem: string | null
  /** none of a server that is older */
  holds?: { id: number; table: string | null; fromMs: number; toMs: number; reason: string; setBy: string }[]
}

const instant = (at: number | null, from: number): string | null => (at === null ? null : `${utcText(at)} (${whole(at - from)} after bad)`)

export function renderIncident(data: ShowData, view: View): string {
  const { incident: row, now } = data
  const parts = [
    `${levelText(row, view)} #${row.number} ${paint(view, 'bold', row.title)}`,
    fields(view, [
      ['state', `${mark(view, STATE_MARK[row.state] ?? 'off', row.state)}, ${age(row, now)} old, generation ${row.generation}`],
      ['service', row.service ?? 'the whole fleet'],
      ['opened', `${utcText(row.openedAt)} by ${row.source}`],
      ['during', row.duringRun === null ? null : `chaos run ${row.duringRun}`],
      ['recurrence', row.recurrenceOf === null ? null : `of #${row.recurrenceOf}`],
      ['paged', instant(row.pagedAt, row.badAt)],
      ['ack', row.state === 'open' ? ackText(row, now) : instant(row.ackedAt, row.badAt)],
      ['mitigated', instant(row.mitigatedAt, row.badAt)],
      ['resolved', instant(row.resolvedAt, row.badAt)],
      ['cause', row.cause === '' ? null : row.cause],
      ['next step', row.nextStepAt === null ? null : `${row.nextStep} in ${whole(row.nextStepAt - now)}`],
      ['postmortem', data.postmortem],
    ]),
    section(
      view,
      'ALERTS',
      data.alerts.map((alert) => `${clockText(alert.firstAt, true)} ${alert.source} ${alert.state} ${alert.count}×  ${alert.summary}`),
    ),
    section(
      view,
      'PAGES',
      data.pages.flatMap((page) => [
        `${clockText(page.at, true)} ${page.person} ${page.state}  ${page.via}`,
        ...page.deliveries.map(
          (it) =>
            `         ${it.kind === 'notice' ? 'notice over ' : ''}${it.channel} ${it.state}${it.detail === '' ? '' : ` (${it.detail})`}`,
        ),
      ]),
    ),
    section(
      view,
      'CHANGED BEFORE',
      data.changed.map((change) => `-${whole(row.openedAt - change.at)} ${change.text} (${change.actor})`),
    ),
    section(
      view,
      'ROWS HELD',
      (data.holds ?? []).flatMap(({ id, table: name, fromMs, toMs, reason, setBy }) => [
        `${name ?? 'all tables'} from ${utcText(fromMs)} to ${utcText(toMs)}: ${reason} (${setBy})`,
        `         release: muster scuba hold rm ${id} --yes`,
      ]),
    ),
  ]
  return parts.filter((part) => part !== '').join('\n')
}

function section(view: View, title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `\n${paint(view, 'bold', title)}\n${lines.map((line) => `  ${line}`).join('\n')}`
}

/** One sentence and where it is durable. */
export function renderActed(data: { text: string; position: number }, view: View): string {
  return `${data.text} ${paint(view, 'dim', `(durable at position ${data.position})`)}`
}

export function renderTimeline(data: { incident: number; rows: TimelineRowView[]; brokenRow: number | null }, view: View): string {
  const text = table(view, data.rows, [
    { title: 'time (utc)', cell: (row) => `${dateText(row.at)} ${clockText(row.at, true)}` },
    { title: 'logged', cell: (row) => clockText(row.loggedAt, true), isWide: true },
    { title: 'kind', cell: (row) => row.kind },
    { title: 'text', cell: (row) => row.text, canShrink: true },
    { title: 'who', cell: (row) => row.actor, canShrink: true },
    { title: 'entry', cell: (row) => row.position, align: 'right' },
  ])
  if (data.brokenRow === null) return text
  return `${text}\n${data.brokenRow === 0 ? mark(view, 'ok', 'the hash chain is whole') : mark(view, 'bad', `the hash chain breaks at row ${data.brokenRow}`)}`
}

export function renderWhy(data: WhyView, view: View): string {
  const pages = data.pages.map(
    (page) => `\n${paint(view, 'bold', `${page.person} (page ${page.page})`)}\n${page.chain.map((link) => `  → ${link}`).join('\n')}`,
  )
  return [`#${data.incident}: ${data.opened}`, ...(pages.length === 0 ? ['Nobody was paged.'] : pages)].join('\n')
}

export function renderPostmortem(data: PostmortemView): string {
  return data.markdown.trimEnd()
}

/** What one log entry says to somebody who watches, or null. */
export function describeEntry(entry: { type: string; at: number; body: unknown }, wanted: { drill?: boolean } = {}): string | null {
  const body = entry.body as Record<string, unknown>
  const at = clockText(entry.at, true)
  switch (entry.type) {
    case 'sev.IncidentOpened':
      return `${at}Z ${wanted.drill ? 'DRILL ' : ''}SEV${String(body['level'])} opened: ${String(body['title'])}`
    case 'sev.StepDue':
      return `${at}Z #${String(body['incident'])} ${String(body['name'])}: paging ${(body['persons'] as { person: string }[]).map(({ person }) => person).join(', ') || 'nobody'}`
    case 'sev.DeliverySent':
      return `${at}Z page ${String(body['key'])} sent`
    case 'sev.DeliveryFailed':
      return `${at}Z page ${String(body['key'])} failed: ${String(body['error'])}`
    case 'sev.DeliveryDead':
      return `${at}Z page ${String(body['page'])} is dead: ${String(body['why'])}`
    case 'sev.IncidentAcknowledged':
    case 'sev.IncidentUnacknowledged':
    case 'sev.IncidentMitigated':
    case 'sev.IncidentResolved':
      return `${at}Z #${String(body['incident'])} ${entry.type.slice('sev.Incident'.length).toLowerCase()}`
    case 'sev.LevelChanged':
      return `${at}Z #${String(body['incident'])} is SEV${String(body['level'])} now`
    case 'sev.NoteAdded':
      return `${at}Z #${String(body['incident'])} ${String(body['text'])}`
    default:
      return null
  }
}

export function renderDrafted(path: string, incident: number, bytes: number): string {
  return `postmortem of #${incident} written to ${path} (${count(bytes, 'byte')})`
}
