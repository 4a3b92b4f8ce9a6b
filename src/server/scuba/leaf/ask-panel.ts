import { isRefusal } from '../../../core/kernel/errors.ts'
import { answerOfAll, answerOfNamed, answerOfWhole, groupOf, rankGroups } from '../../../core/scuba/merge/answer.ts'
import { columnsOf } from '../../../core/scuba/plan/view.ts'
import type { MergedGroups } from '../../../core/scuba/merge/groups.ts'
import { allRowsAnswer, allRowsSql } from '../../../core/scuba/plan/all-rows.ts'
import { planPanel, type PanelPlan } from '../../../core/scuba/plan/panel.ts'
import { canSpread } from '../../../core/scuba/plan/spread.ts'
import { panelRange } from '../../../core/scuba/plan/range.ts'
import { checkExpression, expressionNode, expressionSql } from '../../../core/scuba/sql/expression.ts'
import type { CacheUse, PanelAnswer, PanelGroup, PanelProgress, PanelRequest, PlainValue } from '../../../core/scuba/wire-types.ts'
import { isSameBasis, type CachedAnswer } from './answer-cache.ts'
import { ANYBODY, basisOf, checkCells, deadlineOf, elapsed, whole } from './answering.ts'
import { Everywhere } from '../aggregate/everywhere.ts'
import { readEverywhere } from '../aggregate/ship.ts'
import { compareZone, earlier } from './compare.ts'
import { narrowed } from './artefacts/narrow.ts'
import type { Engines } from './engines.ts'
import { exactPercentiles } from './exact-percentiles.ts'
import { gather, type Gathering } from './gather.ts'
import { growthOfParts } from './growth-of-parts.ts'
import { heavyGroups } from './heavy-groups.ts'
import { reread } from './reread.ts'
import type { Asker } from './slots.ts'
import { readTables, type Reading, type ReadTable } from './reading.ts'
import type { Store } from './store.ts'

export type OnProgress = (progress: PanelProgress) => Promise<void>

/**
 * Answers a panel: from an answer that still is the newest, else from the partials of its files, of which only those are
 * computed that nobody asked for before.
 */
export async function panel(
  store: Store,
  engines: Engines,
  request: PanelRequest,
  signal?: AbortSignal,
  asker: Asker = ANYBODY,
): Promise<PanelAnswer> {
  return whole(await cachedPanel(store, engines, request, signal, asker).then(answerOf), request)
}

/** A panel's answer as it goes out to one who did not ask first. */
export function answerOf({ known, isNew }: { known: CachedAnswer<PanelAnswer>; isNew: boolean }): PanelAnswer {
  return isNew ? known.answer : { ...known.answer, cache: { isWhole: true, hits: 0, misses: 0 }, elapsedMs: 0 }
}

/** What a panel is known by: those with the same key have the same answer. */
export function panelKey(request: PanelRequest, nowMs: number): string {
  const range = panelRange(request, nowMs)
  if (isRefusal(range)) throw range
  const { deadlineMs: _deadline, maxAgeMs: _age, require: _require, lastMs: _last, ...asked } = request
  return JSON.stringify(['panel', { ...asked, ...range }])
}

/** The answer and its text; `isNew`: it was made for this question. */
export async function cachedPanel(
  store: Store,
  engines: Engines,
  request: PanelRequest,
  signal?: AbortSignal,
  asker: Asker = ANYBODY,
): Promise<{ known: CachedAnswer<PanelAnswer>; isNew: boolean }> {
  const key = panelKey(request, Date.now())
  const known = request.raw === true ? undefined : engines.answers.get<PanelAnswer>(key)
  if (known && Date.now() - known.atMs <= (request.maxAgeMs ?? 0)) {
    engines.answers.hits += 1
    return { known, isNew: false }
  }
  const computed = async (shared: AbortSignal): Promise<{ known: CachedAnswer<PanelAnswer>; isNew: boolean }> => {
    const started = performance.now()
    const asking = await ask(store, engines, request, shared)
    try {
      const basis = basisOf(asking.reading)
      // What other leaves have is new each time.
      if (known && asking.everywhere.isAlone && isSameBasis(known.basis, basis)) {
        engines.answers.hits += 1
        known.atMs = Date.now()
        return { known, isNew: false }
      }
      const answer = await engines.slots.use(asker, asking.deadlineAtMs - Date.now(), shared, () =>
        answerPanel(store, engines, asking, started),
      )
      return { known: engines.answers.put(key, answer, basis, Date.now()), isNew: true }
    } finally {
      asking.reading.end()
    }
  }
  return engines.flights.share(key, signal, (shared) => reread(store, [request.table], () => computed(shared), shared))
}

