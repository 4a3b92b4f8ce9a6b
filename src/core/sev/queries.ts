import type { ReadDb } from '../contracts/storage.ts'
import { levelRule } from './levels.ts'
import { ladderOf, ownerOf, rungAt } from './people.ts'
import type { ChangeRow, DeliveryRow, IncidentRow, PageRow } from './schema.ts'
import { timelineOf } from './timeline.ts'
import type { ChangeView, DeliveryView, IncidentView, PageView, PostmortemView, TimelineRowView, WhyView } from './views.ts'

export { incidentSpans, type IncidentSpan } from './spans.ts'

/** sev's read side: db → view. Other systems ask here whether an incident is open. */

const ACTIVE = `('open', 'acked', 'mitigated')`

/** Open incidents of a service (null: of the whole fleet), most urgent first; `levelMax` 2 gives SEV1 and SEV2. */
export function openIncidents(db: ReadDb, service?: string | null, levelMax = 4): IncidentRow[] {
  return db.all<IncidentRow>(
    `SELECT * FROM sev_incident WHERE state IN ${ACTIVE} AND level <= ? AND (? = 0 OR service IS ?) ORDER BY level, state <> 'open', number`,
    levelMax,
    service === undefined ? 0 : 1,
    service ?? null,
  )
}

export function incidentRow(db: ReadDb, number: number): IncidentRow | null {
  return db.get<IncidentRow>('SELECT * FROM sev_incident WHERE number = ?', number) ?? null
}

export function incidentView(db: ReadDb, row: IncidentRow): IncidentView {
  const alerts = db.get<{ n: number; firing: number }>(
    `SELECT COUNT(*) AS n, COALESCE(SUM(state = 'firing'), 0) AS firing FROM sev_alert WHERE incident = ?`,
    row.number,
  )
  const paging = db.all<{ person: string }>(
    `SELECT DISTINCT person FROM sev_page WHERE incident = ? AND state = 'open' ORDER BY person`,
    row.number,
  )
  const due = levelRule(row.level).ackDueMs
  const next = row.state === 'open' && row.step_due_at !== null ? rungAt(ladderOf(db, row.service, row.level), row.step_next) : null
  return {
    number: row.number,
    title: row.title,
    service: row.service,
    level: row.level,
    state: row.state,
    isDrill: row.is_drill === 1,
    source: row.source,
    duringRun: row.during_run,
    recurrenceOf: row.recurrence_of,
    generation: row.generation,
    badAt: row.bad_at,
    openedAt: row.detected_at,
    pagedAt: row.paged_at,
    ackedAt: row.acked_at,
    ackedBy: row.acked_by,
    mitigatedAt: row.mitigated_at,
    resolvedAt: row.resolved_at,
    cause: row.cause,
    ackDueAt: row.state === 'open' && due !== null ? row.ladder_at + due : null,
    alertCount: alerts?.n ?? 0,
    firingCount: alerts?.firing ?? 0,
    paging: paging.map(({ person }) => person),
    nextStepAt: next === null ? null : row.step_due_at,
    nextStep: next === null ? null : next.targets.join(', '),
    version: row.version,
  }
}

export interface ListFilter {
  isAll: boolean
  levels: readonly number[]
  service: string | null
  /** only incidents this person was paged for, or acknowledged */
  person: string | null
}

export function incidentList(db: ReadDb, filter: ListFilter, limit: number): IncidentView[] {
  const rows = db.all<IncidentRow>(
    `SELECT * FROM sev_incident i WHERE (? = 1 OR state IN ${ACTIVE}) AND (? IS NULL OR service = ?)
       AND (? IS NULL OR acked_by = ? OR EXISTS (SELECT 1 FROM sev_page p WHERE p.incident = i.number AND p.person = ?))
     ORDER BY state IN ${ACTIVE} DESC, CASE WHEN state IN ${ACTIVE} THEN level ELSE 0 END, number DESC LIMIT ?`,
    filter.isAll ? 1 : 0,
    filter.service,
    filter.service,
    filter.person,
    filter.person,
    filter.person,
    limit,
  )
  return rows.filter((row) => filter.levels.length === 0 || filter.levels.includes(row.level)).map((row) => incidentView(db, row))
}

export function deliveryView(row: DeliveryRow): DeliveryView {
  return {
    key: row.key,
    person: row.person,
    channel: row.channel,
    kind: row.kind,
    state: row.state,
    attempts: row.attempts,
    at: row.at,
    sentAt: row.sent_at,
    nextAt: row.next_at,
    detail: row.detail,
    position: row.position,
  }
}

