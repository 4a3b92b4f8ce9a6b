import { MusterError } from '../../../core/kernel/errors.ts'
import { MergedGroups } from '../../../core/scuba/merge/groups.ts'
import { partialsOf, type Partial } from '../../../core/scuba/merge/partial.ts'
import { isSamePartial } from '../../../core/scuba/merge/same.ts'
import { quoteName } from '../../../core/scuba/names.ts'
import { bucketColumn, codesOfAll, TICK } from '../../../core/scuba/plan/codes.ts'
import { partialPlan, rankPart, type PanelPlan } from '../../../core/scuba/plan/panel.ts'
import { partialSql, usefulCodes, type PartialPlan, type Rollup, type Source } from '../../../core/scuba/plan/sources.ts'
import { columnsOf, copiesIn, viewSql, type ViewFile } from '../../../core/scuba/plan/view.ts'
import type { ColumnTypes } from '../../../core/scuba/rows/columns.ts'
import { rollupsOf } from '../../../core/scuba/warm/rollup.ts'
import { nativeQuestion, type NativeQuestion } from '../../../core/scuba/warm/native.ts'
import type { CacheUse, Params, PlainValue } from '../../../core/scuba/wire-types.ts'
import { overCopies, type Swap } from './artefacts/native-copies.ts'
import { awayPartials, type Made } from './away-partials.ts'
import type { Engines } from './engines.ts'
import { clipOf, heldNow, isAligned } from './held-partials.ts'
import type { ReadTable } from './reading.ts'
import { SOURCES_AT_ONCE, sourcesOf, type PlannedSource } from './sources.ts'

/** One question to all files of a table, answered file by file from what is known and from the engine. */
export interface Gathering {
  engines: Engines
  plan: PanelPlan
  table: ReadTable
  /** columns that are read, with those of conditions */
  columns: readonly string[]
  params: Params
  deadlineAtMs: number
  signal: AbortSignal | undefined
  use: CacheUse
  /** from the rows alone */
  isRaw: boolean
}

type What = Parameters<typeof partialPlan>[1]

/** @param onPart told after each round how many rows are in */
export async function gather(
  asked: Gathering,
  what: What,
  onPart?: (merged: MergedGroups, rows: number) => Promise<void>,
): Promise<MergedGroups> {
  const { engines, plan, table } = asked
  const partial = partialPlan(plan, what)
  const merged = new MergedGroups(plan.list, plan.registers)
  const steps = isAligned(plan) && partial.stepMs !== null ? { fromMs: plan.sinceMs, toMs: plan.untilMs } : null
  const isNamed = typeof what === 'object'
  const key = planKey(asked, partial)
  if (!asked.isRaw) await engines.partials.recall(key, table.view.files)
  const add = (one: Partial): void => merged.add(one, steps, isNamed ? 0 : rankPart(plan))
  const now = Date.now()
  const { held, missing } = asked.isRaw ? { held: [], missing: table.files } : heldNow(asked, key, steps !== null)
  let rows = table.files.reduce((sum, file) => sum + file.rows, 0) - missing.reduce((sum, file) => sum + file.rows, 0)
  for (const cached of held) {
    engines.partials.use(cached, now)
    asked.use.hits += 1
    add(cached.partial)
  }
  const sources = sourcesOf(missing, (file) => clipOf(file, plan, steps !== null))
  for (let at = 0; at < sources.length; at += SOURCES_AT_ONCE) {
    const round = sources.slice(at, at + SOURCES_AT_ONCE)
    for (const { files, clip, made, costMs } of await computeAll(asked, partial, round)) {
      if (!asked.isRaw) engines.partials.put(key, { files, clip, partial: made, costMs }, Date.now())
      asked.use.misses += 1
      for (const file of files) rows += file.rows
      add(made)
    }
    await onPart?.(merged, rows)
  }
  return merged
}

/** How {@link gather} would come to its answer: files of which nothing is known, and what would stand in for their rows. */
export async function foreseen(
  asked: Gathering,
  what: What,
): Promise<{ missing: ViewFile[]; rollups: { words: string; files: ViewFile[] }[]; copies: number }> {
  const { engines, plan, table, columns } = asked
  const partial = partialPlan(plan, what)
  const key = planKey(asked, partial)
  const isByStep = isAligned(plan) && partial.stepMs !== null
  if (!asked.isRaw) await engines.partials.recall(key, table.view.files)
  const missing = asked.isRaw ? table.files : heldNow(asked, key, isByStep).missing
  const rollups: { words: string; files: ViewFile[] }[] = []
  const inRows: ViewFile[] = []
  for (const source of sourcesOf(missing, (file) => clipOf(file, plan, isByStep))) {
    const found = rollupsOfSource(asked, partial, source, false)
    if (found === null) inRows.push(...source.files)
    else rollups.push(...found.map(({ words }) => ({ words, files: source.files })))
  }
  const question = asked.isRaw
    ? null
    : panelQuestion(table.view, columns, partial, codesOfAll(segmentsOf(inRows), usefulOf(asked, partial)))
  return { missing, rollups, copies: engines.artefacts?.copies.find(question, inRows, copyKey(asked, partial)).size ?? 0 }
}