/** Partial answers as rows come in, the last one whole. */
export async function panelProgress(
  store: Store,
  engines: Engines,
  request: PanelRequest,
  onProgress: OnProgress,
  signal: AbortSignal,
  asker: Asker = ANYBODY,
): Promise<void> {
  const started = performance.now()
  const asking = await ask(store, engines, request, signal)
  try {
    const answer = await engines.slots.use(asker, asking.deadlineAtMs - Date.now(), signal, () =>
      answerPanel(store, engines, asking, started, onProgress),
    )
    await onProgress({ progress: 1, isLast: true, answer: whole(answer, request) })
  } finally {
    asking.reading.end()
  }
}

/** A panel, understood and checked, with the files it is about. */
export interface Asking {
  request: PanelRequest
  plan: PanelPlan
  reading: Reading
  table: ReadTable
  /** over this leaf's rows and all others' */
  everywhere: Everywhere
  columns: string[]
  tier: 'A' | 'B'
  /** all rows are in the table's files, and each can be looked at without the others */
  isFileByFile: boolean
  deadlineAtMs: number
  signal: AbortSignal | undefined
}

/** The caller ends the reading. */
export async function ask(store: Store, engines: Engines, request: PanelRequest, signal: AbortSignal | undefined): Promise<Asking> {
  const deadlineAtMs = Date.now() + deadlineOf(request)
  store.tail(request.table)
  await store.derived?.of(request.table)
  const plan = planPanel(request, store.columnTypes(request.table), Date.now(), store.isPortable(request.table))
  if (isRefusal(plan)) throw plan
  const columns = new Set(plan.columns)
  const tables = new Set([plan.table])
  let { tier } = plan
  let hasQuery = false
  for (const expression of plan.expressions) {
    const checked = await checkedExpression(store, engines, expression, plan.table)
    for (const column of checked.columns) columns.add(column)
    for (const name of checked.tables) tables.add(name)
    if (checked.hasQuery) tier = 'B'
    hasQuery ||= checked.hasQuery
  }
  const isWhereAlone = tables.size === 1 && request.params === undefined
  // Partials are made where the rows are; all else wants the rows here.
  const reading =
    tier === 'A'
      ? await readTables(store, [...tables], plan, 'later')
      : await readEverywhere(store, [...tables], plan, {
          columns: new Set([...columns, 'series'].map((name) => name.toLowerCase())),
          where: isWhereAlone ? plan.where : null,
          conditions: await conditionsOf(engines, plan, tables.size),
          params: request.params ?? {},
          deadlineMs: deadlineAtMs - Date.now(),
          signal,
        })
  const table = reading.tables.find(({ name }) => name === plan.table)
  if (!table) throw new Error(`${plan.table} was not read`)
  const everywhere = new Everywhere(store.peers, request, reading)
  const isFileByFile = everywhere.isAlone && !hasQuery
  return { request, plan, reading, table, everywhere, columns: [...columns], tier, isFileByFile, deadlineAtMs, signal }
}

/** What all rows of a panel fulfil, as nodes of the engine's parse tree. */
async function conditionsOf(engines: Engines, { where, table }: PanelPlan, tableCount: number): Promise<unknown[]> {
  return where === null || tableCount > 1 ? [] : [expressionNode(await engines.idlest.parse(expressionSql(where, table)))]
}

/** @throws SCUBA_SQL, SCUBA_COLUMN_UNKNOWN, SCUBA_TABLE_UNKNOWN */
export async function checkedExpression(
  store: Store,
  engines: Engines,
  expression: string,
  table: string,
): Promise<{ columns: string[]; hasQuery: boolean; tables: string[] }> {
  const tree = await engines.idlest.parse(expressionSql(expression, table))
  const checked = checkExpression(tree, expression, table, Object.keys(store.columnTypes(table)), store.tableNames())
  if (isRefusal(checked)) throw checked
  return checked
}

