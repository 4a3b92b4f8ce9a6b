import { createHash } from 'node:crypto'
import type { Entry } from '../../core/contracts/entry.ts'
import { isRefusal } from '../../core/kernel/errors.ts'
import { canonicalJson } from '../../core/kernel/json.ts'
import type { OpenDb } from './state-db.ts'

/** One row a plan would change. `before` is null for an insert, `after` for a delete. */
export interface PlanChange {
  table: string
  op: 'insert' | 'update' | 'delete'
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
}

/**
 * Watches every table of the state inside the open transaction by temporary triggers; undone with the savepoint they
 * are made in. Costs a few milliseconds, which only `--plan` and `--apply` pay.
 */
export function watchChanges(db: OpenDb): () => PlanChange[] {
  const raw = db.raw
  raw.exec('CREATE TEMP TABLE plan_change (seq INTEGER PRIMARY KEY, tbl TEXT, key INTEGER, before TEXT, after TEXT)')
  const tables = raw
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'muster_%'",
    )
    .all()
  for (const { name } of tables) {
    const columns = raw.prepare<[string], { name: string }>('SELECT name FROM pragma_table_info(?)').all(name)
    const object = (side: string): string =>
      `json_object(${columns.map((c) => `'${c.name}', CASE typeof(${side}."${c.name}") WHEN 'blob' THEN hex(${side}."${c.name}") ELSE ${side}."${c.name}" END`).join(', ')})`
    raw.exec(`
      CREATE TEMP TRIGGER "plan_i_${name}" AFTER INSERT ON main."${name}" BEGIN INSERT INTO plan_change(tbl, before, after) VALUES ('${name}', NULL, ${object('NEW')}); END;
      CREATE TEMP TRIGGER "plan_u_${name}" AFTER UPDATE ON main."${name}" BEGIN INSERT INTO plan_change(tbl, before, after) VALUES ('${name}', ${object('OLD')}, ${object('NEW')}); END;
      CREATE TEMP TRIGGER "plan_d_${name}" AFTER DELETE ON main."${name}" BEGIN INSERT INTO plan_change(tbl, before, after) VALUES ('${name}', ${object('OLD')}, NULL); END;`)
  }
  return () => {
    const rows = raw
      .prepare<[], { tbl: string; before: string | null; after: string | null }>('SELECT tbl, before, after FROM plan_change ORDER BY seq')
      .all()
    return rows
      .filter((row) => row.before !== row.after)
      .map((row) => ({
        table: row.tbl,
        op: row.before === null ? 'insert' : row.after === null ? 'delete' : 'update',
        before: row.before === null ? null : JSON.parse(row.before),
        after: row.after === null ? null : JSON.parse(row.after),
      }))
  }
}

/** The rows as they were that a plan changes: what it was made on. */
export function touchedBy(changes: readonly PlanChange[]): [table: string, before: unknown][] {
  // A row as the plan itself made it a moment before says nothing about the state it was made on.
  const made = new Set(changes.map((change) => canonicalJson([change.table, change.after])))
  return changes
    .filter((change) => change.before !== null && !made.has(canonicalJson([change.table, change.before])))
    .map((change) => [change.table, change.before])
}

/** Entries after a plan that are looked at; a plan that is older than that is made anew. */
const SINCE_ENTRIES_MAX = 10_000
const SINCE_CHUNK = 500

/**
 * Whether what a plan asks for has been done since it was made. It is asked of a plan that touches no row, by which nobody could tell.
 * Too old a plan is taken for done.
 * @param id of the plan, which has the number of the entry it would have begun with
 * @param read entries from a number on, at most so many, in order; throws where they are no longer kept
 * @param recent those that are decided and not in the log yet
 */
export function isDoneSince(
  id: string,
  asked: readonly Entry[],
  read: (from: number, max: number) => readonly Entry[],
  recent: readonly Entry[],
): boolean {
  const textOf = ({ type, body }: Entry): string => canonicalJson([type, body])
  const missing = new Set(asked.map(textOf))
  const look = (entries: readonly Entry[]): void => entries.forEach((entry) => missing.delete(textOf(entry)))
  const from = Number(/^p(\d+)-/.exec(id)?.[1] ?? 0)
  let next = from
  try {
    for (let found = read(next, SINCE_CHUNK); found.length > 0; found = read(next, SINCE_CHUNK)) {
      look(found)
      next += found.length
      if (missing.size === 0 || next - from > SINCE_ENTRIES_MAX) return true
    }
  } catch (error) {
    if (isRefusal(error) && error.code === 'DELOS_TRIMMED') return true
    throw error
  }
  look(recent)
  return missing.size === 0
}

/**
 * Names a plan: the position it was made at, and a digest of what it asks for and of every row it touches as that row
 * was. Applying computes it anew; the log may have moved on elsewhere, but not here.
 */
export function planId(position: number, entries: readonly Entry[], changes: readonly PlanChange[]): string {
  const touched = touchedBy(changes)
  const asked = entries.map((entry) => [entry.type, entry.body])
  return `p${position}-${createHash('sha256')
    .update(canonicalJson([asked, touched]))
    .digest('hex')
    .slice(0, 16)}`
}

/** Ends the watching within the savepoint, and keeps what was changed. */
export function dropWatch(db: OpenDb): void {
  const triggers = db.raw
    .prepare<[], { name: string }>("SELECT name FROM sqlite_temp_schema WHERE type = 'trigger' AND name LIKE 'plan\\__\\_%' ESCAPE '\\'")
    .all()
  for (const { name } of triggers) db.raw.exec(`DROP TRIGGER temp."${name}"`)
  db.raw.exec('DROP TABLE temp.plan_change')
}
