import type { EngineStatement } from '../../../../core/scuba/engine-protocol.ts'
import { copiesIn, viewSql } from '../../../../core/scuba/plan/view.ts'
import type { Equality } from '../../../../core/scuba/sql/equalities.ts'
import type { Engines } from '../engines.ts'
import type { Engine } from '../engine.ts'
import type { Reading } from '../reading.ts'
import { questionOf } from './native-copies.ts'

type Answer = Awaited<ReturnType<Engine['run']>>
type Run = (read: Pick<EngineStatement, 'views' | 'copies'>) => Promise<Answer>

/** What of a statement over all rows is known before it runs. */
export interface NarrowAsked {
  /** values that its rows have */
  equalities: readonly Equality[]
  /** lower case, all it reads; null: every column, or it is not known */
  names: ReadonlySet<string> | null
  /** what it is known by */
  key: string
  signal: AbortSignal | undefined
}

/**
 * Runs a statement over one table on those parts of its files in which the rows with its values can be, as far as filters
 * say so, and from native copies where they have its columns; on all of its files otherwise. Notes what a filter or copies would have saved.
 */
export async function narrowed(
  engines: Engines,
  { tables, views }: Reading,
  { equalities, names, key, signal }: NarrowAsked,
  run: Run,
): Promise<Pick<Answer, 'columns' | 'rows'> & { artefacts: number }> {
  const [table] = tables
  const { artefacts } = engines
  if (!artefacts || !table || tables.length !== 1) return { ...(await run({ views })), artefacts: 0 }
  const files = equalities.length === 0 ? null : await artefacts.narrow(table, equalities, signal)
  const started = performance.now()
  const { answer, copies } = await artefacts.copies.read(
    {
      ...{ table, files: files ?? table.files, key },
      question: names === null ? null : questionOf(table, names),
      // What a filter leaves is little, or will be.
      isWanted: files === null && artefacts.filtersFor(table, equalities).length === 0,
    },
    (swap) => {
      const read = swap(files ?? table.files)
      const has = copiesIn(read)
      // What is left is within the range already by its files; the ends are cut as before.
      const own = { name: table.name, sql: viewSql({ ...table.view, files: read }).sql }
      return files === null && has.length === 0 ? run({ views }) : run({ views: [own], copies: has })
    },
  )
  if (files === null) {
    noteFilters(engines, { tables }, equalities, performance.now() - started)
    return { ...answer, artefacts: copies }
  }
  if (artefacts.isToBeChecked()) {
    const plain = await run({ views })
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
): Promise<Reading['views'] | null> {
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