/** Stored codes that would help, where the columns are those of the files. */
const usefulOf = ({ table, columns }: Gathering, partial: PartialPlan): string[] => (canRollUp(table, columns) ? usefulCodes(partial) : [])

const segmentsOf = (files: readonly ViewFile[]): ViewFile[] => files.filter(({ kind }) => kind === 'segment')

/** What native copies know a question by. */
const copyKey = ({ table, columns, params }: Gathering, { parts, where }: PartialPlan): string =>
  JSON.stringify([table.name, columns, parts, where, params])

/** What a source's rows need not be read for; not where an answer from the rows alone is wanted. */
function rollupsOfSource(
  { engines, table, columns, isRaw }: Gathering,
  partial: PartialPlan,
  { files, clip }: PlannedSource,
  isUsed: boolean,
): Rollup[] | null {
  const isWhole = clip.sinceMs === undefined && clip.untilMs === undefined
  if (isRaw || !isWhole || !canRollUp(table, columns)) return null
  return engines.artefacts?.rollupsFor(table.name, partial, typesOf(table, columns), files, isUsed) ?? null
}

/** What a derived or retyped column gives can change while the file does not. */
const canRollUp = ({ view: { columns: stored, retyped = [] } }: ReadTable, columns: readonly string[]): boolean =>
  columns.every((name) => name in stored && !retyped.includes(name))

const typesOf = ({ view }: ReadTable, columns: readonly string[]): ColumnTypes =>
  Object.fromEntries(columns.map((name) => [name, view.columns[name] ?? 'VARCHAR']))

/** All that a partial depends on but its files: what is computed, and what its columns are. */
function planKey({ table, columns, params }: Gathering, partial: PartialPlan): string {
  const { columns: _columns, files: _files, ...view } = table.view
  const types = columnsOf(table.view)
  return JSON.stringify([partial, columns.map((name) => [name, types[name]]), { ...view, sinceMs: undefined, untilMs: undefined }, params])
}

async function computeAll(asked: Gathering, partial: PartialPlan, planned: readonly PlannedSource[]): Promise<Made[]> {
  const away = planned.filter(isAway)
  if (away.length === 0) return compute(asked, partial, planned)
  const here = planned.filter((source) => !isAway(source))
  const [ours, theirs] = await Promise.all([
    here.length === 0 ? [] : compute(asked, partial, here),
    awayPartials(asked, partial, away, (sources) => compute(asked, partial, sources)),
  ])
  return [...ours, ...theirs]
}

const isAway = ({ files }: PlannedSource): boolean => files[0]?.kind === 'away'

