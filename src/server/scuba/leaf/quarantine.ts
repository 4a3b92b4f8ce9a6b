import { parseBatch } from './batch.ts'
import type { Asked, Parts } from './deeds.ts'
import { shapeOf } from '../../../core/scuba/declared/shape.ts'
import { quarantineSql, QUARANTINE_MARKS, QUARANTINE_TABLE, type QuarantineSelection } from '../../../core/scuba/quarantine.ts'
import { ColumnSet } from '../../../core/scuba/rows/columns.ts'
import { hasTable } from '../aggregate/own-partials.ts'
import { readTables } from './reading.ts'
import type { Store } from './store.ts'

/** Lines of one round. */
const LINES_MAX = 10_000

interface Line {
  id: string
  table: string
  text: string
  isCut: boolean
}

export interface Replayed {
  replayed: number
  failed: number
  cut: number
  hasMore: boolean
  firstErrors: { id: string; reason: string }[]
}

/**
 * Takes quarantined lines in once more. Each goes in under a key of its own id, and is then marked: a replay that was broken off
 * and is begun again finds the key, so a line becomes one row. What still cannot be a row stays as it was.
 */
export async function replayQuarantined(parts: Parts, selection: QuarantineSelection, { isPlan, by }: Asked): Promise<Replayed> {
  const { store } = parts
  const { lines, hasMore } = await linesOf(parts, selection)
  const done: Replayed = { replayed: 0, failed: 0, cut: 0, hasMore, firstErrors: [] }
  const good: Line[] = []
  const tried = new Map<string, ColumnSet>()
  for (const line of lines) {
    const reason = line.isCut ? 'it was too long to be kept whole' : stillWrong(store, line, tried)
    if (reason === null) {
      good.push(line)
      continue
    }
    done[line.isCut ? 'cut' : 'failed'] += 1
    if (done.firstErrors.length < 10) done.firstErrors.push({ id: line.id, reason })
  }
  done.replayed = good.length
  if (isPlan || good.length === 0) return done
  await Promise.all(good.map(({ id, table, text }) => store.ingest(table, Buffer.from(text), { key: `quarantine-${id}`, ack: 'fsync' })))
  await mark(store, good, 'replayed', by)
  return done
}

/** Sets lines aside for good. */
export async function dropQuarantined(
  parts: Parts,
  selection: QuarantineSelection,
  { isPlan, by }: Asked,
): Promise<{ dropped: number; hasMore: boolean }> {
  const { lines, hasMore } = await linesOf(parts, selection)
  if (!isPlan && lines.length > 0) await mark(parts.store, lines, 'dropped', by)
  return { dropped: lines.length, hasMore }
}

async function linesOf({ store, engines }: Parts, selection: QuarantineSelection): Promise<{ lines: Line[]; hasMore: boolean }> {
  const asked = quarantineSql(selection, [...store.tableNames()], 'id, "table", text, cut', `ORDER BY "time", id LIMIT ${LINES_MAX + 1}`)
  if (asked === null) return { lines: [], hasMore: false }
  const { sql, sinceMs, params = {}, deadlineMs = 0 } = asked
  // Those of this leaf: each settles its own, also one that answers for all.
  const reading = await readTables(
    store,
    [QUARANTINE_TABLE, QUARANTINE_MARKS].filter((name) => hasTable(store, name)),
    { sinceMs },
  )
  const { rows } = await engines.run({ sql, views: reading.views, params, deadlineMs }).finally(reading.end)
  const lines = rows.map(([id, table, text, cut]) => ({ id: String(id), table: String(table), text: String(text), isCut: cut === true }))
  return { lines: lines.slice(0, LINES_MAX), hasMore: lines.length > LINES_MAX }
}

/** Why the line cannot be a row of its table as that is now, or null. Nothing is learned from it. */
function stillWrong(store: Store, { table, text }: Line, tried: Map<string, ColumnSet>): string | null {
  const config = store.registry.current.tables[table]
  let columns = tried.get(table)
  if (!columns) {
    columns = new ColumnSet(store.tableNames().has(table) ? store.tail(table).columns.toJSON() : {})
    if (config) columns.declare(config.columns, config.retyped, config.columnsMax)
    tried.set(table, columns)
  }
  // A body that begins otherwise would be refused as a whole.
  if (!text.trimStart().startsWith('{')) return 'not a JSON object'
  const { quarantined, rows } = parseBatch(Buffer.from(text), columns, Date.now(), false, shapeOf(config))
  return quarantined[0]?.reason ?? (rows === 1 ? null : 'it is not one row')
}

async function mark(store: Store, lines: readonly Line[], outcome: 'replayed' | 'dropped', by: string): Promise<void> {
  const rows = lines.map(({ id, table }) => JSON.stringify({ time: Date.now(), id, table, outcome, by }))
  await store.ingest(QUARANTINE_MARKS, Buffer.from(rows.join('\n')), { key: null, ack: 'fsync' })
}