export function pagesOf(db: ReadDb, incident: number): PageView[] {
  return db.all<PageRow>('SELECT * FROM sev_page WHERE incident = ? ORDER BY position, id', incident).map((page) => ({
    id: page.id,
    person: page.person,
    via: page.via,
    step: page.step,
    generation: page.generation,
    state: page.state,
    why: page.why,
    at: page.at,
    position: page.position,
    deliveries: db.all<DeliveryRow>('SELECT * FROM sev_delivery WHERE page = ? ORDER BY position, key', page.id).map(deliveryView),
  }))
}

export function alertsOf(db: ReadDb, incident: number) {
  return db
    .all<{
      source: string
      dedup_key: string
      level: number
      state: string
      summary: string
      count: number
      first_at: number
      last_at: number
    }>('SELECT * FROM sev_alert WHERE incident = ? ORDER BY id', incident)
    .map((row) => ({
      source: row.source,
      dedupKey: row.dedup_key,
      level: row.level,
      state: row.state,
      summary: row.summary,
      count: row.count,
      firstAt: row.first_at,
      lastAt: row.last_at,
    }))
}

export function changeView(row: ChangeRow): ChangeView {
  return {
    position: row.position,
    at: row.at,
    system: row.system,
    kind: row.kind,
    target: row.target,
    service: row.service,
    text: row.text,
    actor: row.actor,
  }
}

/** What follows from a change is no change: it would hide the one that matters. */
const CONSEQUENCES = `('deploy.StepVerdict', 'deploy.RollBack', 'deploy.RolledBack', 'deploy.RollbackStuck', 'deploy.BreakerTripped', 'tw.NodeLost',
  'tw.TasksReported', 'scuba.AlertMoved', 'scuba.LeafDiskMoved', 'scuba.AlertLateVerdict')`

/** What changed in the window before an instant: the same service first, then nearest in time. */
export function changesBefore(db: ReadDb, service: string | null, atMs: number, windowMs: number, limit: number): ChangeView[] {
  return db
    .all<ChangeRow>(
      `SELECT * FROM sev_change WHERE at <= ? AND at >= ? AND type NOT IN ${CONSEQUENCES} ORDER BY (service IS ?) DESC, (service IS NULL) DESC, position DESC LIMIT ?`,
      atMs,
      atMs - windowMs,
      service,
      limit,
    )
    .map(changeView)
}

export function timelineView(db: ReadDb, incident: number, sinceMs = 0): TimelineRowView[] {
  return timelineOf(db, incident)
    .filter((row) => row.event_at >= sinceMs)
    .map((row) => ({
      n: row.n,
      at: row.event_at,
      loggedAt: row.at,
      actor: row.actor,
      kind: row.kind,
      text: row.text,
      position: row.position,
    }))
}

/** Rule → service → level → step → schedule → person → channel, each with its log position. */
export function whyView(db: ReadDb, row: IncidentRow): WhyView {
  const owner = ownerOf(db, row.service)
  const ladder = ladderOf(db, row.service, row.level)
  return {
    incident: row.number,
    opened: `SEV${row.level} because ${row.source === 'person' ? `${row.opened_by} declared it` : `${row.source} raised it`} (entry ${row.number})`,
    team: owner.team,
    policy: ladder.policy,
    pages: pagesOf(db, row.number).map((page) => ({
      page: page.id,
      person: page.person,
      position: page.position,
      chain: [
        `service ${row.service ?? '(whole fleet)'} → team ${owner.team ?? 'none'}`,
        `SEV${row.level} → policy ${ladder.policy} → step ${page.step + 1} of generation ${page.generation} (entry ${page.position})`,
        page.via,
        `person ${page.person}: ${page.state}`,
        ...page.deliveries.map(
          (delivery) =>
            `${delivery.channel}: ${delivery.state}${delivery.detail === '' ? '' : ` (${delivery.detail})`} (entry ${delivery.position})`,
        ),
      ],
    })),
  }
}

export function postmortemView(db: ReadDb, row: IncidentRow): PostmortemView | null {
  const found = db.get<{ state: string; markdown: string; drafted_at: number }>(
    'SELECT * FROM sev_postmortem WHERE incident = ?',
    row.number,
  )
  if (found === undefined) return null
  const due = levelRule(row.level).postmortemDueMs
  return {
    incident: row.number,
    state: found.state,
    markdown: found.markdown,
    draftedAt: found.drafted_at,
    dueAt: due === null || row.resolved_at === null ? null : row.resolved_at + due,
  }
}