async function compute(asking: Gathering, partial: PartialPlan, planned: readonly PlannedSource[]): Promise<Made[]> {
  const { engines, plan, table, columns, params, deadlineAtMs, signal, use, isRaw } = asking
  const { artefacts } = engines
  const types = typesOf(table, columns)
  const isPlain = canRollUp(table, columns)
  const useful = usefulOf(asking, partial)
  const rollupsOfFiles = planned.map((source) => {
    const rollups = rollupsOfSource(asking, partial, source, true)
    if (rollups) use.artefacts = (use.artefacts ?? 0) + source.files.length
    return rollups
  })
  const readFiles = planned.map(({ files }) => {
    // Not where an answer from the rows alone is wanted.
    const read = isRaw ? files : (artefacts?.tails.standIn(files) ?? files)
    if (!isRaw) void artefacts?.tails.note(table, read)
    return read
  })
  const { sinceMs: _since, untilMs: _until, ...whole } = table.view
  // A derived column may stand on others than those that are read.
  const view = isPlain ? { ...whole, columns: types, derived: [] } : whole
  const sourcesBy = (swap: Swap): Source[] =>
    planned.map(({ clip }, at): Source => {
      const files = swap(readFiles[at] ?? [])
      const rollups = rollupsOfFiles[at]
      const codes = codesOfAll(files, useful)
      return {
        files,
        codes,
        from: `SELECT ${[...columns, ...codes].map(quoteName).join(', ')} FROM (${viewSql({ ...view, files, codes, ...clip }).sql})`,
        ...(rollups ? { rollups } : {}),
      }
    })
  const run = async (asked: readonly Source[], isQuick: boolean): Promise<PlainValue[][]> => {
    const { rows } = await engines.run(
      {
        sql: partialSql(partial, asked, isQuick),
        views: [],
        copies: asked.flatMap(({ files, rollups }) => (rollups ? [] : copiesIn(files))),
        params,
        deadlineMs: Math.max(1, deadlineAtMs - Date.now()),
        rowsMax: PARTIAL_ROWS_MAX,
        isCollected: true,
        groupBy: plan.by.map(({ name }) => name),
      },
      signal,
    )
    return rows
  }
  const ask = async (asked: readonly Source[]): Promise<Partial[]> => {
    const rows = await quickIfItFits(engines, partial, (isQuick) => run(asked, isQuick))
    return partialsOf(rows, {
      sources: asked.length,
      keys: typeof partial.keep === 'object' && partial.keep.kind === 'named' ? 1 : plan.by.length,
      parts: partial.parts,
      sketches: partial.sketches,
    })
  }
  const rowsIn = (files: readonly ViewFile[]): number => files.reduce((sum, { rows }) => sum + rows, 0)
  const fromRows = planned.filter((_source, at) => rollupsOfFiles[at] === null)
  const specs = isRaw || !isPlain ? [] : (rollupsOf(partial, types) ?? []).map((spec) => ({ kind: 'rollup' as const, ...spec }))
  const inRows = fromRows.flatMap(({ files }) => files)
  const segments = segmentsOf(inRows)
  const started = performance.now()
  const read = await overCopies(
    artefacts,
    {
      table,
      question: isRaw ? null : panelQuestion(table.view, columns, partial, codesOfAll(segments, useful)),
      files: inRows,
      key: copyKey(asking, partial),
      // Groups save more; where they are of no help, copies may be.
      isWanted: specs.length === 0 || artefacts?.isUseless(table.name, specs) === true,
    },
    (swap) => ask(sourcesBy(swap)),
  )
  let made = read.answer
  if (read.copies > 0) use.artefacts = (use.artefacts ?? 0) + read.copies
  const tookMs = performance.now() - started
  if (fromRows.length < planned.length && artefacts?.isToBeChecked()) {
    const plain = await ask(sourcesBy((files) => files).map(({ files, from, codes }) => ({ files, from, codes })))
    if (!plain.every((one, at) => made[at] !== undefined && isSamePartial(one, made[at]))) {
      await artefacts.differed(table.name, 'a rollup')
      made = plain
    }
  }
  // Sealed rows only: for what is not sealed nothing can be built ahead.
  if (artefacts && specs.length > 0 && segments.length > 0)
    artefacts.note(table.name, specs, tookMs, Math.min(...segments.map(({ minUs }) => minUs)))
  const all = rowsIn(planned.flatMap(({ files }) => files))
  return planned.map((source, at) => ({
    ...source,
    made: made[at] ?? { rows: [], count: 0, isCut: false, all: null },
    costMs: (tookMs * rowsIn(source.files)) / Math.max(1, all),
  }))
}

/** @param codes stored in all segments that it reads */
function panelQuestion(
  view: ReadTable['view'],
  columns: readonly string[],
  { by, stepMs, sketches }: PartialPlan,
  codes: readonly string[],
): NativeQuestion | null {
  const keys = by.length + (stepMs === null ? 0 : 1) + (sketches.length === 0 ? 0 : 1)
  return nativeQuestion(view, columns, {
    codes,
    unread: [...(stepMs === null || codes.includes(TICK) ? ['time'] : []), ...columns.filter((name) => codes.includes(bucketColumn(name)))],
    hasTextKeys: keys > 1 && by.some(({ type }) => type === 'VARCHAR'),
  })
}

/** Products that do not fit into 64 bit, values without a small code: the engine says so, and those of this plan are made the long way from then on. */
async function quickIfItFits<T>(
  engines: Engines,
  { table, parts, sketches }: PartialPlan,
  work: (isQuick: boolean) => Promise<T>,
): Promise<T> {
  const quick = [...parts, ...sketches].flatMap(({ quickSql }) => (quickSql === undefined ? [] : [JSON.stringify([table, quickSql])]))
  if (quick.length === 0 || quick.some((one) => engines.notQuick.has(one))) return work(false)
  try {
    return await work(true)
  } catch (error) {
    if (!(error instanceof MusterError) || !/overflow|out of range/i.test(error.message)) throw error
    for (const one of quick) engines.notQuick.add(one)
    return work(false)
  }
}

/** Of one round; a source sends at most 5,000 groups, or one row for each step of a group that is shown. */
const PARTIAL_ROWS_MAX = 2_000_000
