import type { Entry } from '../contracts/entry.ts'
import type { Db } from '../contracts/storage.ts'
import { chaosRunOf, evidenceOf, isTaskFailure, signalOf, type Signal } from './detect.ts'
import { addTimeline } from './timeline.ts'

/** Changes are kept for so long; what an incident needs of them was copied into its timeline. */
const KEEP_MS = 30 * 86_400_000

/** So many task failures of a service within this time are a crash loop. */
const CRASHES = { count: 3, withinMs: 300_000 } as const

/** Leaves out signals that could change nothing, so that no entry is spent on them. */
function isWorthwhile(db: Db, entry: Entry, signal: Signal): boolean {
  if (signal.action !== 'raise') {
    const known = db.get(
      `SELECT 1 AS one FROM sev_alert WHERE source = ? AND dedup_key = ? AND state = 'firing' LIMIT 1`,
      signal.source,
      signal.dedup_key,
    )
    return (
      known !== undefined ||
      db.get('SELECT 1 AS one FROM sev_signal WHERE source = ? AND dedup_key = ? LIMIT 1', signal.source, signal.dedup_key) !== undefined
    )
  }
  if (!isTaskFailure(entry)) return true
  // While a chaos run kills tasks of the service, their failing is the exercise, not the news.
  const chaos = db.get(
    'SELECT 1 AS one FROM sev_chaos WHERE ended_at IS NULL AND (service IS NULL OR service IS ?) LIMIT 1',
    signal.service,
  )
  if (chaos !== undefined) return false
  const failures = db.get<{ n: number }>(
    'SELECT COUNT(*) AS n FROM sev_change WHERE type = ? AND service IS ? AND at > ?',
    entry.type,
    signal.service,
    entry.at - CRASHES.withinMs,
  )
  return (failures?.n ?? 0) >= CRASHES.count
}

/**
 * Called after every entry of every system: keeps what is marked notable, writes it into the timelines of the open incidents
 * it concerns, and leaves a signal where the detector has something to decide. Deterministic.
 */
export function observe(db: Db, entry: Entry): void {
  if (entry.type.startsWith('sev.')) return
  const meta = { position: entry.position, at: entry.at, actor: entry.actor }
  const run = chaosRunOf(entry)
  if (run?.isStart) {
    db.run('INSERT OR REPLACE INTO sev_chaos (run, service, started_at, ended_at) VALUES (?, ?, ?, NULL)', run.run, run.service, entry.at)
  } else if (run) {
    db.run('UPDATE sev_chaos SET ended_at = ? WHERE run = ?', entry.at, run.run)
  }
  const mark = entry.notable
  if (mark) {
    db.run('DELETE FROM sev_change WHERE at < ?', entry.at - KEEP_MS)
    db.run(
      `INSERT OR REPLACE INTO sev_change (position, at, type, actor, system, kind, target, service, text, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      entry.position,
      entry.at,
      entry.type,
      entry.actor,
      mark.system,
      mark.kind,
      mark.target,
      mark.service,
      mark.text,
      evidenceOf(entry),
    )
    const touched = db.all<{ number: number }>(
      `SELECT number FROM sev_incident WHERE state IN ('open', 'acked', 'mitigated') AND (service IS NULL OR ? IS NULL OR service = ?) ORDER BY number`,
      mark.service,
      mark.service,
    )
    for (const { number } of touched) addTimeline(db, number, meta, mark.kind, mark.text)
  }
  const signal = signalOf(entry)
  if (signal === null || !isWorthwhile(db, entry, signal)) return
  db.run(
    `INSERT OR REPLACE INTO sev_signal (position, at, action, source, dedup_key, group_key, service, level, title, summary, evidence)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    entry.position,
    entry.at,
    signal.action,
    signal.source,
    signal.dedup_key,
    signal.group_key,
    signal.service,
    signal.level,
    signal.title,
    signal.summary,
    evidenceOf(entry),
  )
}
