import { rmSync } from 'node:fs'
import { refuse } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { viewSql, type ViewFile, type ViewRequest } from '../../../core/scuba/plan/view.ts'
import type { Coverage } from '../../../core/scuba/wire-types.ts'
import type { DerivedColumns } from './derived.ts'
import type { RowsAsked } from './segment-store.ts'
import type { Store } from './store.ts'

/** A table as one question sees it. */
export interface ReadTable {
  name: string
  /** files of the question's time range */
  files: ViewFile[]
  /** names of all that it stands on */
  basis: string[]
  /** what makes a view of any of them */
  view: ViewRequest
}

/** What a question needs of segments that are away, so that no more of them is fetched. */
export type Needed = Partial<Pick<RowsAsked, 'conditions' | 'params' | 'deadlineAtMs' | 'signal'>> & {
  /** lower case; all without */
  columns?: ReadonlySet<string> | null | undefined
}

/** ms; an open end is all there is */
export interface Range {
  sinceMs?: number | undefined
  untilMs?: number | undefined
}

/** Files of a query stay until it is over. */
export interface Reading {
  tables: ReadTable[]
  /** of no use while one of the tables has files that are away */
  views: { name: string; sql: string }[]
  rowsScanned: number
  coverage: Coverage
  end: () => void
}

/**
 * The tables' views for one query, and a hold on their files until `end` is called.
 * @param needed 'later': segments that are away are left there; see {@link fetchAway}
 */
export async function readTables(store: Store, names: readonly string[], range: Range, needed: Needed | 'later' = {}): Promise<Reading> {
  const now = Date.now()
  const coverage = emptyCoverage()
  for (const name of names) {
    await store
      .ownTail(name)
      .rollForReading(now)
      .catch((error: unknown) => {
        coverage.missing.push(`${name}: newest rows could not be made readable (${(error as Error).message})`)
      })
  }
  const reading: Reading = { tables: [], views: [], rowsScanned: 0, coverage, end: store.hold() }
  let missingRows = 0
  // Asked before the files are listed, which then are those of one moment.
  const derived = new Map<string, Awaited<ReturnType<DerivedColumns['of']>>>()
  for (const name of names) derived.set(name, (await store.derived?.of(name)) ?? [])
  for (const name of names) {
    const tail = store.ownTail(name)
    const segments = store.segmentFiles(name)
    const isReadable = ({ path }: ViewFile): boolean => store.whyAway(path) === null
    const outOfReach = segments.filter((file) => !isReadable(file) && isWithin(file, range))
    const view: ViewRequest = {
      columns: tail.columns.toJSON(),
      files: [...tail.chunks, ...segments.filter(isReadable)],
      retyped: store.registry.current.tables[name]?.retyped ?? [],
      derived: derived.get(name),
      sinceMs: range.sinceMs,
      untilMs: range.untilMs,
    }
    const files = view.files.filter((file) => isWithin(file, range))
    if (!files.some(({ kind }) => kind === 'away')) reading.views.push({ name, sql: viewSql({ ...view, files }).sql })
    reading.tables.push({ name, files, view, basis: files.map(({ path }) => path) })
    count(reading, files, range)
    const lost = lostRows(store, name, range)
    if (lost > 0) coverage.missing.push(`${name}: ${lost} rows of segments that are lost`)
    const pending = store.pendingRows(name)
    if (pending > 0) coverage.missing.push(`${name}: rows of another leaf that are being taken over`)
    const awayRows = outOfReach.reduce((sum, { rows }) => sum + rows, 0)
    const why = [...new Set(outOfReach.map(({ path }) => store.whyAway(path) ?? ''))].join('; ')
    if (awayRows > 0) coverage.missing.push(`${name}: ${awayRows} rows that are in ClickHouse (${why})`)
    missingRows += tail.openRows + lost + awayRows + pending
  }
  if (coverage.missing.length > 0) coverage.rows = reading.rowsScanned / Math.max(1, reading.rowsScanned + missingRows)
  if (needed !== 'later') await fetchAway(store, reading, needed)
  return reading
}