async function answerPanel(store: Store, engines: Engines, asking: Asking, started: number, onProgress?: OnProgress): Promise<PanelAnswer> {
  const { plan, reading, request, tier, everywhere } = asking
  const use: CacheUse = { isWhole: false, hits: 0, misses: 0 }
  const frame = (): Omit<PanelAnswer, 'groups' | 'groupCount' | 'isGroupCountExact' | 'accuracy'> => ({
    table: plan.table,
    by: plan.by.map(({ name }) => name),
    calc: plan.calcs.map(({ text }) => text),
    stepMs: plan.stepMs,
    sinceMs: plan.sinceMs,
    untilMs: plan.untilMs,
    tier: asking.tier,
    cache: { ...use },
    rowsScanned: everywhere.rowsScanned,
    coverage: everywhere.coverage,
    elapsedMs: elapsed(started),
  })
  const tell =
    onProgress &&
    (async (grouped: ReturnType<typeof answerOfAll>, rows: number): Promise<void> => {
      const share = rows / Math.max(1, reading.rowsScanned)
      if (share >= 1) return
      const coverage = {
        ...reading.coverage,
        rows: reading.coverage.rows * share,
        missing: [...reading.coverage.missing, 'still being read'],
      }
      await onProgress({ progress: share, isLast: false, answer: { ...frame(), ...grouped, coverage } })
    })
  const grown = tier === 'B' && asking.isFileByFile && request.raw !== true ? await growthOfParts(gatheringOf(engines, asking, use)) : null
  if (grown) asking.tier = 'A'
  const grouped = grown ?? (tier === 'A' ? await mergedAnswer(engines, asking, use, tell) : await allRows(engines, asking, use))
  const answer: PanelAnswer = { ...frame(), ...grouped }
  if (request.compare === undefined) return answer
  return { ...answer, compare: await comparison(store, engines, asking, answer, request.compare), elapsedMs: elapsed(started) }
}

type Grouped = ReturnType<typeof answerOfAll>

/** Tier A. */
async function mergedAnswer(
  engines: Engines,
  asking: Asking,
  use: CacheUse,
  tell?: (grouped: Grouped, rows: number) => Promise<void>,
): Promise<Grouped> {
  const { plan, table, columns, reading, everywhere } = asking
  checkCells(reading.rowsScanned * columns.length, plan)
  const gathering = gatheringOf(engines, asking, use)
  const told = tell && ((merged: MergedGroups, rows: number): Promise<void> => tell(answerOfAll(plan, merged), rows))
  if (table.files.length === 0 && everywhere.isAlone) return answerOfAll(plan, await everywhere.gather(gathering, 'all'))
  if (plan.by.length === 0) return answerOfAll(plan, await everywhere.gather(gathering, 'all', told))
  const many = JSON.stringify([plan.table, plan.by, plan.where])
  if (plan.stepMs !== null && !engines.manyGroups.has(many)) {
    const merged = await everywhere.gather(gathering, 'few', told)
    if (!merged.isCut) return answerOfAll(plan, merged)
    engines.manyGroups.add(many)
  }
  const heavy = asking.isFileByFile && (await hasVeryManyGroups(gathering, many)) ? await heavyGroups(gathering, engines, many) : null
  const ranked = heavy ?? (await everywhere.gather(gathering, 'best', told))
  if (!ranked.isCut && plan.stepMs === null) return answerOfAll(plan, ranked)
  const groups = rankGroups(plan, ranked)
  const chosen = groups.slice(0, plan.top)
  const groupCount = ranked.isCut ? Math.max(groups.length, ranked.countMin) : groups.length
  const isWhole = asking.isFileByFile && plan.stepMs === null && !plan.hasOther && chosen.every(({ cuts }) => cuts === ranked.cuts)
  if (isWhole) return answerOfWhole(plan, chosen, ranked, groupCount)
  return answerOfNamed(plan, chosen, ranked, await gatherNamed(everywhere, gathering, chosen), groupCount)
}

/** Fewer rows are grouped at once sooner than twice. */
const VERY_MANY_ROWS_MIN = 1_000_000

/** Whether groups are so many that their places are counted first, as the smallest of the larger files shows. */
async function hasVeryManyGroups(gathering: Gathering, many: string): Promise<boolean> {
  const { plan, table, engines } = gathering
  const rows = table.files.reduce((sum, file) => sum + file.rows, 0)
  if (!canSpread(plan) || rows < VERY_MANY_ROWS_MIN || engines.heavyPlaces.get(many)?.length === 0) return false
  if (table.files.some(({ kind }) => kind === 'away')) return false
  if (engines.heavyPlaces.has(many)) return true
  const [probe] = table.files.filter((file) => file.rows >= PROBE_ROWS_MIN).sort((a, b) => a.rows - b.rows)
  if (!probe) return false
  return (await gather({ ...gathering, table: { ...table, files: [probe] } }, 'best')).countMin > PROBE_GROUPS_MIN
}

