import { viewSql } from '../../../../core/scuba/plan/view.ts'
import type { Equality } from '../../../../core/scuba/sql/equalities.ts'
import type { Engines } from '../engines.ts'
import type { Engine } from '../engine.ts'
import type { Reading } from '../reading.ts'

type Answer = Awaited<ReturnType<Engine['run']>>
type Views = Reading['views']

/**
 * Runs a statement over one table on those parts of its files in which the rows with these values can be, as far as filters
 * say so; on all of them otherwise. Notes what a filter would have saved.
 */
export async function narrowed(
  engines: Engines,
  { tables, views }: Reading,
  equalities: readonly Equality[],
  signal: AbortSignal | undefined,
  run: (views: Views) => Promise<Answer>,
): Promise<Pick<Answer, 'columns' | 'rows'> & { artefacts: number }> {
  const [table] = tables
  const { artefacts } = engines
  const few = await narrowedViews(engines, { tables }, equalities, signal)
  if (few === null || !artefacts || !table) {
    const started = performance.now()
    const answer = await run(views)
    noteFilters(engines, { tables }, equalities, performance.now() - started)
    return { ...answer, artefacts: 0 }
  }
  const answer = await run(few)
  if (artefacts.isToBeChecked()) {
    const plain = await run(views)
    if (sorted(answer) !== sorted(plain)) {
      await artefacts.differed(table.name, `a filter by ${equalities.map(({ column }) => column).join(', ')}`)
      return { ...plain, artefacts: 0 }
    }
  }
  return { ...answer, artefacts: table.files.length }
}

/** Views of those parts of a table's files in which the rows with these values can be; null: no filter says so. */
export async function narrowedViews(
  { artefacts }: Engines,
  { tables }: Pick<Reading, 'tables'>,
  equalities: readonly Equality[],
  signal?: AbortSignal,
): Promise<Views | null> {
  const [table] = tables
  if (!artefacts || !table || tables.length !== 1 || equalities.length === 0) return null
  const files = await artefacts.narrow(table, equalities, signal)
  // What is left is within the range already by its files; the ends are cut as before.
  return files && [{ name: table.name, sql: viewSql({ ...table.view, files }).sql }]
}

/** Notes what a filter by these values would have saved of a statement's time. */
export function noteFilters(
  { artefacts }: Engines,
  { tables }: Pick<Reading, 'tables'>,
  equalities: readonly Equality[],
  tookMs: number,
): void {
  const [table] = tables
  if (!artefacts || !table || tables.length !== 1 || equalities.length === 0) return
  const fromUs = Math.min(...table.files.map(({ minUs }) => minUs))
  artefacts.note(table.name, artefacts.filtersFor(table, equalities), tookMs, fromUs)
}

/** The rows without their order, which nobody may have asked for. */
const sorted = ({ rows }: Pick<Answer, 'rows'>): string =>
  rows
    .map((row) => JSON.stringify(row))
    .sort()
    .join('\n')