export const emptyCoverage = (): Coverage => ({
  ...{ rows: 1, segments: 0, chunks: 0, leaves: 1, fromMs: null, toMs: null, hotToMs: null, missing: [] },
})

/** Counts files among what is looked at. */
export function count(reading: Pick<Reading, 'rowsScanned' | 'coverage'>, files: readonly ViewFile[], range: Range): void {
  const { coverage } = reading
  for (const file of files) {
    reading.rowsScanned += file.rows
    coverage.hotToMs = Math.max(coverage.hotToMs ?? 0, Math.floor(file.maxUs / 1000))
    const fromMs = Math.max(range.sinceMs ?? 0, Math.floor(file.minUs / 1000))
    const toMs = Math.min(range.untilMs ?? Infinity, Math.floor(file.maxUs / 1000))
    coverage.fromMs = Math.min(coverage.fromMs ?? Infinity, fromMs)
    coverage.toMs = Math.max(coverage.toMs ?? 0, toMs)
    coverage[file.kind === 'segment' || file.kind === 'away' ? 'segments' : 'chunks'] += 1
  }
}

/** Brings the rows of a question that are away to where the engine can read them. When that fails the reading is over. */
export async function fetchAway(store: Store, reading: Reading, needed: Needed): Promise<void> {
  const { end } = reading
  const ends: (() => void)[] = []
  reading.end = () => {
    end()
    for (const one of ends) one()
  }
  try {
    for (const table of reading.tables) {
      if (!table.files.some(({ kind }) => kind === 'away')) continue
      const brought = await bring(store, { ...table.view, files: table.files }, needed)
      ends.push(brought.end)
      table.files = brought.files
      table.view = { ...table.view, files: brought.files }
      reading.views.push({ name: table.name, sql: viewSql(table.view).sql })
    }
  } catch (error) {
    reading.end()
    throw error
  }
}

/**
 * The files of a view, with some that the engine can read in place of those that are away. They are removed by `end`.
 * @throws SCUBA_DOWN, SCUBA_TOO_LARGE
 */
export async function bring(
  store: Store,
  view: ViewRequest,
  { columns, ...needed }: Needed,
): Promise<{ files: ViewFile[]; end: () => void }> {
  const away = view.files.filter((file) => file.kind === 'away' && isWithin(file, view))
  const here = view.files.filter(({ kind }) => kind !== 'away')
  if (away.length === 0) return { files: here, end: () => undefined }
  if (store.away === null) throw refuse('SCUBA_DOWN', `rows are in ClickHouse, and ${store.whyAway(away[0]?.path ?? '') ?? ''}`)
  // What derived columns read is not known here.
  const isAll = columns === undefined || columns === null || (view.derived ?? []).length > 0
  const isNeeded = (name: string): boolean => isAll || name === 'time' || columns.has(name.toLowerCase().replace(/\$str$/, ''))
  const fetched = await store.away.rows({
    ...{ files: away, clip: clipOf(view), retyped: view.retyped ?? [] },
    columns: Object.fromEntries(Object.entries(view.columns).filter(([name]) => isNeeded(name) || columns?.has(name.toLowerCase()))),
    ...{ conditions: [], params: {}, deadlineAtMs: Date.now() + LIMITS.deadlineMsMax, signal: undefined, ...needed },
  })
  return {
    files: [...here, ...fetched],
    end: () => {
      for (const { path } of fetched) rmSync(path, { force: true })
    },
  }
}

/** Rows of lost segments of a table that would belong into the range. */
const lostRows = (store: Store, name: string, range: Range): number =>
  store.lostSegments(name).reduce((sum, { segment }) => (isWithin(segment, range) ? sum + segment.rows : sum), 0)

const clipOf = ({ sinceMs, untilMs }: ViewRequest): RowsAsked['clip'] => ({
  ...(sinceMs === undefined ? {} : { sinceMs }),
  ...(untilMs === undefined ? {} : { untilMs }),
})

export const isWithin = ({ minUs, maxUs }: Pick<ViewFile, 'minUs' | 'maxUs'>, range: Range): boolean =>
  maxUs >= (range.sinceMs ?? -Infinity) * 1000 && minUs < (range.untilMs ?? Infinity) * 1000