const PROBE_ROWS_MIN = 100_000
const PROBE_GROUPS_MIN = 20_000

/** All rows of the groups that are shown, and of the others together. */
function gatherNamed(
  everywhere: Everywhere,
  gathering: Gathering,
  chosen: readonly { key: readonly PlainValue[] }[],
): Promise<MergedGroups> {
  if (chosen.length === 0) return gather({ ...gathering, table: { ...gathering.table, files: [] } }, 'all')
  return everywhere.gather(gathering, { named: chosen.map(({ key }) => [...key]) })
}

export function gatheringOf(engines: Engines, { plan, table, columns, request, deadlineAtMs, signal }: Asking, use: CacheUse): Gathering {
  return { engines, plan, table, columns, params: request.params ?? {}, deadlineAtMs, signal, use, isRaw: request.raw === true }
}

/** Tier B. */
async function allRows(engines: Engines, asking: Asking, use: CacheUse): Promise<Grouped> {
  const { plan, table, columns, reading, request, deadlineAtMs, signal } = asking
  checkCells(reading.rowsScanned * columns.length, plan)
  if (table.files.length === 0) return allRowsAnswer(plan, [])
  const selected = asking.isFileByFile ? await exactPercentiles(gatheringOf(engines, asking, use), reading.views) : null
  if (selected) return selected
  use.misses += 1
  const sql = allRowsSql(plan, columnsOf(table.view))
  const names = request.raw === true ? null : new Set([...columns, 'series'].map((name) => name.toLowerCase()))
  const { rows, artefacts } = await narrowed(engines, reading, { equalities: [], names, key: sql, signal }, (read) =>
    engines.run(
      {
        ...{ sql, ...read, params: request.params ?? {} },
        deadlineMs: Math.max(1, deadlineAtMs - Date.now()),
        groupBy: plan.by.map(({ name }) => name),
      },
      signal,
    ),
  )
  if (artefacts > 0) use.artefacts = (use.artefacts ?? 0) + artefacts
  return allRowsAnswer(plan, rows)
}

/** The same groups in the earlier range, on this range's steps. */
async function comparison(
  store: Store,
  engines: Engines,
  now: Asking,
  answer: PanelAnswer,
  compare: string,
): Promise<NonNullable<PanelAnswer['compare']>> {
  const { sinceMs, untilMs, forth } = earlier(now.plan, compare, compareZone(store, now.plan.table))
  const before = await ask(store, engines, { ...now.request, sinceMs, untilMs, compare: undefined, having: undefined }, now.signal)
  try {
    const groups = await earlierGroups(engines, before, answer)
    const { coverage, rowsScanned } = before.everywhere
    for (const { series } of groups) for (const point of series) point[0] = forth(point[0])
    return { sinceMs, untilMs, groups, rowsScanned, coverage }
  } finally {
    before.reading.end()
  }
}

async function earlierGroups(engines: Engines, before: Asking, answer: PanelAnswer): Promise<PanelGroup[]> {
  const { plan, table, everywhere } = before
  const use: CacheUse = { isWhole: false, hits: 0, misses: 0 }
  if (table.files.length === 0 && (everywhere.isAlone || before.tier === 'B')) return []
  if (before.tier === 'B') {
    // Groups are chosen anew there: those that are shown now are among them, if they were among the best then.
    const { groups } = await allRows(engines, { ...before, plan: { ...plan, top: 1000 } }, use)
    const shown = new Set(answer.groups.map(({ key, isOther }) => JSON.stringify([key, isOther])))
    return groups.filter(({ key, isOther }) => shown.has(JSON.stringify([key, isOther])))
  }
  const gathering = gatheringOf(engines, before, use)
  if (plan.by.length === 0) return answerOfAll(plan, await everywhere.gather(gathering, 'all')).groups
  const keys = answer.groups
    .filter(({ isOther }) => !isOther)
    .map(({ key }) =>
      plan.by.map(({ name, type }) => {
        const value = key[name] ?? null
        return type === 'TIMESTAMP' && value !== null ? Number(value) * 1000 : value
      }),
    )
  const named = await gatherNamed(
    everywhere,
    gathering,
    keys.map((key) => ({ key })),
  )
  return keys
    .map((key, place) => ({ key, group: named.groups.get(JSON.stringify([place])) }))
    .flatMap(({ key, group }) => (group ? [groupOf(plan, group, key)] : []))
    .concat([...named.groups].flatMap(([id, group]) => (id === '[null]' && plan.hasOther ? [groupOf(plan, group, null)] : [])))
}
