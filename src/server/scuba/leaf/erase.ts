import { createHash } from 'node:crypto'
import { isRefusal, refuse } from '../../../core/kernel/errors.ts'
import { placeOf } from '../../../core/scuba/clickhouse/place.ts'
import { LIVE_TABLE, quoteName } from '../../../core/scuba/names.ts'
import { viewSql } from '../../../core/scuba/plan/view.ts'
import { holdsOf, isHeld } from '../../../core/scuba/retention/plan.ts'
import { checkSql } from '../../../core/scuba/sql/check.ts'
import { expressionNode, expressionSql } from '../../../core/scuba/sql/expression.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import type { Asked, Parts } from './deeds.ts'
import { bring } from './reading.ts'
import { RecentSamples } from './recent-samples.ts'
import { rewrite } from './retainer.ts'
import { writeSegment } from './segment-writer.ts'

const DEADLINE_MS = 60_000

export interface Erased {
  table: string
  rows: number
  segments: number
  predicateSha256: string
}

/**
 * Erases the rows a condition is true for. What is unsealed is sealed first, so that no journal and no chunk keeps a copy; then
 * each segment that holds such rows is written anew without them, one in ClickHouse there. Caches go by themselves: they belong to files that are gone.
 * Rows of a hold are not erased (SCUBA_HELD).
 */
export async function erase(parts: Parts, { table, where }: { table: string; where: string }, { isPlan, by }: Asked): Promise<Erased> {
  const { store, engine, engines, sealer, derived } = parts
  const tail = store.tail(table)
  const condition = `SELECT 1 FROM ${quoteName(table)} WHERE (${where}\n)`
  const checked = checkSql(await engine.parse(condition), condition, new Set([table]))
  if (isRefusal(checked)) throw checked
  if (checked.tables.length > 1) throw refuse('SCUBA_SQL', 'the condition may look at the columns of the table only')
  const predicateSha256 = createHash('sha256').update(where).digest('hex')
  const columns = tail.columns.toJSON()
  const shape = { columns, retyped: store.registry.current.tables[table]?.retyped ?? [], derived: await derived.of(table) }

  const matching = {
    ...{ columns, retyped: shape.retyped },
    condition: expressionNode(await engine.parse(expressionSql(where, table))),
  }

  const count = async (files: Parameters<typeof viewSql>[0]['files']): Promise<number> => {
    if (files.length === 0) return 0
    const brought = await bring(store, { ...shape, files }, { conditions: [matching.condition] })
    const views = [{ name: table, sql: viewSql({ ...shape, files: brought.files }).sql }]
    const sql = `SELECT count(*) FROM ${quoteName(table)} WHERE (${where}\n)`
    const { rows } = await engine.run({ sql, views, params: {}, deadlineMs: DEADLINE_MS }).finally(brought.end)
    return Number(rows[0]?.[0])
  }
  const hits = async (): Promise<{ segment: Segment; rows: number }[]> => {
    const found: { segment: Segment; rows: number }[] = []
    const segments = store.segments(table)
    const away = segments.map(({ file }) => file).filter((file) => placeOf(file) !== null)
    const counted = away.length === 0 || store.away === null ? null : await store.away.matches(away, matching)
    for (const segment of segments) {
      const isCounted = counted !== null && placeOf(segment.file) !== null
      const rows = isCounted ? (counted.get(segment.file) ?? 0) : await count([store.viewFile(segment)])
      if (rows > 0) found.push({ segment, rows })
    }
    return found
  }

  /** A file of the leaf's, also in place of what is away where there are no words for the condition there. */
  const without = async (segment: Segment): Promise<Segment | null> => {
    const brought = await bring(store, { ...shape, files: [store.viewFile(segment)] }, {})
    // Without the derived columns, which are no part of a file; a condition that is NULL for a row leaves it.
    const kept = `SELECT ${Object.keys(columns).map(quoteName).join(', ')} FROM (${viewSql({ ...shape, files: brought.files }).sql}) WHERE (${where}\n) IS NOT TRUE`
    return writeSegment(store, engine, {
      ...{ table, select: kept, columns, order: '"time"', from: [segment], mayShrink: true },
      ...(segment.thinned === undefined ? {} : { thinned: segment.thinned }),
    }).finally(brought.end)
  }

  if (isPlan) {
    await tail.roll()
    const found = await hits()
    refuseHeld(parts, table, found)
    return {
      table,
      rows: found.reduce((sum, { rows }) => sum + rows, 0) + (await count(tail.chunks)),
      segments: found.length,
      predicateSha256,
    }
  }
  await sealer.sealNow(tail)
  const found = await hits()
  refuseHeld(parts, table, found)
  let erased = 0
  for (const { segment, rows } of found) {
    const accept = async (after: Segment | null): Promise<void> => {
      if (segment.rows - (after?.rows ?? 0) !== rows)
        throw new Error(`erasing from ${segment.file} left ${after?.rows ?? 0} rows of ${segment.rows}`)
      await rewrite(store, segment, after, { what: 'erased', predicateSha256, by })
    }
    const isAway = placeOf(segment.file) !== null
    if (!isAway || (await store.away?.rewrite({ segment, columns, how: matching, accept })) !== true) await accept(await without(segment))
    erased += rows
  }
  engines.answers.clear()
  tail.samples = new RecentSamples()
  // It names failing users, and is read back from rows only at a start.
  if (table === LIVE_TABLE && erased > 0) store.live.forget(Date.now())
  return { table, rows: erased, segments: found.length, predicateSha256 }
}

function refuseHeld({ store }: Parts, table: string, found: readonly { segment: Segment; rows: number }[]): void {
  const holds = holdsOf(table, store.registry.current.holds)
  const held = found.find(({ segment }) => isHeld(segment, holds))
  if (!held) return
  const ids = holds.filter((hold) => isHeld(held.segment, [hold])).map(({ id }) => id)
  throw refuse('SCUBA_HELD', `rows of ${table} that the condition holds for are held (hold ${ids.join(', ')})`)
}
